#include "runtime/thread_count.hpp"

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>

#include "runtime/cores.hpp"
#include "runtime/environment.hpp"
#include "runtime/openmp.hpp"

namespace nnlite {
namespace {

// OMP_NUM_THREADS may be a list, whose first entry counts. The runtime ignores invalid values.
std::optional<int64_t> openmp_setting() {
  const char* value = std::getenv("OMP_NUM_THREADS");
  if (value == nullptr) return std::nullopt;
  const std::string list = value;
  return positive_number(list.substr(0, list.find(',')));
}

int initial_threads() {
  const char* own = std::getenv("NNLITE_NUM_THREADS");
  if (own != nullptr && *own != '\0') {
    const std::optional<int64_t> count = positive_number(own);
    if (!count || *count > kMostThreads)
      throw std::invalid_argument("NNLITE_NUM_THREADS=" + std::string(own) + " is not an integer from 1 to " +
                                  std::to_string(kMostThreads));
    return static_cast<int>(*count);
  }
  return static_cast<int>(std::min<int64_t>(openmp_setting().value_or(usable_cores()), kMostThreads));
}

std::atomic<int>& wanted() {
  static std::atomic<int> count{initial_threads()};
  return count;
}

// The runtime's setting in a thread that no limit was set for.
int unlimited() {
  static const int threads =
      static_cast<int>(std::min<int64_t>(openmp_setting().value_or(openmp_processors()), INT_MAX));
  return threads;
}

// The runtime's setting when this thread last called set_num_threads. Of set_num_threads and a limit, the later wins.
thread_local int limit_at_setting = 0;

}  // namespace

int num_threads() {
  const int count = std::min(wanted().load(std::memory_order_relaxed), openmp_thread_limit());
  const int limit = openmp_threads();
  if (limit == unlimited()) limit_at_setting = limit;
  return limit == limit_at_setting ? count : std::min(count, limit);
}

void set_num_threads(int count) {
  wanted().store(count);
  limit_at_setting = openmp_threads();
}

}  // namespace nnlite
