// A model frozen for prediction: arrays in, an array out, with minimal overhead.
#include <pthread.h>

#include <atomic>
#include <cstring>
#include <mutex>

#include "autograd/program.hpp"
#include "bindings/bindings.hpp"
#include "runtime/floating_point.hpp"

namespace nnlite {
namespace {

// The number of forks between the first process and this one.
std::atomic<int> forks{0};
const int registered = pthread_atfork(nullptr, nullptr, [] {
  ++forks;
  new (&tensor_memory()) std::shared_mutex();  // its holder does not exist in the child
});

class FrozenProgram : public SharedObject {
 public:
  FrozenProgram(const Trace& trace, std::vector<TensorPtr> inputs, TensorPtr output)
      : program_(trace, std::move(inputs), std::move(output), nullptr, {}) {
    program_.freeze();
  }

  // None if the arrays do not exactly match the recorded inputs: the caller handles that case. Also None in a forked
  // child, where the program may have been in use by a thread that the child lacks.
  py::object call(const py::args& values) {
    const std::vector<TensorPtr>& inputs = program_.inputs();
    if (values.size() != inputs.size() || forks != made_after_) return py::none();
    for (size_t i = 0; i < inputs.size(); ++i)
      if (!fits(values[i], inputs[i]->array())) return py::none();
    const Array& from = program_.output()->array();
    py::array output(numpy_dtype(from.dtype), std::vector<py::ssize_t>(from.shape.begin(), from.shape.end()));
    void* to = output.mutable_data();
    without_gil(program_.work(), [&] {
      const std::lock_guard<std::mutex> lock(mutex_);
      const FloatingPointScope scope;
      // values[i] would change a reference count, which requires the GIL.
      for (size_t i = 0; i < inputs.size(); ++i) {
        PyObject* const value = PyTuple_GET_ITEM(values.ptr(), static_cast<py::ssize_t>(i));
        std::memcpy(inputs[i]->array().data, py::detail::array_proxy(value)->data, inputs[i]->array().bytes());
      }
      program_.forward();
      std::memcpy(to, from.data, from.bytes());
    });
    return std::move(output);
  }

 private:
  static bool fits(py::handle value, const Array& input) {
    constexpr int kWanted = py::array::c_style | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
    if (!py::isinstance<py::array>(value)) return false;
    const auto array = py::reinterpret_borrow<py::array>(value);
    if ((array.flags() & kWanted) != kWanted || !array.dtype().is(numpy_dtype(input.dtype)) ||
        array.ndim() != input.shape.rank())
      return false;
    return std::equal(input.shape.begin(), input.shape.end(), array.shape());
  }

  Program program_;
  const int made_after_ = forks;  // the number of forks at its creation
  std::mutex mutex_;              // the program's buffers serve one call at a time
};

}  // namespace

void define_prediction(py::module_& module) {
  py::class_<FrozenProgram, std::shared_ptr<FrozenProgram>>(
      module, "FrozenProgram",
      "A recorded forward pass with frozen parameters; returns None for arrays of another shape or type.")
      .def(py::init(&make<FrozenProgram, const Trace&, std::vector<TensorPtr>, TensorPtr>), py::arg("trace"),
           py::arg("inputs"), py::arg("output"))
      .def("__call__", &FrozenProgram::call);
}

}  // namespace nnlite
