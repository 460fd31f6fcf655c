// Makes long native loops interruptible: the thread that runs one polls regularly whether to continue.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>

namespace nnlite {

class Interrupt {
 public:
  // `poll` returns false to stop; it is called about every 25 ms on the thread that made this object.
  explicit Interrupt(std::function<bool()> poll);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // The calling thread's interrupt, or null.
  static Interrupt* current();

  // Counts work (in flops) about to be done and polls once enough has accumulated. Returns true to stop.
  bool spend(double work);
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

  // While held, work is counted but nothing stops: a weight update must not be interrupted halfway.
  void hold(bool held) { held_ = held; }

 private:
  std::function<bool()> poll_;
  Interrupt* previous_;
  std::atomic<bool> stopped_{false};
  bool held_ = false;
  double work_since_poll_ = 0;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace nnlite
