// Conversions between Python values and tensors.
#include <algorithm>
#include <cstring>

#include "autograd/operations.hpp"
#include "bindings/bindings.hpp"

namespace nnlite {
namespace {

// A tensor may outlive the interpreter, so that its array cannot be released.
StoragePtr shared_memory(const py::array& array) {
  PyObject* owner = py::object(array).release().ptr();
  return std::make_shared<Storage>(const_cast<void*>(array.data()), [owner] {
    if (!Py_IsInitialized()) return;
    with_gil([owner] { Py_DECREF(owner); });
  });
}

py::array as_numpy(py::handle value) {
  const py::array array = py::array::ensure(value);
  const bool foreign = array && array.dtype().kind() == 'O' && py::hasattr(value, "__dlpack__");
  if (array && !foreign) return array;
  try {  // again, because ensure() discards the error
    return py::module_::import("numpy").attr(foreign ? "from_dlpack" : "asarray")(value);
  } catch (const py::error_already_set& error) {
    throw TypeError(text("cannot make a tensor of a ", py::str(py::type::of(value)).cast<std::string>(), ": ",
                         py::str(error.value()).cast<std::string>()));
  }
}

// Whether the value specifies the type of its elements (an array, a Series, another library's tensor, a buffer), unlike
// Python's numbers, lists and tuples.
bool has_own_dtype(py::handle value) {
  if (py::isinstance<py::array>(value) || py::hasattr(value, "dtype")) return true;
  if (PyList_Check(value.ptr()) || PyTuple_Check(value.ptr()) || PyFloat_Check(value.ptr())) return false;
  if (PyObject_CheckBuffer(value.ptr()) != 0) return true;
  return py::hasattr(value, "__array__") || py::hasattr(value, "__array_interface__") ||
         py::hasattr(value, "__dlpack__");
}

[[noreturn]] void refuse_dtype(const py::array& array) {
  throw TypeError(text("cannot make a tensor of an array of dtype ", py::str(array.dtype()).cast<std::string>(),
                       " and shape ", py::str(array.attr("shape")).cast<std::string>(),
                       "; convert it to float32, float64 or an integer type first"));
}

// The array with element type `dtype`, contiguous, aligned and native; itself if it is that already. With `writeable`,
// read-only memory (a memory map, bytes, another library's immutable array) is copied.
py::array conform(const py::array& array, DType dtype, bool writeable) {
  using Flags = py::detail::npy_api;
  constexpr int kReadable = py::array::c_style | Flags::NPY_ARRAY_ALIGNED_;  // dtype identity covers the byte order
  const int wanted = writeable ? kReadable | Flags::NPY_ARRAY_WRITEABLE_ : kReadable;
  const bool ready = array.dtype().is(numpy_dtype(dtype)) && (array.flags() & wanted) == wanted;
  if (ready) return array;
  // ascontiguousarray would accept unaligned memory.
  const char* requirements = writeable ? "CAW" : "CA";
  return py::array(py::module_::import("numpy").attr("require")(array, numpy_dtype(dtype), requirements));
}

TensorPtr share(const py::array& array, DType dtype) {
  const py::array ready = conform(array, dtype, true);
  return std::make_shared<Tensor>(shape_of(array), dtype, shared_memory(ready));
}

DType floating_dtype(const py::array& array, std::optional<DType> like) {
  if (like && is_floating(*like)) return *like;
  return array.dtype().kind() == 'f' && array.dtype().itemsize() >= 8 ? DType::float64 : DType::float32;
}

bool is_integer_kind(char kind) {
  return kind == 'i' || kind == 'u';
}

void require_number(const py::array& array) {
  if (std::strchr("fiub", array.dtype().kind()) == nullptr) refuse_dtype(array);
}

TensorPtr integer(py::handle value) {
  const auto number = std::make_shared<Tensor>(Shape{}, DType::int64);
  *number->array().as<int64_t>() = PyLong_AsLongLong(value.ptr());
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  return number;
}

DType own_dtype(const py::array& array) {
  const char kind = array.dtype().kind();
  return kind == 'f' ? floating_dtype(array, std::nullopt) : kind == 'b' ? DType::boolean : DType::int64;
}

// Unsigned values beyond int64 are refused, not wrapped.
void require_fits(const py::array& array) {
  if (array.dtype().kind() != 'u' || array.dtype().itemsize() < 8 || array.size() == 0) return;
  if (array.attr("max")().cast<unsigned long long>() > static_cast<unsigned long long>(INT64_MAX))
    throw std::invalid_argument("an unsigned integer of the array is too large for int64");
}

}  // namespace

bool is_tensor(py::handle value) {
  return py::isinstance<Tensor>(value);
}

bool is_arithmetic(py::handle value) {
  return is_tensor(value) || PyFloat_Check(value.ptr()) || PyLong_Check(value.ptr()) ||
         py::isinstance<py::array>(value) || py::hasattr(value, "__array__") || py::isinstance<py::list>(value) ||
         py::isinstance<py::tuple>(value);
}

py::dtype numpy_dtype(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return py::dtype::of<float>();
    case DType::float64:
      return py::dtype::of<double>();
    case DType::int64:
      return py::dtype::of<int64_t>();
    default:
      return py::dtype::of<bool>();
  }
}

DType dtype_from(py::handle dtype) {
  const py::dtype wanted = py::dtype::from_args(py::reinterpret_borrow<py::object>(dtype));
  for (DType known : {DType::float32, DType::float64, DType::int64, DType::boolean})
    if (wanted.is(numpy_dtype(known)) || wanted.equal(numpy_dtype(known))) return known;
  if (is_integer_kind(wanted.kind())) return DType::int64;
  throw TypeError(
      text("dtype ", py::str(wanted).cast<std::string>(), " is not supported; use float32, float64, int64 or bool"));
}

