// Threads, configuration, and checks over whole arrays.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "autograd/shape.hpp"
#include "bindings/bindings.hpp"
#include "runtime/cores.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/openmp.hpp"
#include "runtime/thread_count.hpp"

namespace nnlite {
namespace {

py::dict config() {
  py::dict config;
  config["isa"] = kernel_table().isa;
  config["available_isas"] = available_isas();
  config["threads"] = num_threads();
  config["cores"] = usable_cores();
  config["openmp"] = kHasOpenMP;
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

// Whether `value` is an array that needs neither conversion nor a warning: contiguous, not empty, of finite numbers no
// wider than floats of `itemsize`. False for large arrays, whose check takes a while.
bool is_ready(py::handle value, py::ssize_t itemsize) {
  constexpr int kWanted = py::array::c_style | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  constexpr py::ssize_t kMost = 1 << 22;
  if (Py_TYPE(value.ptr()) != py::detail::npy_api::get().PyArray_Type_) return false;
  const auto array = py::reinterpret_borrow<py::array>(value);
  const auto* const type = py::detail::array_descriptor_proxy(array.dtype().ptr());
  const py::ssize_t size = array.size(), width = array.itemsize();
  if ((array.flags() & kWanted) != kWanted || array.ndim() == 0 || size == 0 || size > kMost ||
      type->byteorder == '>' || width > 8)
    return false;
  if (type->kind != 'f') return std::strchr("iub", type->kind) != nullptr;
  if (width < 4 || width > itemsize) return false;
  const FloatingPointScope scope;
  return dispatch(width == 4 ? DType::float32 : DType::float64, [&](auto zero) {
    using T = decltype(zero);
    return kernels<T>().first_nonfinite(static_cast<const T*>(array.data()), size) < 0;
  });
}

// Whether all elements of an int64 array are in [0, end); false for other arrays.
bool are_below(const py::array& array, int64_t end) {
  if (!py::isinstance<py::array_t<int64_t, py::array::c_style>>(array)) return false;
  const auto* const values = static_cast<const int64_t*>(array.data());
  uint64_t largest = 0;  // as unsigned, negative values are the largest
  for (py::ssize_t i = 0; i < array.size(); ++i) largest = std::max(largest, static_cast<uint64_t>(values[i]));
  return array.size() == 0 || largest < static_cast<uint64_t>(end);
}

// How many rows of outputs (N, C) have their first maximum at the class of int64 targets (N,), and no NaN; -1 for other
// arrays.
int64_t count_right(const py::array& outputs, const py::array& targets) {
  if (outputs.ndim() != 2 || outputs.shape(1) < 2 || targets.ndim() != 1 || targets.shape(0) != outputs.shape(0) ||
      !py::isinstance<py::array_t<float, py::array::c_style>>(outputs) ||
      !py::isinstance<py::array_t<int64_t, py::array::c_style>>(targets))
    return -1;
  const auto* row = static_cast<const float*>(outputs.data());
  const auto* const classes = static_cast<const int64_t*>(targets.data());
  const py::ssize_t columns = outputs.shape(1);
  int64_t right = 0;
  for (py::ssize_t i = 0; i < outputs.shape(0); ++i, row += columns) {
    py::ssize_t best = 0;
    bool is_number = true;
    for (py::ssize_t c = 0; c < columns; ++c) {
      is_number &= !std::isnan(row[c]);
      if (row[c] > row[best]) best = c;
    }
    right += is_number && best == classes[i];
  }
  return right;
}

// Runs on the calling thread, without the GIL.
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

void set_threads(const py::object& count) {
  if (PyBool_Check(count.ptr()) || !PyIndex_Check(count.ptr()))
    throw TypeError(text("the number of threads must be an integer, got ", py::repr(count).cast<std::string>()));
  const auto number = py::reinterpret_steal<py::int_>(PyNumber_Index(count.ptr()));
  int overflow = 0;
  const int64_t value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  if (overflow != 0 || value < 1 || value > kMostThreads)
    throw std::invalid_argument(
        text("the number of threads must be from 1 to ", kMostThreads, ", got ", py::str(number).cast<std::string>()));
  set_num_threads(static_cast<int>(value));
  if (!kHasOpenMP && value > 1 &&
      PyErr_WarnEx(PyExc_RuntimeWarning, "nnlite was built without OpenMP: it runs on one thread", 1) != 0)
    throw py::error_already_set();
}

}  // namespace

void define_runtime(py::module_& module) {
  module.def("show_config", &config);
  module.def("get_num_threads", &num_threads);
  module.def("set_num_threads", &set_threads, py::arg("count"));
  module.def("cpu_quota", &cpu_quota, py::arg("root") = "");
  module.def("fma_burst", &fma_burst, py::arg("dtype"), py::arg("rounds"));
  module.def("is_ready", &is_ready, py::arg("value"), py::arg("itemsize"));
  module.def("are_below", &are_below, py::arg("array"), py::arg("end"));
  module.def("count_right", &count_right, py::arg("outputs"), py::arg("targets"));
  module.def("first_nonfinite", &first_nonfinite, py::arg("array"));
}

}  // namespace nnlite
