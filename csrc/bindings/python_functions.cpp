// Python functions on the tape: hooks, autograd.Function, and the backward pass that may call them.
#include <cctype>
#include <cstring>

#include "autograd/gradients.hpp"
#include "autograd/in_place.hpp"
#include "autograd/recorded.hpp"
#include "autograd/trace.hpp"
#include "bindings/bindings.hpp"

namespace nnlite {
namespace {

constexpr double kBackwardWork = 1e9;  // unknown, so a backward pass always runs without the GIL

int64_t python_functions = 0;  // protected by the GIL

// Like a tape, it may be destroyed without the GIL.
class PythonFunction {
 public:
  explicit PythonFunction(py::object function) : function_(function.release().ptr()) { ++python_functions; }
  ~PythonFunction() {
    with_gil([this] {
      Py_DECREF(function_);
      --python_functions;
    });
  }
  PythonFunction(const PythonFunction&) = delete;
  PythonFunction& operator=(const PythonFunction&) = delete;

  py::handle get() const { return function_; }

 private:
  PyObject* function_;
};

TensorPtr checked(const TensorPtr& given, const char* who, const Array& like) {
  if (given->shape() != like.shape || given->dtype() != like.dtype)
    throw std::invalid_argument(text(who, " returned a gradient of shape ", given->shape(), " and type ",
                                     name_of(given->dtype()), " instead of shape ", like.shape, " and type ",
                                     name_of(like.dtype)));
  given->values();
  return given;
}

// A tensor's hooks, an nnlite.autograd.hooks.Hooks.
class PythonHooks final : public GradientHook {
 public:
  explicit PythonHooks(py::object hooks) : hooks_(std::move(hooks)) {}

  py::handle hooks() const { return hooks_.get(); }
  bool does_nothing() const override { return PyObject_Size(hooks().ptr()) == 0; }

  TensorPtr operator()(const TensorPtr& gradient) override {
    const py::gil_scoped_acquire lock;  // another thread may have added the hook since the pass began
    return checked(operand(hooks()(gradient), gradient->dtype()), "a backward hook", gradient->array());
  }

 private:
  PythonFunction hooks_;
};

// An autograd.Function whose forward pass has run.
class FunctionCall final : public Operation {
 public:
  // backward(output or None, gradient) -> the gradients of the inputs, each a Tensor or None
  FunctionCall(std::string name, py::object backward, TensorPtr result, Values kept)
      : name_(std::move(name)), backward_(std::move(backward)), result_(std::move(result)), kept_(kept) {}

  const char* name() const override { return name_.c_str(); }
  Values kept(Values) const override { return kept_; }
  Array infer(const Arrays&) override { return {nullptr, result_->dtype(), result_->shape()}; }

  void forward(const Arrays&, const Array& out) override {
    std::memcpy(out.data, result_->array().data, out.bytes());
    result_ = nullptr;
  }

  void vjp(const Arrays& in, const Array&, const Array& dout, const Gradients& din) override {
    const WithoutGrad scope;
    const auto gradient = std::make_shared<Tensor>(dout.shape, dout.dtype);
    std::memcpy(gradient->array().data, dout.data, dout.bytes());
    const std::vector<TensorPtr> made = called(nullptr, gradient, in);
    for (size_t i = 0; i < in.size(); ++i)
      if (din[i]) std::memcpy(din[i].data, made[i]->array().data, in[i].bytes());
  }

  std::vector<TensorPtr> called(const TensorPtr& output, const TensorPtr& gradient, const Arrays& in) const {
    const py::list given = backward_.get()(output, gradient);
    std::vector<TensorPtr> made;
    for (size_t i = 0; i < in.size(); ++i)
      made.push_back(given[i].is_none() ? full(in[i].shape, in[i].dtype, 0)
                                        : checked(operand(given[i], in[i].dtype), name(), in[i]));
    return made;
  }

