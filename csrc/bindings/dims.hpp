// The dimensions that a reduction drops: None, an integer or a sequence of integers.
#pragma once

#include "bindings/bindings.hpp"

namespace nnlite {

struct Dims {
  bool all = true;  // None
  Shape dims;
};

}  // namespace nnlite

namespace pybind11::detail {

template <>
struct type_caster<nnlite::Dims> {
  PYBIND11_TYPE_CASTER(nnlite::Dims,
                       const_name("typing.SupportsInt | collections.abc.Sequence[typing.SupportsInt] | None"));

  bool load(handle given, bool) {
    value.all = given.is_none();
    if (value.all) return true;
    if (PyIndex_Check(given.ptr()) != 0 || PySequence_Check(given.ptr()) == 0) return add(given);
    for (handle dim : given)
      if (!add(dim)) return false;
    return true;
  }

 private:
  bool add(handle dim) {
    const Py_ssize_t number = PyIndex_Check(dim.ptr()) ? PyNumber_AsSsize_t(dim.ptr(), PyExc_OverflowError) : -1;
    const bool failed = PyIndex_Check(dim.ptr()) == 0 || PyErr_Occurred() != nullptr;
    PyErr_Clear();
    if (!failed) value.dims.push_back(number);
    return !failed;
  }
};

}  // namespace pybind11::detail