Shape shape_of(const py::array& array) {
  Shape shape;
  for (py::ssize_t i = 0; i < array.ndim(); ++i) shape.push_back(array.shape(i));
  return shape;
}

Shape shape_from(py::handle sizes) {
  const auto size_from = [](py::handle size) -> int64_t {
    if (PyIndex_Check(size.ptr()) == 0)
      throw TypeError(text("a shape consists of integers, got ", py::repr(py::type::of(size)).cast<std::string>()));
    const Py_ssize_t number = PyNumber_AsSsize_t(size.ptr(), PyExc_OverflowError);
    if (number == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
    return number;
  };
  Shape shape;
  if (PyIndex_Check(sizes.ptr()) != 0 || PySequence_Check(sizes.ptr()) == 0)
    shape.push_back(size_from(sizes));
  else
    for (py::handle size : sizes) shape.push_back(size_from(size));
  return shape;
}

Shape shape_from_args(const py::args& sizes) {
  return sizes.size() == 1 ? shape_from(sizes[0]) : shape_from(sizes);
}

py::tuple tuple_of(const Shape& shape) {
  py::tuple sizes(static_cast<size_t>(shape.rank()));
  for (int i = 0; i < shape.rank(); ++i) sizes[static_cast<size_t>(i)] = shape[i];
  return sizes;
}

// The view is owned by a separate tensor, because `x` may be given other memory.
py::array numpy_view(const TensorPtr& x) {
  x->values();  // throws if there are none
  const TensorPtr owner = detached(x);
  const Array& array = owner->array();
  return py::array(numpy_dtype(array.dtype), std::vector<py::ssize_t>(array.shape.begin(), array.shape.end()),
                   array.data, py::cast(owner));
}

TensorPtr detached(const TensorPtr& x) {
  return detach(x);
}

py::object plain_array(const TensorPtr& x) {
  return numpy_view(detached(x));
}

TensorPtr operand(py::handle value, std::optional<DType> like) {
  if (is_tensor(value)) return value.cast<TensorPtr>();
  const bool whole = like && !is_floating(*like);
  if (whole && PyBool_Check(value.ptr())) return full({}, DType::boolean, value.ptr() == Py_True);
  if (whole && PyLong_Check(value.ptr())) return integer(value);
  if (PyFloat_Check(value.ptr()) || PyLong_Check(value.ptr()))
    return full({}, whole ? DType::float32 : like.value_or(DType::float32), value.cast<double>());
  if (whole) return as_tensor(value);
  const py::array array = as_numpy(value);
  require_number(array);
  if (!like && !has_own_dtype(value)) return share(array, DType::float32);
  return share(array, floating_dtype(array, like));
}

double number_option(const char* function, const char* option, py::handle value) {
  if (PyFloat_CheckExact(value.ptr())) return PyFloat_AS_DOUBLE(value.ptr());
  if (is_tensor(value) && value.cast<const Tensor&>().requires_grad())
    throw TypeError(text(function, ": ", option, " is a tensor that requires a gradient but would get none; pass ",
                         option, ".item(), or write the function with operations on tensors"));
  try {
    return value.cast<double>();
  } catch (const py::cast_error&) {
    throw TypeError(text(function, ": ", option, " must be a number, got ",
                         py::str(py::type::handle_of(value).attr("__name__")).cast<std::string>()));
  }
}

TensorPtr optional_operand(py::handle value, std::optional<DType> like) {
  return value.is_none() ? nullptr : operand(value, like);
}

TensorPtr new_tensor(py::handle value, std::optional<DType> dtype) {
  const bool listed = !has_own_dtype(value);
  const py::array array = is_tensor(value) ? numpy_view(value.cast<TensorPtr>()) : as_numpy(value);
  require_number(array);
  if (!dtype) dtype = listed && array.dtype().kind() == 'f' ? DType::float32 : own_dtype(array);
  if (*dtype == DType::int64) require_fits(array);
  auto tensor = std::make_shared<Tensor>(shape_of(array), *dtype);
  const py::array ready = conform(array, *dtype, false);
  std::copy_n(static_cast<const char*>(ready.data()), tensor->array().bytes(), tensor->array().as<char>());
  return tensor;
}

TensorPtr target_operand(py::handle value, DType like) {
  if (is_tensor(value)) {
    const auto x = value.cast<TensorPtr>();
    return x->dtype() == DType::boolean ? cast(x, DType::int64) : x;
  }
  const py::array array = as_numpy(value);
  require_number(array);
  require_fits(array);
  return share(array, array.dtype().kind() == 'f' ? like : DType::int64);
}

TensorPtr as_tensor(py::handle value) {
  if (is_tensor(value)) return value.cast<TensorPtr>();
  const bool listed = !has_own_dtype(value);
  const py::array array = as_numpy(value);
  require_number(array);
  require_fits(array);
  return share(array, listed && array.dtype().kind() == 'f' ? DType::float32 : own_dtype(array));
}

TensorPtr index_operand(py::handle value) {
  if (is_tensor(value)) return value.cast<TensorPtr>();
  const py::array array = as_numpy(value);
  if (array.size() > 0 && array.dtype().kind() != 'i' && array.dtype().kind() != 'u')
    throw TypeError(text("indices must be integers, got dtype ", py::str(array.dtype()).cast<std::string>()));
  require_fits(array);
  return share(array, DType::int64);
}

std::optional<DType> common_dtype(std::initializer_list<py::handle> values) {
  std::optional<DType> common;
  for (py::handle value : values) {
    if (!is_tensor(value)) continue;
    const DType dtype = value.cast<const Tensor&>().dtype();
    common = common ? std::max(*common, dtype) : dtype;
  }
  return common;
}

}  // namespace nnlite
