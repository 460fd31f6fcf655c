// Lets a long native loop be stopped: its thread asks regularly whether it should continue.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>

namespace nnlite {

class Interrupt {
 public:
  // `poll` returns false to stop; it is called on the thread that made this object, about every 25 ms.
  explicit Interrupt(std::function<bool()> poll);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // The calling thread's, or null.
  static Interrupt* current();

  // Accounts for work (in flops) about to be done and asks when enough has gathered. True: stop.
  bool spend(double work);
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

  // While held, work is counted but nothing stops: a weight update is all or nothing.
  void hold(bool held) { held_ = held; }

 private:
  std::function<bool()> poll_;
  Interrupt* previous_;
  std::atomic<bool> stopped_{false};
  bool held_ = false;
  double unasked_work_ = 0;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace nnlite
