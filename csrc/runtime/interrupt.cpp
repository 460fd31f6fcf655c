#include "runtime/interrupt.hpp"

namespace nnlite {
namespace {

constexpr std::chrono::milliseconds kInterval{25};
constexpr double kWorkPerPoll = 1e6;  // about 10 us of one core, which makes reading the clock negligible

thread_local Interrupt* current_interrupt = nullptr;

}  // namespace

Interrupt::Interrupt(std::function<bool()> poll)
    : poll_(std::move(poll)), previous_(current_interrupt), next_(std::chrono::steady_clock::now() + kInterval) {
  current_interrupt = this;
}

Interrupt::~Interrupt() {
  current_interrupt = previous_;
}

Interrupt* Interrupt::current() {
  return current_interrupt;
}

bool Interrupt::spend(double work) {
  work_since_poll_ += work;
  if (held_) return false;
  if (stopped()) return true;
  if (work_since_poll_ < kWorkPerPoll) return false;
  work_since_poll_ = 0;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return false;
  next_ = now + kInterval;
  if (!poll_()) stopped_.store(true, std::memory_order_relaxed);
  return stopped();
}

}  // namespace nnlite
