// The Tensor class.
#include "autograd/in_place.hpp"
#include "autograd/operations.hpp"
#include "autograd/trace.hpp"
#include "bindings/by_numpy.hpp"
#include "runtime/dispatch.hpp"

namespace nnlite {
namespace {

py::object number_of(const TensorPtr& x) {
  if (x->array().size() != 1)
    throw std::invalid_argument(text("only a tensor of one element has an item(), this one has shape ", x->shape()));
  const Array& array = x->values();
  if (array.dtype == DType::int64) return py::int_(*array.as<int64_t>());
  if (array.dtype == DType::boolean) return py::bool_(*array.as<uint8_t>() != 0);
  return py::float_(dispatch(array.dtype, [&](auto zero) { return static_cast<double>(*array.as<decltype(zero)>()); }));
}

py::array numpy_of(const TensorPtr& x) {
  refresh(x);
  if (x->requires_grad() && Trace::current() == nullptr)
    throw std::runtime_error(
        "a tensor that requires a gradient cannot be converted to an array; use tensor.detach().numpy()");
  return numpy_view(x);
}

py::object array_protocol(const TensorPtr& x, const py::object& dtype, const py::object& copy) {
  const py::object array = numpy_of(x);
  const bool wanted = !copy.is_none() && copy.cast<bool>();
  if (!copy.is_none() && !wanted && !dtype.is_none() && !py::dtype::from_args(dtype).equal(array.attr("dtype")))
    throw std::invalid_argument("Unable to avoid copy while creating an array as requested.");
  if (dtype.is_none()) return wanted ? array.attr("copy")() : array;
  return array.attr("astype")(dtype, py::arg("copy") = wanted);
}

TensorPtr cloned(const TensorPtr& x) {
  return is_floating(x->dtype()) ? unary("scale", x, 1.0) : gather(x, everything(x->shape()));
}

std::string repr_of(const TensorPtr& x) {
  refresh(x);
  std::string values = x->trace_number != 0
                           ? text("shape ", x->shape(), ", traced")
                           : py::module_::import("numpy")
                                 .attr("array2string")(plain_array(x), py::arg("separator") = ", ",
                                                       py::arg("precision") = 4, py::arg("prefix") = "tensor(")
                                 .cast<std::string>();
  if (x->dtype() == DType::float64) values += ", dtype=float64";
  if (!x->is_leaf()) values += text(", grad_fn=<", gradient_name(*x->node), '>');
  if (x->node == nullptr && x->requires_grad()) values += ", requires_grad=True";
  return "tensor(" + values + ")";
}

void define_arithmetic(TensorClass& tensor, const char* name, const char* reflected, const char* kernel) {
  const int index = binary_index(kernel);
  const auto forward = [index](const TensorPtr& x, py::handle other) -> py::object {
    if (!is_arithmetic(other)) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
    return py::cast(arithmetic(index, x, operand(other, x->dtype())));
  };
  tensor.def(name, forward);
  tensor.def(reflected, [index](const TensorPtr& x, py::handle other) -> py::object {
    if (!is_arithmetic(other)) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
    return py::cast(arithmetic(index, operand(other, x->dtype()), x));
  });
}

void define_properties(TensorClass& tensor) {
  tensor.def_property_readonly("shape", [](const TensorPtr& x) { return tuple_of(x->shape()); });
  tensor.def_property_readonly("ndim", [](const TensorPtr& x) { return x->shape().rank(); });
  tensor.def_property_readonly("dtype", [](const TensorPtr& x) { return numpy_dtype(x->dtype()); });
  tensor.def_property_readonly("is_leaf", [](const TensorPtr& x) {
    refresh(x);
    return x->is_leaf();
  });
  tensor.def_property(
      "requires_grad",
      [](const TensorPtr& x) {
        refresh(x);
        return x->requires_grad();
      },
      &Tensor::set_requires_grad);
  tensor.def_property(
      "grad", [](const TensorPtr& x) { return x->grad; },
      [](const TensorPtr& x, const std::optional<TensorPtr>& given) {
        const TensorPtr grad = given.value_or(nullptr);
        if (grad != nullptr && (grad->shape() != x->shape() || grad->dtype() != x->dtype()))
          throw std::invalid_argument(text("grad is ", name_of(grad->dtype()), grad->shape(), ", its tensor ",
                                           name_of(x->dtype()), x->shape(),
                                           ": they must have the same shape and type"));
        if (grad != nullptr) grad->values();
        if (grad != nullptr && Trace::current() != nullptr)
          throw CaptureError("a tensor's grad is set in a traced forward pass; pass compile=False");
        x->grad = grad;
      });
  tensor.def_property("data", &detached, [](const TensorPtr& x, py::handle value) {
    if (!is_tensor(value))
      throw TypeError(text("data must be a Tensor, got ", py::type::of(value).attr("__name__").cast<std::string>(),
                           "; create one with nl.tensor"));
    const auto& other = value.cast<const Tensor&>();
    between_operations([&] { x->set_data(other); });
  });
  for (const char* name : {"numel", "nelement"}) tensor.def(name, [](const TensorPtr& x) { return x->array().size(); });
  tensor.def("dim", [](const TensorPtr& x) { return x->shape().rank(); });
  tensor.def(
      "size",
      [](const TensorPtr& x, std::optional<int64_t> dim) -> py::object {
        if (!dim) return tuple_of(x->shape());
        return py::int_(x->shape()[normalized_dim("size", *dim, x->shape().rank())]);
      },
      py::arg("dim") = py::none());
  tensor.def("__len__", [](const TensorPtr& x) {
    if (x->shape().rank() == 0) throw TypeError("a single value has no length");
    return x->shape()[0];
  });
}

void define_values(TensorClass& tensor) {
  tensor.def("numpy", &numpy_of);
  tensor.def("__array__", &array_protocol, py::arg("dtype") = py::none(), py::arg("copy") = py::none());
  tensor.attr("__array_priority__") = 1000;  // array + tensor calls the tensor's operator
  tensor.def("__dlpack__",
             [](const TensorPtr& x, const py::kwargs& options) { return numpy_of(x).attr("__dlpack__")(**options); });
  tensor.def("__dlpack_device__", [](const TensorPtr&) { return py::make_tuple(1, 0); });
  tensor.def("item", &number_of);
  tensor.def("tolist", [](const TensorPtr& x) {
    x->values();
    return plain_array(x).attr("tolist")();
  });
  tensor.def("__float__", [](const TensorPtr& x) { return py::float_(number_of(x)); });
  tensor.def("__int__", [](const TensorPtr& x) {
    const py::object number = number_of(x);
    return PyBool_Check(number.ptr()) ? py::int_(number.cast<bool>() ? 1 : 0) : py::int_(number);
  });
  tensor.def("__index__", [](const TensorPtr& x) {
    if (x->dtype() != DType::int64) throw TypeError("only an int64 tensor of one element can be an index");
    return number_of(x);
  });
  tensor.def("__bool__", [](const TensorPtr& x) {
    if (x->array().size() != 1)
      throw std::runtime_error(
          text("the truth value of a tensor of shape ", x->shape(), " is ambiguous; use x.any() or x.all()"));
    return py::bool_(number_of(x));
  });
  tensor.def("__hash__", [](const TensorPtr& x) { return reinterpret_cast<std::uintptr_t>(x.get()) >> 4; });
  tensor.def("__format__", [](const TensorPtr& x, const std::string& spec) {
    // As in PyTorch, a single value reads as a number.
    if (spec.empty() && (x->shape().rank() > 0 || x->trace_number != 0)) return py::str(repr_of(x));
    return py::str(py::module_::import("builtins").attr("format")(number_of(x), spec));
  });
  tensor.def("__repr__", &repr_of);
  tensor.def("__reduce__", [](const py::object& self) -> py::tuple {
    const auto x = self.cast<TensorPtr>();
    if (x->trace_number != 0)  // a copy has no values either
      return py::make_tuple(py::module_::import("nnlite._core").attr("placeholder"),
                            py::make_tuple(tuple_of(x->shape()), numpy_dtype(x->dtype())));
    if (!x->is_leaf()) throw std::runtime_error("only leaves can be copied deeply or pickled; use detach() first");
    x->values();
    return py::make_tuple(py::type::of(self),
                          py::make_tuple(plain_array(x).attr("copy")(), py::none(), x->requires_grad()));
  });
  tensor.def("detach", &detached);
  tensor.def("clone", &cloned);
}

// Types, and the only device, the CPU.
void define_conversions(TensorClass& tensor) {
  tensor.def("to", [](const TensorPtr& x, const py::args& args, const py::kwargs& options) {
    const auto [dtype, copy] =
        py::module_::import("nnlite.devices").attr("requested")(*args, **options).cast<std::pair<py::object, bool>>();
    const TensorPtr converted = dtype.is_none() ? x : cast(x, dtype_from(dtype));
    return copy && converted == x ? cloned(x) : converted;
  });
  for (const auto& [name, dtype] :
       {std::pair{"float", DType::float32}, std::pair{"double", DType::float64}, std::pair{"long", DType::int64},
        std::pair{"int", DType::int64}, std::pair{"bool", DType::boolean}})
    tensor.def(name, [type = dtype](const TensorPtr& x) { return cast(x, type); });
  tensor.def(
      "type",
      [](const TensorPtr& x, const py::object& dtype) {
        if (!dtype.is_none()) return py::cast(cast(x, dtype_from(dtype)));
        constexpr const char* kNames[] = {"Bool", "Long", "Float", "Double"};  // by DType
        return py::object(py::str(text("nnlite.", kNames[static_cast<int>(x->dtype())], "Tensor")));
      },
      py::arg("dtype") = py::none());
  tensor.def(
      "type_as", [](const TensorPtr& x, const Tensor& other) { return cast(x, other.dtype()); }, py::arg("other"));
  tensor.def("cuda", [](const TensorPtr&, const py::args&, const py::kwargs&) {
    py::module_::import("nnlite.devices").attr("require_cpu")("cuda");
  });
  for (const char* name : {"cpu", "contiguous"}) tensor.def(name, [](const TensorPtr& x) { return x; });
  tensor.def("is_contiguous", [](const TensorPtr&) { return true; });
  tensor.def("is_floating_point", [](const TensorPtr& x) { return is_floating(x->dtype()); });
  tensor.def("element_size", [](const TensorPtr& x) { return size_of(x->dtype()); });
  tensor.def_property_readonly(
      "device", [](const TensorPtr&) { return py::module_::import("nnlite.devices").attr("device")("cpu"); });
}

void define_gradients(TensorClass& tensor) {
  tensor.def(
      "requires_grad_",
      [](const TensorPtr& x, bool wanted) {
        x->set_requires_grad(wanted);
        return x;
      },
      py::arg("requires_grad") = true);
  define_backward(tensor);
}

}  // namespace

void define_tensor(py::module_& module) {
  TensorClass tensor(module, "Tensor",
                     "A contiguous array of float32, float64, int64 or bool that records the operations on it.");
  tensor.def(py::init([](py::handle data, const py::object& dtype, bool requires_grad) {
               const TensorPtr made =
                   new_tensor(data, dtype.is_none() ? std::nullopt : std::optional<DType>(dtype_from(dtype)));
               made->set_requires_grad(requires_grad);
               return made;
             }),
             py::arg("data"), py::arg("dtype") = py::none(), py::arg("requires_grad") = false);
  define_properties(tensor);
  define_values(tensor);
  define_conversions(tensor);
  define_gradients(tensor);
  define_arithmetic(tensor, "__add__", "__radd__", "add");
  define_arithmetic(tensor, "__sub__", "__rsub__", "sub");
  define_arithmetic(tensor, "__mul__", "__rmul__", "mul");
  define_arithmetic(tensor, "__truediv__", "__rtruediv__", "div");
  define_arithmetic(tensor, "__pow__", "__rpow__", "pow");
  define_numpy_operators(tensor);
  define_tensor_operations(tensor);
  define_in_place(tensor);
  define_numpy_protocol(tensor);
  document_tensor(tensor);
  module.def("as_tensor", &as_tensor);
}

}  // namespace nnlite
