// The floating-point environment that reproducible bits require: round to nearest, keep subnormal numbers, trap
// nothing.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace nnlite {

// Sets that environment for the calling thread during its lifetime, then restores the previous one.
// Every entry into the kernels creates one: other libraries make a thread flush subnormal numbers or change its
// rounding.
class FloatingPointScope {
 public:
  FloatingPointScope() : owners_(control()), foreign_((owners_ & kDeciding) != kDefault) {
    if (__builtin_expect(foreign_, false)) set_control(kDefault);
  }
  ~FloatingPointScope() {
    if (__builtin_expect(foreign_, false)) set_control(owners_);
  }
  FloatingPointScope(const FloatingPointScope&) = delete;
  FloatingPointScope& operator=(const FloatingPointScope&) = delete;

 private:
#if defined(__x86_64__)
  using Control = uint32_t;
  static constexpr Control kDefault = 0x1F80, kDeciding = 0xFFC0;  // the others are status flags
  static Control control() { return _mm_getcsr(); }
  static void set_control(Control control) { _mm_setcsr(control); }
#elif defined(__aarch64__)
  using Control = uint64_t;
  static constexpr Control kDefault = 0, kDeciding = ~Control{0};
  static Control control() {
    Control control;
    asm volatile("mrs %0, fpcr" : "=r"(control));
    return control;
  }
  static void set_control(Control control) { asm volatile("msr fpcr, %0" : : "r"(control) : "memory"); }
#else
  using Control = uint32_t;
  static constexpr Control kDefault = 0, kDeciding = 0;
  static Control control() { return 0; }
  static void set_control(Control) {}
#endif

  Control owners_;
  bool foreign_;
};

}  // namespace nnlite
