// Threads, configuration, and checks over whole arrays.
#include <cmath>

#include "bindings/bindings.hpp"
#include "runtime/dispatch.hpp"
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

template <class T>
int64_t first_nonfinite_of(const T* x, int64_t n) {
  constexpr int64_t kBlock = 1024;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = begin + kBlock < n ? begin + kBlock : n;
    T sum = 0;  // x - x is 0 for finite x and NaN otherwise: a block costs no branch
    for (int64_t i = begin; i < end; ++i) sum += x[i] - x[i];
    if (sum == 0) continue;
    for (int64_t i = begin; i < end; ++i)
      if (!std::isfinite(x[i])) return i;
  }
  return -1;
}

int64_t first_nonfinite(const py::array& array) {
  if (array.dtype().kind() != 'f') return -1;
  if (array.dtype().is(py::dtype::of<float>())) {
    const auto values = py::array_t<float, py::array::c_style>::ensure(array);
    return first_nonfinite_of(values.data(), values.size());
  }
  const auto values = py::array_t<double, py::array::c_style | py::array::forcecast>::ensure(array);
  return first_nonfinite_of(values.data(), values.size());
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
  module.def("first_nonfinite", &first_nonfinite, py::arg("array"));
}

}  // namespace nnlite
