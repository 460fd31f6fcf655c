#include "autograd/trace.hpp"
#include "bindings/bindings.hpp"
#include "bindings/call_errors.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/thread_count.hpp"

namespace py = pybind11;

PYBIND11_MODULE(_core, module) {
  using namespace nnlite;
  module.doc() = "Native kernels, autograd and training loop of nnlite.";
  // Invalid settings are reported at import, not during a run. Besides, a child forked while they are first read would
  // wait forever.
  kernel_table();
  num_threads();
  py::register_exception<CaptureError>(module, "CaptureError", PyExc_RuntimeError);
  py::register_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const TypeError& type_error) {
      py::set_error(PyExc_TypeError, type_error.what());
    } catch (const py::cast_error& cast_error) {
      py::set_error(PyExc_TypeError, cast_error.what());
    }
  });
  define_tensor(module);
  define_functions(module);
  define_random(module);
  define_clipping(module);
  define_optimizers(module);
  define_training(module);
  define_prediction(module);
  define_gradients(module);
  define_python_functions(module);
  define_runtime(module);
  define_modules(module);
  define_call_errors(module);
}
