// Threads, configuration, and checks over whole arrays.
#include "autograd/shape.hpp"
#include "bindings/bindings.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

py::dict config() {
  py::dict config;
  config["isa"] = kernel_table().isa;
  config["available_isas"] = available_isas();
  config["threads"] = num_threads();
  config["cores"] = usable_cores();
  config["compiler"] = NNLITE_COMPILER;
  config["version"] = NNLITE_VERSION;
  return config;
}

int64_t first_nonfinite(const py::array& array) {
  if (array.dtype().kind() != 'f') return -1;
  const FloatingPointScope scope;
  if (array.dtype().is(py::dtype::of<float>())) {
    const auto values = py::array_t<float, py::array::c_style>::ensure(array);
    return kernels<float>().first_nonfinite(values.data(), values.size());
  }
  const auto values = py::array_t<double, py::array::c_style | py::array::forcecast>::ensure(array);
  return kernels<double>().first_nonfinite(values.data(), values.size());
}

// Runs on the calling thread, without Python's lock.
int64_t fma_burst(const std::string& dtype, int64_t rounds) {
  if (dtype != "float32" && dtype != "float64")
    throw std::invalid_argument(text("dtype must be 'float32' or 'float64', got '", dtype, "'"));
  if (rounds < 1) throw std::invalid_argument(text("rounds must be at least 1, got ", rounds));
  const WithoutGil release;
  const FloatingPointScope scope;
  return dispatch(dtype == "float32" ? DType::float32 : DType::float64, [&](auto zero) {
    using T = decltype(zero);
    T sink[2] = {T(0.5), T(1)};
    return kernels<T>().fma_burst(rounds, sink);
  });
}

}  // namespace

void define_runtime(py::module_& module) {
  module.def("show_config", &config);
  module.def("get_num_threads", &num_threads);
  module.def(
      "set_num_threads",
      [](int count) {
        if (count < 1) throw std::invalid_argument(text("the number of threads must be at least 1, got ", count));
        set_num_threads(count);
      },
      py::arg("count"));
  module.def("fma_burst", &fma_burst, py::arg("dtype"), py::arg("rounds"));
  module.def("first_nonfinite", &first_nonfinite, py::arg("array"));
}

}  // namespace nnlite
