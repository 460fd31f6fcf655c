// Queries of the OpenMP runtime, with fallbacks for a build without it.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

namespace nnlite {

#ifdef _OPENMP
constexpr bool kHasOpenMP = true;
// The calling thread's setting: OMP_NUM_THREADS or the value of omp_set_num_threads.
inline int openmp_threads() {
  return omp_get_max_threads();
}
inline int openmp_processors() {
  return omp_get_num_procs();
}
inline int openmp_thread_limit() {
  return omp_get_thread_limit();
}
inline int openmp_thread_number() {
  return omp_get_thread_num();
}
// Ends the calling thread's team (libgomp) or puts it to sleep (LLVM), which makes a fork safe. A hard pause would shut
// LLVM's runtime down: up to version 15, a child forked after that aborts.
inline void pause_openmp() {
  omp_pause_resource_all(omp_pause_soft);
}
#else
constexpr bool kHasOpenMP = false;
inline int openmp_threads() {
  return 1;
}
inline int openmp_processors() {
  return 1;
}
inline int openmp_thread_limit() {
  return 1;
}
inline int openmp_thread_number() {
  return 0;
}
inline void pause_openmp() {}
#endif

}  // namespace nnlite
