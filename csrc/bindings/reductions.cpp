// Reductions and softmax as methods of Tensor.
#include <algorithm>

#include "bindings/by_numpy.hpp"
#include "runtime/dispatch.hpp"

namespace nnlite {
namespace {

using AlongDim = TensorPtr (*)(const TensorPtr&, int64_t dim, bool keepdim);
using Dim = std::optional<int64_t>;

// Whether each dimension is reduced.
std::vector<bool> reduced_dims(const char* name, const Shape& shape, const Shape& dims) {
  std::vector<bool> reduced(static_cast<size_t>(shape.rank()));
  for (int64_t dim : dims) {
    const auto at = static_cast<size_t>(normalized_dim(name, dim, shape.rank()));
    if (shape.rank() == 0) continue;
    if (reduced[at]) throw std::runtime_error(text('[', name, "] dim ", dim, " is given twice"));
    reduced[at] = true;
  }
  return reduced;
}

// Moves the dimensions to the end and merges them into one.
TensorPtr reduce_dims(const char* name, AlongDim reduction, const TensorPtr& x, const Shape& dims, bool keepdim) {
  if (dims.rank() == 1) return reduction(x, dims[0], keepdim);
  const Shape& shape = x->shape();
  const std::vector<bool> reduced = reduced_dims(name, shape, dims);
  if (std::all_of(reduced.begin(), reduced.end(), [](bool is) { return is; })) return reduction(x, kAllDims, keepdim);
  std::vector<int> order, last;
  Shape kept, result;
  for (int i = 0; i < shape.rank(); ++i) {
    const bool drop = reduced[static_cast<size_t>(i)];
    (drop ? last : order).push_back(i);
    if (!drop) kept.push_back(shape[i]);
    if (!drop || keepdim) result.push_back(drop ? 1 : shape[i]);
  }
  kept.push_back(1);
  for (int i : last) kept[kept.rank() - 1] *= shape[i];
  order.insert(order.end(), last.begin(), last.end());
  return reshape(reduction(reshape(permute(x, order), kept), -1, false), result);
}

// NumPy reduces integers, and anything without a `floating` function; a mean needs floats.
TensorPtr reduce(const char* name, AlongDim floating, const TensorPtr& x, const Dims& given, bool keepdim) {
  if (floating == nullptr) return reduced_by_numpy(name, x, given, keepdim);
  const bool all = given.all || given.dims.rank() == 0;
  if (!is_floating(x->dtype()) && floating != AlongDim(&mean))
    return reduced_by_numpy(name, x, {all, given.dims}, keepdim);
  return all ? floating(x, kAllDims, keepdim) : reduce_dims(name, floating, x, given.dims, keepdim);
}

Dims dims_of(Dim dim) {
  return dim ? Dims{false, {*dim}} : Dims{};
}

py::object extreme_of(const TensorPtr& x, Dim dim, bool keepdim, bool largest) {
  const Dims d = dims_of(dim);
  const TensorPtr values = reduce(largest ? "max" : "min", largest ? &max : &min, x, d, keepdim);
  if (!dim) return py::cast(values);
  static const py::handle kPair =
      py::module_::import("collections").attr("namedtuple")("extreme", "values indices").release();
  return py::reinterpret_borrow<py::object>(kPair)(values,
                                                   reduced_by_numpy(largest ? "argmax" : "argmin", x, d, keepdim));
}

}  // namespace

void define_reductions(TensorClass& tensor) {
  const auto dim = py::arg("dim") = py::none();
  const auto keepdim = py::arg("keepdim") = false;
  const auto dtype = py::arg("dtype") = py::none();
  for (const auto& [name, reduction] : {std::pair<const char*, AlongDim>{"sum", &sum}, {"mean", &mean}})
    tensor.def(
        name,
        [name = name, reduction = reduction](const TensorPtr& x, const Dims& d, bool keep, py::handle type) {
          if (type.is_none()) return reduce(name, reduction, x, d, keep);
          const DType wanted = dtype_from(type);
          return cast(reduce(name, reduction, cast(x, wanted), d, keep), wanted);
        },
        dim, keepdim, py::kw_only(), dtype);
  for (const auto& [name, reduction] :
       {std::pair<const char*, AlongDim>{"amax", &amax}, {"amin", &amin}, {"any", nullptr}, {"all", nullptr}})
    tensor.def(
        name,
        [name = name, reduction = reduction](const TensorPtr& x, const Dims& d, bool keep) {
          return reduce(name, reduction, x, d, keep);
        },
        dim, keepdim);
  for (const char* name : {"argmax", "argmin"})
    tensor.def(
        name, [name](const TensorPtr& x, Dim d, bool keep) { return reduced_by_numpy(name, x, dims_of(d), keep); }, dim,
        keepdim);
  for (const auto& [name, operation] : {std::pair{"max", "maximum"}, std::pair{"min", "minimum"}}) {
    const int index = binary_index(operation);
    tensor.def(
        name, [index](const TensorPtr& x, const TensorPtr& other) { return arithmetic(index, x, other); },
        py::arg("other").none(false));
    const bool largest = std::string_view(name) == "max";
    tensor.def(
        name, [largest](const TensorPtr& x, Dim d, bool keep) { return extreme_of(x, d, keep, largest); }, dim,
        keepdim);
  }
  for (const auto& [name, function] : {std::pair{"softmax", &softmax}, std::pair{"log_softmax", &log_softmax}})
    tensor.def(
        name,
        [function = function](const TensorPtr& x, int64_t d, py::handle type) {
          return function(type.is_none() ? x : cast(x, dtype_from(type)), d);
        },
        py::arg("dim"), dtype);
}

}  // namespace nnlite
