// The key of tensor[key].
#pragma once

#include "autograd/operations.hpp"
#include "bindings/bindings.hpp"

namespace nnlite {

// A key resolved against a shape: integers, slices, None, ... and integer or boolean arrays. NumPy and PyTorch agree on
// nearly every key. Where they differ, an integer beside a slice and arrays selects first, as in PyTorch; negative
// steps, NumPy's boolean scalars, and small integer types as indices work as in NumPy. Throws py::index_error for a
// value that is not an index, does not fit, or is out of range.
class Key {
 public:
  Key(const Shape& x, py::handle key);

  bool is_basic() const { return arrays_.empty(); }             // no arrays: a box of slices
  const std::vector<Slice>& slices() const { return slices_; }  // one per dimension of x
  const Shape& shape() const { return shape_; }                 // what a basic key selects
  Selection selection() const;                                  // what any key selects, element runs by position

 private:
  using Indices = py::array_t<int64_t, py::array::c_style | py::array::forcecast>;

  // An array of indices into the dimension `axis` of shape_.
  struct IndexArray {
    int axis;
    int64_t size;  // of the dimension that it indexes
    Indices indices;
  };

  void keep(const Slice& slice, int64_t stride);
  void add(py::handle item, const Shape& x, int& dim);
  void add_boolean(bool value);
  void add_array(const py::array& array, const Shape& x, int& dim);
  void add_mask(const py::array& mask, const Shape& x, int& dim);
  void add_indices(const py::array& indices, const Shape& x, int& dim);
  void add_integer(py::handle item, const Shape& x, int& dim);
  bool selects_nothing() const;
  std::vector<int64_t> array_offsets(Shape& shape) const;

  std::vector<Slice> slices_;
  Shape shape_;
  std::vector<int64_t> strides_;  // in x, of each dimension of shape_
  int64_t offset_ = 0;            // in x, of the first element
  std::vector<IndexArray> arrays_;
};

TensorPtr as_view(const TensorPtr& result, const TensorPtr& x);
TensorPtr index_tensor(const TensorPtr& x, py::handle key);

}  // namespace nnlite
