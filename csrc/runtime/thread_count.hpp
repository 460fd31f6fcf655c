// The number of threads to use. In order of precedence: set_num_threads, NNLITE_NUM_THREADS, OMP_NUM_THREADS, the cores
// this process may use. OMP_THREAD_LIMIT caps them all, as does a limit set in the calling thread by
// omp_set_num_threads (threadpoolctl does so) after the last set_num_threads.
#pragma once

namespace nnlite {

constexpr int kMostThreads = 1024;

// Throws std::invalid_argument if NNLITE_NUM_THREADS is not an integer from 1 to kMostThreads.
int num_threads();
void set_num_threads(int count);  // 1 ... kMostThreads

}  // namespace nnlite
