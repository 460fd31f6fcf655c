// Acquires and releases the GIL. During finalisation, Python up to 3.13 ends a thread that asks for the GIL
// by unwinding its stack; destructors may not be unwound, and the process would abort. Such a thread sleeps here
// instead.
#pragma once

#include <pybind11/pybind11.h>
#include <unistd.h>

#include <mutex>
#include <optional>
#include <shared_mutex>

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

// Operations that run without the GIL share this lock; whoever replaces a tensor's memory holds it exclusively, and
// Python's lock besides.
inline std::shared_mutex& tensor_memory() {
  static auto* const mutex = new std::shared_mutex();
  return *mutex;
}

// Runs f when no operation is under way.
template <class F>
void between_operations(const F& f) {
  std::unique_lock<std::shared_mutex> alone(tensor_memory(), std::defer_lock);
  {
    const WithoutGil release;  // an operation may need it to come to its end
    alone.lock();
  }
  f();
}

}  // namespace nnlite
