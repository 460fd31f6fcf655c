#include "bindings/indexing.hpp"

#include <algorithm>

#include "autograd/in_place.hpp"

namespace nnlite {
namespace {

bool is_text(py::handle item) {
  return PyUnicode_Check(item.ptr()) || PyBytes_Check(item.ptr()) || PyByteArray_Check(item.ptr());
}

bool is_array_like(py::handle item) {
  if (PyLong_Check(item.ptr()) || PySlice_Check(item.ptr()) || item.is_none() || item.is(py::ellipsis())) return false;
  return py::hasattr(item, "dtype") || (PySequence_Check(item.ptr()) && !is_text(item));
}

[[noreturn]] void refuse(py::handle item) {
  throw py::index_error(
      text("a tensor is indexed by integers, slices, None, ... and integer or boolean arrays, not by ",
           py::str(py::type::of(item)).cast<std::string>()));
}

py::array index_array(py::handle item) {
  const bool listed = !py::hasattr(item, "dtype");
  py::array array = is_tensor(item) ? numpy_view(item.cast<TensorPtr>())
                                    : py::array(py::module_::import("numpy").attr("asarray")(item));
  if (listed && array.size() == 0 && array.dtype().kind() == 'f') array = array.attr("astype")("int64");  // []
  if (listed && array.dtype().kind() == 'O') refuse(item);
  if (std::string("biu").find(array.dtype().kind()) == std::string::npos)
    throw py::index_error(text("arrays used as indices must hold integers or booleans, got dtype ",
                               py::str(array.dtype()).cast<std::string>()));
  return array;
}

// The items of a key, everything array-like as an array.
std::vector<py::object> items_of(py::handle key) {
  std::vector<py::object> items;
  if (py::isinstance<py::tuple>(key))
    for (py::handle item : key) items.push_back(py::reinterpret_borrow<py::object>(item));
  else
    items.push_back(py::reinterpret_borrow<py::object>(key));
  for (py::object& item : items)
    if (is_array_like(item)) item = index_array(item);
  return items;
}

bool is_boolean(py::handle item) {
  if (py::isinstance<py::array>(item)) return py::reinterpret_borrow<py::array>(item).dtype().kind() == 'b';
  return PyBool_Check(item.ptr());
}

// The number of the tensor's dimensions that an item indexes.
int dims_taken(py::handle item) {
  if (item.is_none() || item.is(py::ellipsis())) return 0;
  if (!is_boolean(item)) return 1;
  return py::isinstance<py::array>(item) ? static_cast<int>(py::reinterpret_borrow<py::array>(item).ndim()) : 0;
}

}  // namespace

Key::Key(const Shape& x, py::handle key) {
  const std::vector<py::object> items = items_of(key);
  int taken = 0, ellipses = 0;
  for (const py::object& item : items) taken += dims_taken(item), ellipses += item.is(py::ellipsis());
  if (taken > x.rank()) throw py::index_error(text("too many indices (", taken, ") for a tensor of shape ", x));
  if (ellipses > 1) throw py::index_error("an index can only have a single ellipsis ('...')");
  int dim = 0;
  const auto keep_whole = [&](int count) {
    for (; count > 0; --count, ++dim) keep({0, 1, x[dim]}, x.count(dim + 1, x.rank()));
  };
  for (const py::object& item : items) {
    if (item.is(py::ellipsis()))
      keep_whole(x.rank() - taken);
    else
      add(item, x, dim);
  }
  keep_whole(x.rank() - dim);
}

void Key::keep(const Slice& slice, int64_t stride) {
  slices_.push_back(slice);
  shape_.push_back(slice.count);
  strides_.push_back(slice.step * stride);
  offset_ += slice.start * stride;
}

void Key::add(py::handle item, const Shape& x, int& dim) {
  if (item.is_none()) {
    shape_.push_back(1);
    strides_.push_back(0);
  } else if (py::isinstance<py::array>(item)) {
    add_array(py::reinterpret_borrow<py::array>(item), x, dim);
  } else if (is_boolean(item)) {
    add_boolean(py::bool_(py::reinterpret_borrow<py::object>(item)));
  } else if (PySlice_Check(item.ptr())) {
    py::ssize_t start = 0, stop = 0, step = 0, count = 0;
    if (!py::reinterpret_borrow<py::slice>(item).compute(x[dim], &start, &stop, &step, &count))
      throw py::error_already_set();
    keep({start, step, count}, x.count(dim + 1, x.rank()));
    ++dim;
  } else if (PyIndex_Check(item.ptr())) {
    add_integer(item, x, dim);
  } else {
    refuse(item);
  }
}

// True adds a dimension of size 1, False one of size 0.
void Key::add_boolean(bool value) {
  Indices positions(value ? 1 : 0);
  if (value) *positions.mutable_data() = 0;
  arrays_.push_back({shape_.rank(), 1, positions});
  shape_.push_back(1);
  strides_.push_back(0);
}

void Key::add_array(const py::array& array, const Shape& x, int& dim) {
  if (array.dtype().kind() != 'b')
    add_indices(array, x, dim);
  else if (array.ndim() == 0)
    add_boolean(array.attr("__bool__")().cast<bool>());
  else
    add_mask(array, x, dim);
}

// A mask stands for one integer array per dimension it covers: the positions of its true elements.
void Key::add_mask(const py::array& mask, const Shape& x, int& dim) {
  for (int i = 0; i < mask.ndim(); ++i)
    if (mask.shape(i) != x[dim + i])
      throw py::index_error(text("a boolean mask of shape ", py::str(mask.attr("shape")).cast<std::string>(),
                                 " does not fit the dimensions from ", dim, " on of a tensor of shape ", x));
  for (py::handle positions : mask.attr("nonzero")()) add_indices(py::reinterpret_borrow<py::array>(positions), x, dim);
}

void Key::add_indices(const py::array& indices, const Shape& x, int& dim) {
  if (indices.ndim() == 0) return add_integer(indices.attr("item")(), x, dim);
  if (indices.dtype().kind() == 'u' && indices.size() > 0 && py::int_(indices.attr("max")()) > py::int_(INT64_MAX))
    throw py::index_error("an index is too large");
  arrays_.push_back({shape_.rank(), x[dim], Indices(indices)});
  keep({0, 1, x[dim]}, x.count(dim + 1, x.rank()));
  ++dim;
}

void Key::add_integer(py::handle item, const Shape& x, int& dim) {
  const py::ssize_t index = PyNumber_AsSsize_t(item.ptr(), PyExc_IndexError);
  if (index == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  const int64_t size = x[dim];
  if (index < -size || index >= size)
    throw py::index_error(text("index ", index, " is out of range for dimension ", dim, " of a tensor of shape ", x));
  slices_.push_back({index < 0 ? index + size : index, 1, 1});
  offset_ += slices_.back().start * x.count(dim + 1, x.rank());
  ++dim;
}

// Arrays index their dimensions together. Sets their common shape; returns each of its elements' offset in x.
std::vector<int64_t> Key::array_offsets(Shape& shape) const {
  try {
    for (const IndexArray& array : arrays_) shape = broadcast_shape("index", shape, shape_of(array.indices));
  } catch (const std::invalid_argument& error) {
    throw py::index_error(error.what());
  }
  std::vector<int64_t> offsets(static_cast<size_t>(shape.size()), 0);
  if (selects_nothing()) return offsets;  // indices are not checked then, as in PyTorch
  for (const IndexArray& array : arrays_) {
    const Indices all(py::module_::import("numpy").attr("broadcast_to")(array.indices, tuple_of(shape)));
    const int64_t stride = strides_[static_cast<size_t>(array.axis)];
    for (size_t i = 0; i < offsets.size(); ++i) {
      const int64_t index = all.data()[i];
      if (index < -array.size || index >= array.size)
        throw py::index_error(
            text("index ", index, " at position ", i, " is out of range for a dimension of size ", array.size));
      offsets[i] += (index < 0 ? index + array.size : index) * stride;
    }
  }
  return offsets;
}

bool Key::selects_nothing() const {
  for (int i = 0; i < shape_.rank(); ++i) {
    const bool indexed =
        std::any_of(arrays_.begin(), arrays_.end(), [i](const IndexArray& array) { return array.axis == i; });
    if (!indexed && shape_[i] == 0) return true;
  }
  return false;
}

// The common shape of adjacent arrays takes their place; that of others comes first.
Selection Key::selection() const {
  bool adjacent = true;
  for (size_t i = 1; i < arrays_.size(); ++i) adjacent &= arrays_[i].axis == arrays_[i - 1].axis + 1;
  std::vector<bool> indexed(strides_.size(), false);
  for (const IndexArray& array : arrays_) indexed[static_cast<size_t>(array.axis)] = true;
  const int begin = !arrays_.empty() && adjacent ? arrays_[0].axis : 0;
  Selection selection(offset_);
  int last = shape_.rank();
  for (; last > begin && !indexed[static_cast<size_t>(last - 1)]; --last) {
    if (shape_[last - 1] != 1 && strides_[static_cast<size_t>(last - 1)] != selection.run) break;
    selection.run *= shape_[last - 1];
  }
  const auto add_dims = [&](int first, int last) {
    for (int i = first; i < last; ++i)
      if (!indexed[static_cast<size_t>(i)]) selection.add_dim(shape_[i], strides_[static_cast<size_t>(i)]);
  };
  add_dims(0, begin);
  if (!arrays_.empty()) {
    Shape shape;
    selection.add_offsets(array_offsets(shape), shape);
  }
  add_dims(begin, last);
  for (; last < shape_.rank(); ++last) selection.shape.push_back(shape_[last]);
  if (selection.run == 0) selection.starts.clear();
  return selection;
}

// A view is a separate object even if it covers all of x.
TensorPtr as_view(const TensorPtr& result, const TensorPtr& x) {
  return result == x ? view(x, 0, x->shape()) : result;
}

TensorPtr index_tensor(const TensorPtr& x, py::handle key) {
  const Key resolved(x->shape(), key);
  if (!resolved.is_basic()) return gather(x, resolved.selection());
  const TensorPtr part = as_view(slice(x, resolved.slices(), resolved.shape()), x);
  stand_for_view(part, x, resolved.slices());
  return part;
}

}  // namespace nnlite
