// tensor[...]: integers, slices, None, ... and integer or boolean arrays, with NumPy's meaning.
#include "bindings/indexing.hpp"

#include "autograd/operations.hpp"

namespace nnlite {
namespace {

bool is_array_index(py::handle item) {
  return is_tensor(item) || py::isinstance<py::array>(item) || py::isinstance<py::list>(item);
}

// A boolean mask stands for the dimensions it covers: its nonzero positions, one integer array for each.
py::list expanded(const py::tuple& items) {
  const py::module_ numpy = py::module_::import("numpy");
  py::list out;
  for (py::handle item : items) {
    if (!is_array_index(item)) {
      out.append(item);
      continue;
    }
    const py::array array =
        is_tensor(item) ? numpy_view(item.cast<TensorPtr>()) : py::array(numpy.attr("asarray")(item));
    if (array.dtype().kind() == 'b')
      for (py::handle positions : numpy.attr("nonzero")(array)) out.append(positions);
    else
      out.append(array);
  }
  return out;
}

// The basic part of an index: slices of every dimension and the shape that is left.
struct BasicIndex {
  std::vector<Slice> slices;
  Shape shape;                                     // after dropping integers and adding None
  std::vector<std::pair<int, py::object>> arrays;  // dimension of `shape`, positions

  BasicIndex(const Shape& x, const py::list& items) {
    int used = 0;
    bool ellipsis = false;
    for (py::handle item : items) {
      if (item.is(py::ellipsis()))
        ellipsis = true;
      else if (!item.is_none())
        ++used;
    }
    if (used > x.rank()) throw py::index_error(text("too many indices for a tensor of shape ", x));
    int dim = 0;
    for (py::handle item : items) {
      if (item.is_none()) {
        shape.push_back(1);
      } else if (item.is(py::ellipsis())) {
        for (int rest = x.rank() - used; rest > 0; --rest) keep(x[dim++]);
      } else {
        add(x, dim++, item);
      }
    }
    if (!ellipsis)
      while (dim < x.rank()) keep(x[dim++]);
  }

 private:
  void keep(int64_t size) {
    slices.push_back({0, 1, size});
    shape.push_back(size);
  }

  void add(const Shape& x, int dim, py::handle item) {
    const int64_t size = x[dim];
    if (PySlice_Check(item.ptr())) {
      py::ssize_t start = 0, stop = 0, step = 0, count = 0;
      if (!py::reinterpret_borrow<py::slice>(item).compute(size, &start, &stop, &step, &count))
        throw py::error_already_set();
      slices.push_back({start, step, count});
      shape.push_back(count);
    } else if (is_array_index(item)) {
      arrays.emplace_back(shape.rank(), py::reinterpret_borrow<py::object>(item));
      keep(size);
    } else if (PyIndex_Check(item.ptr())) {
      const auto index = py::int_(py::reinterpret_borrow<py::object>(item)).cast<int64_t>();
      if (index < -size || index >= size)
        throw py::index_error(
            text("index ", index, " is out of range for dimension ", dim, " of a tensor of shape ", x));
      slices.push_back({index < 0 ? index + size : index, 1, 1});
    } else {
      throw TypeError(text("a tensor is indexed by integers, slices, None, ... or integer arrays, not by ",
                           py::str(py::type::of(item)).cast<std::string>()));
    }
  }
};

// Several integer arrays address their dimensions together: those become one dimension and the arrays one of flat
// positions.
TensorPtr take_arrays(TensorPtr x, const std::vector<std::pair<int, py::object>>& arrays) {
  if (arrays.size() == 1) return take(x, index_operand(arrays[0].second), arrays[0].first);
  const py::module_ numpy = py::module_::import("numpy");
  std::vector<int> order;
  bool adjacent = true;
  for (size_t i = 1; i < arrays.size(); ++i) adjacent &= arrays[i].first == arrays[i - 1].first + 1;
  const int first = adjacent ? arrays[0].first : 0;
  std::vector<bool> indexed(static_cast<size_t>(x->shape().rank()), false);
  for (const auto& array : arrays) indexed[static_cast<size_t>(array.first)] = true;
  for (int i = 0; i < x->shape().rank(); ++i) {
    if (static_cast<int>(order.size()) == first)
      for (const auto& array : arrays) order.push_back(array.first);
    if (!indexed[static_cast<size_t>(i)]) order.push_back(i);
  }
  if (static_cast<int>(order.size()) == first)
    for (const auto& array : arrays) order.push_back(array.first);
  x = permute(x, order);

  py::tuple sizes(arrays.size()), positions(arrays.size());
  Shape merged;
  int64_t flat = 1;
  for (int i = 0; i < first; ++i) merged.push_back(x->shape()[i]);
  for (size_t i = 0; i < arrays.size(); ++i) {
    const int64_t size = x->shape()[first + static_cast<int>(i)];
    const py::array array(numpy.attr("asarray")(arrays[i].second));
    if (array.size() > 0 &&
        (array.attr("min")().cast<int64_t>() < -size || array.attr("max")().cast<int64_t>() >= size))
      throw py::index_error(text("an index is out of range for dimension ", arrays[i].first, " of size ", size));
    positions[i] = numpy.attr("where")(array.attr("__lt__")(0), array.attr("__add__")(size), array);
    sizes[i] = size;
    flat *= size;
  }
  merged.push_back(flat);
  for (int i = first + static_cast<int>(arrays.size()); i < x->shape().rank(); ++i) merged.push_back(x->shape()[i]);
  const py::object broadcast = py::tuple(numpy.attr("broadcast_arrays")(*positions));
  return take(reshape(x, merged), index_operand(numpy.attr("ravel_multi_index")(broadcast, sizes)), first);
}

}  // namespace

TensorPtr index_tensor(const TensorPtr& x, py::handle key) {
  const py::tuple items = py::isinstance<py::tuple>(key) ? py::reinterpret_borrow<py::tuple>(key) : py::make_tuple(key);
  const BasicIndex index(x->shape(), expanded(items));
  bool whole = true;
  for (int i = 0; i < x->shape().rank(); ++i) {
    const Slice& slice = index.slices[static_cast<size_t>(i)];
    whole &= slice.start == 0 && slice.step == 1 && slice.count == x->shape()[i];
  }
  const TensorPtr selected = reshape(whole ? x : slice(x, index.slices), index.shape);
  return index.arrays.empty() ? selected : take_arrays(selected, index.arrays);
}

}  // namespace nnlite
