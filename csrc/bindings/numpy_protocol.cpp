// NumPy's functions on tensors: they get arrays and return arrays.
#include "bindings/bindings.hpp"

namespace nnlite {
namespace {

// Functions that read no values, so that no gradient is lost.
bool reads_no_values(const std::string& name) {
  for (const char* known : {"size", "zeros_like", "ones_like", "empty_like", "full_like", "result_type", "can_cast",
                            "iscomplexobj", "isrealobj", "shares_memory", "may_share_memory"})
    if (name == known) return true;
  return false;
}

// The value, with every tensor in it replaced by an array.
py::object with_arrays(py::handle value, const std::string& name) {
  if (is_tensor(value)) {
    const auto x = value.cast<TensorPtr>();
    if (x->requires_grad() && x->trace_number == 0 && !reads_no_values(name))
      throw std::runtime_error(text("np.", name,
                                    " would lose the gradient of a tensor that requires one; use the tensor's ",
                                    "own methods and operators, or tensor.detach()"));
    return plain_array(x);
  }
  if (py::isinstance<py::list>(value)) {
    py::list converted;
    for (py::handle item : value) converted.append(with_arrays(item, name));
    return std::move(converted);
  }
  if (py::type::of(value).is(py::type::of(py::tuple()))) {
    const auto items = py::reinterpret_borrow<py::tuple>(value);
    py::tuple converted(items.size());
    for (size_t i = 0; i < items.size(); ++i) converted[i] = with_arrays(items[i], name);
    return std::move(converted);
  }
  if (PyDict_CheckExact(value.ptr())) {
    py::dict converted;
    for (const auto& item : py::reinterpret_borrow<py::dict>(value))
      converted[item.first] = with_arrays(item.second, name);
    return std::move(converted);
  }
  return py::reinterpret_borrow<py::object>(value);
}

py::object array_function(const py::object&, const py::object& function, const py::object&, const py::tuple& arguments,
                          const py::dict& options) {
  const auto name = py::str(function.attr("__name__")).cast<std::string>();
  if ((name == "shape" || name == "ndim") && arguments.size() == 1 && is_tensor(arguments[0]))
    return arguments[0].attr(name.c_str());
  const auto converted = with_arrays(arguments, name).cast<py::tuple>();
  const auto named = with_arrays(options, name).cast<py::dict>();
  return function(*converted, **named);
}

}  // namespace

void define_numpy_protocol(TensorClass& tensor) {
  tensor.def("__array_function__", &array_function);
}

}  // namespace nnlite
