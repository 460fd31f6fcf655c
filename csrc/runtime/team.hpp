// One team of OpenMP threads for the whole process.
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/interrupt.hpp"

namespace nnlite {

// Threads pay off from this much work (in flops) per thread: about 40 us of a core, against 5 to 50 us to wake one.
constexpr double kWorkPerThread = 4e6;
// The number of threads that pay off for this work, at most num_threads().
int threads_for(double work);

// The calling thread's number within the team that runs its task; 0 for the caller of run_tasks.
int team_thread();

using TaskFunction = void (*)(const void* body, int64_t task);
void run_tasks(int64_t tasks, double work, int threads, TaskFunction function, const void* body);

// Runs body(task) for task = 0 ... tasks - 1 on at most `threads` threads, in any order. `work` is the total in flops.
// If the team is busy, the caller runs all tasks itself. If an Interrupt stops, the remaining tasks are skipped.
template <class Body>
void parallel_for(int64_t tasks, double work, int threads, const Body& body) {
  if (tasks == 1) {
    Interrupt* interrupt = Interrupt::current();
    if (interrupt == nullptr || !interrupt->spend(work)) body(int64_t{0});
    return;
  }
  run_tasks(
      tasks, work, threads, [](const void* erased, int64_t task) { (*static_cast<const Body*>(erased))(task); }, &body);
}

template <class Body>
void parallel_for(int64_t tasks, double work, const Body& body) {
  parallel_for(tasks, work, threads_for(work), body);
}

// Runs body(begin, end) over [0, n) in spans that start at multiples of `grain`.
template <class Body>
void parallel_spans(int64_t n, int64_t grain, double work_per_element, const Body& body) {
  const double work = work_per_element * static_cast<double>(n);
  const int threads = threads_for(work);
  int64_t parts = work < 2 * kWorkPerThread ? 1 : 4 * threads;
  const int64_t grains = (n + grain - 1) / grain;
  if (parts > grains) parts = grains;
  if (parts <= 1) return parallel_for(n > 0, work, [&](int64_t) { body(int64_t{0}, n); });
  const int64_t step = (grains + parts - 1) / parts * grain;
  parallel_for((n + step - 1) / step, work, threads, [&](int64_t part) {
    const int64_t begin = part * step;
    body(begin, begin + step < n ? begin + step : n);
  });
}

}  // namespace nnlite
