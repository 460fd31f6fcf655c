#include "bindings/by_numpy.hpp"

#include "autograd/in_place.hpp"
#include "autograd/operations.hpp"
#include "runtime/dispatch.hpp"

namespace nnlite {
namespace {

py::object values_as(const TensorPtr& x, DType dtype) {
  const py::array values = numpy_view(x);
  return x->dtype() == dtype ? py::object(values) : values.attr("astype")(numpy_dtype(dtype));
}

// NumPy's name for a kernel's function whose results on integers and booleans are integers or booleans, or null.
const char* numpy_name(const std::string& kernel) {
  constexpr std::pair<const char*, const char*> kNames[] = {
      {"add", "add"},         {"sub", "subtract"},    {"mul", "multiply"}, {"pow", "power"},
      {"maximum", "maximum"}, {"minimum", "minimum"}, {"abs", "absolute"}, {"neg", "negative"},
  };
  for (const auto& [ours, theirs] : kNames)
    if (kernel == ours) return theirs;
  return nullptr;
}

struct Operator {
  const char *symbol, *function;
  bool takes_floats = false;
};

constexpr Operator kOperators[] = {
    {"__lt__", "less", true},          {"__le__", "less_equal", true}, {"__gt__", "greater", true},
    {"__ge__", "greater_equal", true}, {"__eq__", "equal", true},      {"__ne__", "not_equal", true},
    {"__and__", "bitwise_and"},        {"__or__", "bitwise_or"},       {"__xor__", "bitwise_xor"},
    {"__rand__", "bitwise_and"},       {"__ror__", "bitwise_or"},      {"__rxor__", "bitwise_xor"},
    {"__iand__", "bitwise_and"},       {"__ior__", "bitwise_or"},      {"__ixor__", "bitwise_xor"},
};

// Methods with a second operand.
constexpr Operator kMethods[] = {
    {"lt", "less", true},
    {"le", "less_equal", true},
    {"gt", "greater", true},
    {"ge", "greater_equal", true},
    {"eq", "equal", true},
    {"ne", "not_equal", true},
    {"logical_and", "logical_and", true},
    {"logical_or", "logical_or", true},
    {"logical_xor", "logical_xor", true},
    {"bitwise_and", "bitwise_and"},
    {"bitwise_or", "bitwise_or"},
    {"bitwise_xor", "bitwise_xor"},
};

// Methods without one.
constexpr Operator kUnary[] = {
    {"isnan", "isnan", true},
    {"isinf", "isinf", true},
    {"isfinite", "isfinite", true},
    {"isposinf", "isposinf", true},
    {"isneginf", "isneginf", true},
    {"signbit", "signbit", true},
    {"logical_not", "logical_not", true},
    {"bitwise_not", "invert"},
    {"__invert__", "invert"},
};

void require_accepted(const Operator& row, DType dtype) {
  if (!row.takes_floats && is_floating(dtype))
    throw TypeError(text('[', row.function, "] needs bool or int64 tensors, got ", name_of(dtype)));
}

TensorPtr apply_operator(const Operator& row, const TensorPtr& x, py::handle other) {
  const TensorPtr right = operand(other, x->dtype());
  require_accepted(row, common_type(x, right));
  return binary_by_numpy(row.function, x, right);
}

}  // namespace

TensorPtr by_numpy(const char* function, const py::tuple& arguments, const py::dict& options) {
  return as_tensor(py::module_::import("numpy").attr(function)(*arguments, **options));
}

TensorPtr elementwise(int index, const TensorPtr& x, double alpha, double beta) {
  if (is_floating(x->dtype())) return unary(index, x, alpha, beta);
  const char* kernel = kernels<float>().unary[index].name;
  if (const char* function = numpy_name(kernel)) return by_numpy(function, py::make_tuple(numpy_view(x)));
  if (kernel == std::string("relu")) return by_numpy("maximum", py::make_tuple(numpy_view(x), 0));
  return unary(index, cast(x, DType::float32), alpha, beta);
}

TensorPtr arithmetic(int index, const TensorPtr& a, const TensorPtr& b) {
  if (is_floating(a->dtype()) && is_floating(b->dtype())) return binary(index, a, b);
  static const int subtraction = binary_index("sub");
  if (index == subtraction && std::min(a->dtype(), b->dtype()) == DType::boolean)
    throw TypeError("[sub] bool tensors cannot be subtracted; use ~ to invert a mask, ^ where two differ");
  if (is_floating(common_type(a, b))) return binary(index, a, b);
  const char* function = numpy_name(kernels<float>().binary[index].name);
  if (function != nullptr) return binary_by_numpy(function, a, b);
  return binary(index, cast(a, DType::float32), cast(b, DType::float32));
}

TensorPtr matrix_product(const TensorPtr& a, const TensorPtr& b) {
  if (is_floating(a->dtype()) || is_floating(b->dtype())) return matmul(a, b);
  return by_numpy("matmul", py::make_tuple(numpy_view(a), numpy_view(b)));
}

TensorPtr binary_by_numpy(const char* function, const TensorPtr& a, const TensorPtr& b) {
  const DType dtype = common_type(a, b);
  broadcast_shape(function, a->shape(), b->shape());
  return by_numpy(function, py::make_tuple(values_as(a, dtype), values_as(b, dtype)));
}

TensorPtr reduced_by_numpy(const char* function, const TensorPtr& x, const Dims& given, bool keepdim) {
  py::dict options;
  options["keepdims"] = keepdim;
  for (int64_t dim : given.dims) normalized_dim(function, dim, x->shape().rank());
  if (!given.all && x->shape().rank() > 0) {
    const py::tuple axes = tuple_of(given.dims);
    options["axis"] = axes.size() == 1 ? py::object(axes[0]) : py::object(axes);  // argmax takes no tuple
  }
  return by_numpy(function, py::make_tuple(numpy_view(x)), options);
}

void define_numpy_operators(TensorClass& tensor) {
  for (const Operator& row : kOperators) {
    const bool in_place = row.symbol[2] == 'i';
    tensor.def(row.symbol, [&row, in_place](const TensorPtr& x, py::handle other) -> py::object {
      if (!is_arithmetic(other)) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
      if (!in_place) return py::cast(apply_operator(row, x, other));
      require_own_memory(x, row.symbol, true);
      replace(x, apply_operator(row, x, other), row.symbol);
      return py::cast(x);
    });
  }
  for (const Operator& row : kMethods)
    tensor.def(
        row.symbol, [&row](const TensorPtr& x, py::handle other) { return apply_operator(row, x, other); },
        py::arg("other"));
  for (const Operator& row : kUnary)
    tensor.def(row.symbol, [&row](const TensorPtr& x) {
      require_accepted(row, x->dtype());
      return by_numpy(row.function, py::make_tuple(numpy_view(x)));
    });
  tensor.def("__contains__", [](const TensorPtr& x, py::handle value) {
    return is_arithmetic(value) &&
           numpy_view(binary_by_numpy("equal", x, operand(value, x->dtype()))).attr("any")().cast<bool>();
  });
}

}  // namespace nnlite