 private:
  std::string name_;
  PythonFunction backward_;
  TensorPtr result_;  // until it is copied
  Values kept_;
};

TensorPtr call_function(const std::string& name, const py::object& backward, const std::vector<TensorPtr>& inputs,
                        const TensorPtr& result, Operation::Values kept) {
  return apply_new<FunctionCall>(inputs, name, backward, result, kept);
}

// The hooks of x, set to `new_hooks` if there are none.
py::object hooks_in_python(const TensorPtr& x, const py::object& new_hooks) {
  refresh(x);
  if (x->trace_number != 0 || Trace::current() != nullptr)
    throw CaptureError("a captured step cannot run backward hooks; pass compile=False");
  std::shared_ptr<GradientHook>& hook = hooks_of(x).hook;
  if (hook == nullptr) hook = std::make_shared<PythonHooks>(new_hooks);
  return py::reinterpret_borrow<py::object>(static_cast<PythonHooks&>(*hook).hooks());
}

void refresh_all(const std::vector<TensorPtr>& tensors) {
  for (const TensorPtr& x : tensors) refresh(x);
}

py::object in_python(const char* module, const char* function) {
  return py::module_::import(module).attr(function);
}

template <class T>
py::object python_value(const T& value) {
  if constexpr (std::is_same_v<T, Integers>)
    return py::cast(value.values);
  else
    return py::cast(value);
}

// What a rule asks of a node: an input, the output, a slope, an adjoint, or an attribute by its name.
py::object answer(const Recorded& node, const std::string& what, size_t i, const TensorPtr& from) {
  for (const Attribute& attribute : node.operation()->attributes())
    if (what == attribute.name())
      return std::visit([](const auto& value) { return python_value(value); }, attribute.value());
  node.arrays().at(i);
  return py::cast(what == "input"    ? node.input(i)
                  : what == "output" ? node.output()
                  : what == "slope"  ? node.slope(i)
                                     : node.adjoint(i, from));
}

std::vector<TensorPtr> recorded_gradients(const Recorded& node) {
  if (const auto* call = dynamic_cast<const FunctionCall*>(node.operation().get()))
    return call->called(node.output(), node.gradient, node.arrays());
  static const py::handle rule = in_python("nnlite.autograd.derivatives", "gradients").release();
  py::list wanted, shapes;
  for (size_t i = 0; i < node.arrays().size(); ++i) {
    wanted.append(node.wants(i));
    shapes.append(node.arrays()[i] ? py::object(tuple_of(node.arrays()[i].shape)) : py::none());
  }
  const py::cpp_function ask(
      [node](const std::string& what, size_t i, const TensorPtr& from) { return answer(node, what, i, from); });
  return rule(node.operation()->name(), node.gradient, wanted, shapes, ask).cast<std::vector<TensorPtr>>();
}

py::list gradients_of(const std::vector<TensorPtr>& outputs, const py::sequence& seeds,
                      const std::vector<TensorPtr>& inputs, bool accumulate, bool retain_graph, bool create_graph) {
  GradientRequest request{outputs, {}, inputs, accumulate, retain_graph};
  if (create_graph) request.derivative = &recorded_gradients;
  refresh_all(outputs), refresh_all(inputs);
  for (size_t i = 0; i < outputs.size(); ++i) request.seeds.push_back(optional_operand(seeds[i], outputs[i]->dtype()));
  const auto made =
      without_gil(create_graph || any_python_functions() ? 0 : kBackwardWork, [&] { return gradients(request); });
  py::list list;
  for (const TensorPtr& gradient : made) list.append(gradient);
  return list;
}

// Requests beyond the plain pass, and passes that may run Python code, go through nnlite.autograd.gradients.
void backward_of(const TensorPtr& x, const py::object& gradient, const py::object& retain_graph, bool create_graph,
                 const py::object& inputs) {
  if (create_graph || !inputs.is_none() || GradientHooks::any() || any_python_functions()) {
    in_python("nnlite.autograd.gradients", "backward")(x, gradient, retain_graph, create_graph, inputs);
    return;
  }
  refresh(x);
  const TensorPtr seed = optional_operand(gradient, x->dtype());
  const bool retain = PyObject_IsTrue(retain_graph.ptr()) == 1;
  without_gil(kBackwardWork, [&] { backward(x, seed, retain); });
}

}  // namespace

bool any_python_functions() {
  return python_functions > 0;
}

std::string gradient_name(const Node& node) {
  const std::string name = node.operation->name();
  if (name.find("Backward") != std::string::npos) return name;
  std::string words;
  for (size_t i = 0; i < name.size(); ++i)
    if (name[i] != '_') words += i == 0 || name[i - 1] == '_' ? static_cast<char>(std::toupper(name[i])) : name[i];
  return words + "Backward0";
}

void define_backward(TensorClass& tensor) {
  tensor.def("backward", &backward_of, py::arg("gradient") = py::none(), py::arg("retain_graph") = py::none(),
             py::arg("create_graph") = false, py::arg("inputs") = py::none());
  tensor.def(
      "register_hook",
      [](const TensorPtr& x, const py::object& hook) {
        return in_python("nnlite.autograd.hooks", "register")(x, hook);
      },
      py::arg("hook"));
  tensor.def("retain_grad", &retain_grad);
  tensor.def_property_readonly("retains_grad", &retains_grad);
  tensor.def_property_readonly("grad_fn", [](const TensorPtr& x) -> py::object {
    refresh(x);
    if (x->is_leaf()) return py::none();
    return in_python("nnlite.autograd.hooks", "Node")(gradient_name(*x->node));
  });
}

void define_python_functions(py::module_& module) {
  using py::arg;
  module.def("gradient_hooks", &hooks_in_python, arg("tensor"), arg("new_hooks"));
  module.def("has_gradient_hooks", &GradientHooks::any);
  module.def("call_function", &call_function, arg("name"), arg("backward"), arg("inputs"), arg("result"), arg("kept"));
  module.def("gradients", &gradients_of, arg("outputs"), arg("seeds"), arg("inputs"), arg("accumulate"),
             arg("retain_graph"), arg("create_graph"));
}

}  // namespace nnlite
