// Python's lock, taken and let go. While the interpreter ends, Python up to 3.13 ends a thread that asks for the lock
// by unwinding its stack; destructors may not be unwound, and the process would abort. Such a thread sleeps here
// instead.
#pragma once

#include <pybind11/pybind11.h>
#include <unistd.h>

namespace nnlite {

// Runs f, which throws nothing of its own: whatever unwinds it is the end of the thread.
template <class F>
void or_sleep(const F& f) noexcept {
  try {
    f();
  } catch (...) {
    for (;;) pause();
  }
}

// Runs f, calls of Python's C interface, under the lock.
template <class F>
void with_gil(const F& f) {
  or_sleep([&] {
    const PyGILState_STATE state = PyGILState_Ensure();
    f();
    PyGILState_Release(state);
  });
}

class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  ~WithoutGil() {
    or_sleep([this] { PyEval_RestoreThread(state_); });
  }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* state_;
};

}  // namespace nnlite
