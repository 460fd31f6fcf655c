#include "runtime/team.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#ifdef __SANITIZE_THREAD__
#include <thread>
#include <vector>
#endif

#include "runtime/floating_point.hpp"
#include "runtime/interrupt.hpp"
#include "runtime/openmp.hpp"
#include "runtime/thread_count.hpp"

namespace nnlite {
namespace {

std::atomic<bool> team_busy{false};

thread_local int thread_number = 0;

// libgomp keeps idle worker threads for every thread that has led a team, as long as that thread lives. Only this many
// leaders keep theirs (such as the main thread and one that trains in the background); others end them after use.
constexpr int kKeptTeams = 2;
std::atomic<int> kept_teams{0};

struct OwnTeam {
  bool kept = false;
  ~OwnTeam() {
    if (kept) --kept_teams;
  }
};
thread_local OwnTeam own_team;

// Called by a leader that holds the lease.
void keep_or_end_team() {
  if (own_team.kept) return;
  own_team.kept = kept_teams.load() < kKeptTeams;
  if (own_team.kept)
    ++kept_teams;
  else
    pause_openmp();
}

// Only the forking thread survives a fork. Its team was ended before, since the child would wait for those threads
// forever.
void begin_in_child() {
  kept_teams.store(own_team.kept ? 1 : 0);
  team_busy.store(false);
}

struct TeamLease {
  bool granted = !team_busy.exchange(true);
  ~TeamLease() {
    if (granted) team_busy.store(false);
  }
};

void run_here(int64_t tasks, double work, TaskFunction function, const void* body) {
  Interrupt* interrupt = Interrupt::current();
  for (int64_t task = 0; task < tasks; ++task) {
    if (interrupt != nullptr && interrupt->spend(work / static_cast<double>(tasks))) return;
    function(body, task);
  }
}

// Runs body(number) on `threads` threads, number 0 on the calling one.
template <class Body>
void on_each_thread([[maybe_unused]] int threads, const Body& body) {
#ifdef __SANITIZE_THREAD__
  // ThreadSanitizer does not see libgomp's synchronisation, so std::thread replaces its threads.
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back([&body, i] { body(i); });
  body(0);
  for (std::thread& other : others) other.join();
#else
#pragma omp parallel num_threads(threads)
  body(openmp_thread_number());
#endif
}

void run_on_team(int threads, int64_t tasks, double work, TaskFunction function, const void* body) {
  static std::once_flag registered;
  std::call_once(registered, [] { pthread_atfork(pause_openmp, nullptr, begin_in_child); });
  Interrupt* interrupt = Interrupt::current();
  const double work_per_turn = work / static_cast<double>(tasks) * threads;
  std::atomic<int64_t> next{0};
  std::exception_ptr error;
  std::mutex error_mutex;
  on_each_thread(threads, [&](int number) {
    const FloatingPointScope scope;
    thread_number = number;
    const bool caller = number == 0;
    try {
      for (int64_t task = next++; task < tasks; task = next++) {
        // Only the calling thread polls, because it handles Python's signals; the others read the result.
        if (interrupt != nullptr && (caller ? interrupt->spend(work_per_turn) : interrupt->stopped())) break;
        function(body, task);
      }
    } catch (...) {
      const std::lock_guard<std::mutex> lock(error_mutex);
      error = std::current_exception();
    }
  });
  keep_or_end_team();
  if (error) std::rethrow_exception(error);
}

}  // namespace

int threads_for(double work) {
  return work < 2 * kWorkPerThread ? 1 : static_cast<int>(std::min<double>(num_threads(), work / kWorkPerThread));
}

int team_thread() {
  return thread_number;
}

void run_tasks(int64_t tasks, double work, int threads, TaskFunction function, const void* body) {
  threads = static_cast<int>(std::min<int64_t>(threads, tasks));
  if (threads < 2) return run_here(tasks, work, function, body);
  const TeamLease lease;
  if (!lease.granted) return run_here(tasks, work, function, body);
  run_on_team(threads, tasks, work, function, body);
}

}  // namespace nnlite
