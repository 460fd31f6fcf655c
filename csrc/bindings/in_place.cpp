// In-place changes of a tensor: operators, methods and tensor[key] = value.
#include "autograd/in_place.hpp"

#include <cmath>

#include "bindings/by_numpy.hpp"
#include "bindings/indexing.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/generator.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

// A value to be written into x, of any type; integers stay exact.
TensorPtr value_for(const TensorPtr& x, py::handle value) {
  return is_floating(x->dtype()) ? operand(value, x->dtype()) : target_operand(value, DType::float64);
}

void compute_into(const TensorPtr& x, int index, const TensorPtr& other, const char* name) {
  // Only these derivatives read the old value of x.
  static const int power = binary_index("pow");
  const bool kept = grad_enabled() && (other->requires_grad() || index == power);
  replace(x, arithmetic(index, current(x, kept), other), name);
}

TensorPtr copy_into(const TensorPtr& x, py::handle source) {
  require_own_memory(x, "copy_");
  assign(x, everything(x->shape()), value_for(x, source));
  return x;
}

TensorPtr fill(const TensorPtr& x, py::handle value, const char* name) {
  require_own_memory(x, name);
  const TensorPtr filling = value_for(x, value);
  if (filling->shape().rank() > 0)
    throw std::runtime_error(text("fill_ takes a single value, got shape ", filling->shape()));
  assign(x, everything(x->shape()), filling);
  return x;
}

template <class Draw>
TensorPtr draw_into(const TensorPtr& x, const char* name, const Draw& draw) {
  require_own_memory(x, name);
  if (!is_floating(x->dtype())) throw TypeError(text(name, " needs a float32 or float64 tensor"));
  const RandomStream stream = default_generator()->next(Purpose::initialization);
  const FloatingPointScope scope;
  const auto drawn = std::make_shared<Tensor>(x->shape(), x->dtype());
  dispatch(x->dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_spans(drawn->array().size(), 4096, 16, [&](int64_t begin, int64_t end) {
      draw(drawn->array().as<T>() + begin, begin, end - begin, stream);
    });
  });
  assign(x, everything(x->shape()), drawn);
  return x;
}

TensorPtr uniform_into(const TensorPtr& x, double low, double high) {
  return draw_into(x, "uniform_", [&](auto* to, int64_t begin, int64_t n, RandomStream stream) {
    using T = std::remove_pointer_t<decltype(to)>;
    kernels<T>().uniform(to, begin, n, stream, static_cast<T>(low), static_cast<T>(high));
  });
}

TensorPtr normal_into(const TensorPtr& x, double mean, double std) {
  return draw_into(x, "normal_", [&](auto* to, int64_t begin, int64_t n, RandomStream stream) {
    using T = std::remove_pointer_t<decltype(to)>;
    kernels<T>().normal(to, begin, n, stream, static_cast<T>(mean), static_cast<T>(std));
  });
}

// Whether `value` is a view of the selected memory, as after x[0] += 1.
bool is_itself(const TensorPtr& x, const Selection& selection, const TensorPtr& value) {
  if (value->base == nullptr || selection.starts.size() != 1 || value->shape() != selection.shape) return false;
  const TensorPtr& base = x->base == nullptr ? x : x->base;
  return value->base == base && value->storage() == x->storage() && value->dtype() == x->dtype() &&
         value->array().data == x->array().as<char>() + selection.starts[0] * static_cast<int64_t>(size_of(x->dtype()));
}

void set_item(const TensorPtr& x, py::handle key, py::handle value) {
  require_in_place(x, "tensor[...] = value");
  const Selection selection = Key(x->shape(), key).selection();
  TensorPtr written = value_for(x, value);
  if (is_itself(x, selection, written)) return;
  require_own_memory(x, "tensor[...] = value");
  Shape shape = written->shape();
  while (shape.rank() > selection.shape.rank() && shape[0] == 1) shape.erase(0);
  assign(x, selection, reshape(written, shape));
}

