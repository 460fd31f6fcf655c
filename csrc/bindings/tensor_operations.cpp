// The tape's operations as methods of Tensor.
#include <limits>

#include "autograd/in_place.hpp"
#include "bindings/by_numpy.hpp"
#include "bindings/indexing.hpp"

namespace nnlite {
namespace {

bool is_number(py::handle value) {
  return PyFloat_Check(value.ptr()) || PyLong_Check(value.ptr());
}

// Bounds that are numbers are options of the function; others, tensors and arrays, are operands.
TensorPtr clip_of(const TensorPtr& x, py::handle low, py::handle high) {
  if (low.is_none() && high.is_none()) throw std::invalid_argument("clip needs min, max or both");
  if (!is_floating(x->dtype())) {
    TensorPtr result = x;
    if (!low.is_none()) result = arithmetic(binary_index("maximum"), result, operand(low, x->dtype()));
    if (!high.is_none()) result = arithmetic(binary_index("minimum"), result, operand(high, x->dtype()));
    return result;
  }
  if ((!low.is_none() && !is_number(low)) || (!high.is_none() && !is_number(high)))
    return clamp(x, optional_operand(low, x->dtype()), optional_operand(high, x->dtype()));
  const double infinity = std::numeric_limits<double>::infinity();
  return unary("clip", x, low.is_none() ? -infinity : low.cast<double>(),
               high.is_none() ? infinity : high.cast<double>());
}

TensorPtr flattened(const TensorPtr& x, int64_t start, int64_t end) {
  const Shape& shape = x->shape();
  if (shape.rank() == 0) return reshape(x, {1});
  const int first = normalized_dim("flatten", start, shape.rank()), last = normalized_dim("flatten", end, shape.rank());
  if (first > last)
    throw std::invalid_argument(text("[flatten] start_dim ", start, " comes after end_dim ", end, " in shape ", shape));
  Shape flat;
  for (int i = 0; i < first; ++i) flat.push_back(shape[i]);
  flat.push_back(shape.count(first, last + 1));
  for (int i = last + 1; i < shape.rank(); ++i) flat.push_back(shape[i]);
  return reshape(x, flat);
}

TensorPtr squeezed(const TensorPtr& x, std::optional<int64_t> dim) {
  Shape shape;
  const int only = dim ? normalized_dim("squeeze", *dim, x->shape().rank()) : -1;
  for (int i = 0; i < x->shape().rank(); ++i)
    if (x->shape()[i] != 1 || (dim && i != only)) shape.push_back(x->shape()[i]);
  return reshape(x, shape);
}

// In PyTorch, the result would be a view of x.
TensorPtr reordered(const TensorPtr& x, const std::vector<int>& order) {
  const TensorPtr copy = permute(x, order);
  stand_for_view(copy, x, {});
  return copy;
}

TensorPtr permuted(const TensorPtr& x, const py::args& dims) {
  std::vector<int> order;
  for (int64_t dim : shape_from_args(dims)) order.push_back(normalized_dim("permute", dim, x->shape().rank()));
  return reordered(x, order);
}

TensorPtr transposed(const TensorPtr& x, int64_t dim0, int64_t dim1) {
  const int rank = x->shape().rank();
  std::vector<int> order;
  for (int i = 0; i < rank; ++i) order.push_back(i);
  if (rank > 0)
    std::swap(order[static_cast<size_t>(normalized_dim("transpose", dim0, rank))],
              order[static_cast<size_t>(normalized_dim("transpose", dim1, rank))]);
  return reordered(x, order);
}

TensorPtr reversed(const TensorPtr& x) {
  std::vector<int> order;
  for (int i = x->shape().rank(); i-- > 0;) order.push_back(i);
  return reordered(x, order);
}

void define_shaping(TensorClass& tensor) {
  const auto reshaped = [](const TensorPtr& x, const py::args& sizes) {
    return as_view(reshape(x, shape_from_args(sizes)), x);
  };
  tensor.def("reshape", reshaped);
  tensor.def("view", reshaped);
  tensor.def("flatten", &flattened, py::arg("start_dim") = 0, py::arg("end_dim") = -1);
  tensor.def("squeeze", &squeezed, py::arg("dim") = py::none());
  tensor.def(
      "unsqueeze",
      [](const TensorPtr& x, int64_t dim) {
        Shape shape = x->shape();
        shape.insert(normalized_dim("unsqueeze", dim, shape.rank() + 1), 1);
        return reshape(x, shape);
      },
      py::arg("dim"));
  tensor.def("transpose", &transposed, py::arg("dim0"), py::arg("dim1"));
  tensor.def("permute", &permuted);
  tensor.def_property_readonly("T", &reversed);
  tensor.def_property_readonly("mT", [](const TensorPtr& x) { return transposed(x, -2, -1); });
  tensor.def("__getitem__", &index_tensor);
  tensor.def("__iter__", [](const TensorPtr& x) {
    if (x->shape().rank() == 0) throw TypeError("a single value cannot be iterated over");
    py::list rows;
    for (int64_t i = 0; i < x->shape()[0]; ++i) rows.append(index_tensor(x, py::int_(i)));
    return py::iter(rows);
  });
}

void define_elementwise(TensorClass& tensor) {
  for (const char* name : {"exp", "log", "sqrt", "abs", "relu", "tanh", "sigmoid"}) {
    const int index = unary_index(name);
    tensor.def(name, [index](const TensorPtr& x) { return elementwise(index, x); });
  }
  const int negate = unary_index("neg"), absolute = unary_index("abs"), power = binary_index("pow");
  tensor.def("__neg__", [negate](const TensorPtr& x) { return elementwise(negate, x); });
  tensor.def("__abs__", [absolute](const TensorPtr& x) { return elementwise(absolute, x); });
  tensor.def(
      "pow",
      [power](const TensorPtr& x, py::handle exponent) { return arithmetic(power, x, operand(exponent, x->dtype())); },
      py::arg("exponent"));
  tensor.def("clip", &clip_of, py::arg("min") = py::none(), py::arg("max") = py::none());
  tensor.def("clamp", &clip_of, py::arg("min") = py::none(), py::arg("max") = py::none());
  const auto product = [](const TensorPtr& x, py::handle other) {
    return matrix_product(x, operand(other, x->dtype()));
  };
  tensor.def("matmul", product, py::arg("other"));
  tensor.def("__matmul__", product);
  tensor.def("__rmatmul__",
             [](const TensorPtr& x, py::handle other) { return matrix_product(operand(other, x->dtype()), x); });
}

}  // namespace

void define_tensor_operations(TensorClass& tensor) {
  define_elementwise(tensor);
  define_reductions(tensor);
  define_shaping(tensor);
}

}  // namespace nnlite
