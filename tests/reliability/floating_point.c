// The floating-point control registers of the calling thread, and of the threads of libgomp's team.
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xmmintrin.h>

// Without the exception flags.
unsigned sse_control(void) {
  return _mm_getcsr() & 0xFFC0;
}

void set_sse_control(unsigned control) {
  _mm_setcsr(control);
}

unsigned x87_control(void) {
  uint16_t control;
  __asm__ volatile("fnstcw %0" : "=m"(control));
  return control;
}

// The registers of each of `count` threads, and its system id.
void team_controls(int count, unsigned* sse, unsigned* x87, long* numbers) {
#pragma omp parallel num_threads(count)
  {
    const int i = __builtin_omp_get_thread_num();
    sse[i] = sse_control(), x87[i] = x87_control(), numbers[i] = syscall(SYS_gettid);
  }
}

void set_team_controls(int count, unsigned control) {
#pragma omp parallel num_threads(count)
  set_sse_control(control);
}
