// How many threads may work. In order of precedence: set_num_threads, NNLITE_NUM_THREADS, OMP_NUM_THREADS, the cores
// that this process may use. OMP_THREAD_LIMIT caps them all, and so does a limit that somebody set in the calling
// thread by omp_set_num_threads (threadpoolctl does) after the last set_num_threads.
#pragma once

namespace nnlite {

constexpr int kMostThreads = 1024;

// Throws std::invalid_argument where NNLITE_NUM_THREADS is not a whole number from 1 to kMostThreads.
int num_threads();
void set_num_threads(int count);  // 1 ... kMostThreads

}  // namespace nnlite
