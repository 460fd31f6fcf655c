// Acquires and releases the GIL. During finalisation, Python up to 3.13 ends a thread that requests the GIL by
// unwinding its stack, which aborts the process in a destructor. Such a thread sleeps here instead.
#pragma once

#include <pybind11/pybind11.h>
#include <unistd.h>

#include <mutex>
#include <optional>
#include <shared_mutex>

namespace nnlite {

// Runs f, which does not throw: only the end of the thread unwinds it.
template <class F>
void or_sleep(const F& f) noexcept {
  try {
    f();
  } catch (...) {
    for (;;) pause();
  }
}

// Runs f, which calls Python's C API, with the GIL.
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

// Operations that run without the GIL hold this lock shared; code that replaces a tensor's memory holds it exclusively,
// in addition to the GIL.
inline std::shared_mutex& tensor_memory() {
  static auto* const mutex = new std::shared_mutex();
  return *mutex;
}

// Runs f while no operation is running.
template <class F>
void between_operations(const F& f) {
  std::unique_lock<std::shared_mutex> alone(tensor_memory(), std::defer_lock);
  {
    const WithoutGil release;  // a running operation may need it to finish
    alone.lock();
  }
  f();
}

}  // namespace nnlite