void define_operator(TensorClass& tensor, const char* symbol, const char* kernel) {
  const int index = binary_index(kernel);
  tensor.def(symbol, [index, symbol](const TensorPtr& x, py::handle other) -> py::object {
    if (!is_arithmetic(other)) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
    require_own_memory(x, symbol, true);
    compute_into(x, index, operand(other, x->dtype()), symbol);
    return py::cast(x);
  });
}

void define_method(TensorClass& tensor, const char* name, const char* kernel) {
  const int index = binary_index(kernel);
  tensor.def(
      name,
      [index, name](const TensorPtr& x, py::handle other) {
        require_own_memory(x, name);
        compute_into(x, index, operand(other, x->dtype()), name);
        return x;
      },
      py::arg("other"));
}

TensorPtr scaled(const TensorPtr& x, double factor) {
  if (is_floating(x->dtype())) return unary("scale", x, factor);
  const DType dtype = factor == std::trunc(factor) ? DType::int64 : DType::float32;
  return arithmetic(binary_index("mul"), x, full({}, dtype, factor));
}

// x + alpha other, x - alpha other
void define_sum(TensorClass& tensor, const char* name, const char* kernel) {
  const int index = binary_index(kernel);
  tensor.def(
      name,
      [index, name](const TensorPtr& x, py::handle other, double alpha) {
        require_own_memory(x, name);
        const TensorPtr term = operand(other, x->dtype());
        compute_into(x, index, alpha == 1 ? term : scaled(term, alpha), name);
        return x;
      },
      py::arg("other"), py::kw_only(), py::arg("alpha") = 1.0);
}

void define_function(TensorClass& tensor, const char* name, const char* kernel) {
  const int index = unary_index(kernel);
  tensor.def(name, [index, name](const TensorPtr& x) {
    require_own_memory(x, name);
    replace(x, elementwise(index, current(x, true)), name);
    return x;
  });
}

TensorPtr clip_in_place(const TensorPtr& x, const py::object& low, const py::object& high) {
  require_own_memory(x, "clamp_");
  replace(x, py::cast(current(x, true)).attr("clamp")(low, high).cast<TensorPtr>(), "clamp_");
  return x;
}

}  // namespace

void define_in_place(TensorClass& tensor) {
  define_operator(tensor, "__iadd__", "add");
  define_operator(tensor, "__isub__", "sub");
  define_operator(tensor, "__imul__", "mul");
  define_operator(tensor, "__itruediv__", "div");
  define_operator(tensor, "__ipow__", "pow");
  define_sum(tensor, "add_", "add");
  define_sum(tensor, "sub_", "sub");
  define_method(tensor, "mul_", "mul");
  define_method(tensor, "div_", "div");
  define_method(tensor, "pow_", "pow");
  define_function(tensor, "neg_", "neg");
  define_function(tensor, "abs_", "abs");
  define_function(tensor, "exp_", "exp");
  define_function(tensor, "sqrt_", "sqrt");
  define_function(tensor, "relu_", "relu");
  define_function(tensor, "tanh_", "tanh");
  define_function(tensor, "sigmoid_", "sigmoid");
  tensor.def("clamp_", &clip_in_place, py::arg("min") = py::none(), py::arg("max") = py::none());
  tensor.def("copy_", &copy_into, py::arg("src"));
  tensor.def("fill_", [](const TensorPtr& x, py::handle value) { return fill(x, value, "fill_"); }, py::arg("value"));
  tensor.def("zero_", [](const TensorPtr& x) { return fill(x, py::int_(0), "zero_"); });
  tensor.def("uniform_", &uniform_into, py::arg("low") = 0.0, py::arg("high") = 1.0);
  tensor.def("normal_", &normal_into, py::arg("mean") = 0.0, py::arg("std") = 1.0);
  tensor.def("__setitem__", &set_item, py::arg("key"), py::arg("value"));
}

}  // namespace nnlite
