// Operations as module functions, and switches of the tape.
#include "autograd/reduced_loss.hpp"
#include "autograd/trace.hpp"
#include "bindings/by_numpy.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"

namespace nnlite {
namespace {

double product_work(const TensorPtr& x, int64_t outputs) {
  return 2.0 * static_cast<double>(x->shape().size()) * static_cast<double>(outputs);
}

TensorPtr linear_of(py::handle x, const TensorPtr& weight, const TensorPtr& bias) {
  const TensorPtr input = operand(x, weight->dtype());
  const double work = product_work(input, weight->shape().rank() > 0 ? weight->shape()[0] : 1);
  return without_gil(work, [&] { return linear(input, weight, bias); });
}

TensorPtr matmul_of(py::handle a, py::handle b) {
  const auto like = common_dtype({a, b});
  const TensorPtr left = operand(a, like), right = operand(b, like);
  return without_gil(product_work(left, right->shape().rank() > 0 ? right->shape().back() : 1),
                     [&] { return matrix_product(left, right); });
}

std::vector<TensorPtr> operands(const py::sequence& values) {
  std::optional<DType> like;
  for (py::handle value : values)
    if (is_tensor(value) && !like) like = value.cast<const Tensor&>().dtype();
  std::vector<TensorPtr> tensors;
  for (py::handle value : values) tensors.push_back(operand(value, like));
  return tensors;
}

TensorPtr stack_of(const py::sequence& values, int64_t dim) {
  std::vector<TensorPtr> rows = operands(values);
  if (rows.empty()) throw std::invalid_argument("[stack] needs at least one tensor");
  const Shape first = rows[0]->shape();
  const int at = normalized_dim("stack", dim, first.rank() + 1);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i]->shape() != first)
      throw std::invalid_argument(
          text("[stack] tensor ", i, " has shape ", rows[i]->shape(), ", tensor 0 ", first, ": all must be equal"));
    Shape shape = first;
    shape.insert(at, 1);
    rows[i] = reshape(rows[i], shape);
  }
  return concatenate(rows, at);
}

TensorPtr where_of(py::handle condition, py::handle a, py::handle b) {
  const auto like = common_dtype({a, b});
  const auto side = [&like](py::handle value) { return like ? operand(value, like) : as_tensor(value); };
  const TensorPtr chosen = as_tensor(condition), left = side(a), right = side(b);
  if (is_floating(common_type(left, right))) return where(chosen, left, right);
  return by_numpy("where", py::make_tuple(numpy_view(chosen), numpy_view(left), numpy_view(right)));
}

TensorPtr binary_of(const char* name, py::handle a, py::handle b) {
  const auto like = common_dtype({a, b});
  return arithmetic(binary_index(name), operand(a, like), operand(b, like));
}

double option_of(const char* function, const char* option, py::handle value) {
  if (PyFloat_CheckExact(value.ptr())) return PyFloat_AS_DOUBLE(value.ptr());
  return number_option(function, option == nullptr ? "option" : option, value);
}

TensorPtr unary_of(const std::string& name, py::handle x, py::handle alpha, py::handle beta) {
  const int index = unary_index(name);
  const auto& options = kernels<float>().unary[index].options;
  return elementwise(index, operand(x), option_of(name.c_str(), options[0], alpha),
                     option_of(name.c_str(), options[1], beta));
}

TensorPtr loss_of(const std::string& name, py::handle x, py::handle target, const std::string& reduction,
                  py::handle option) {
  const int index = loss_index(name);
  const double parameter = option_of(name.c_str(), kernels<float>().losses[index].option, option);
  const TensorPtr input = operand(x, common_dtype({x, target}));
  const bool divergence = name.compare(0, 6, "kl_div") == 0;
  return elementwise_loss(index, input, operand(target, input->dtype()), reduction_of(reduction, divergence),
                          parameter);
}

TensorPtr cross_entropy_of(py::handle logits, py::handle target, py::handle weight, int64_t ignore_index,
                           const std::string& reduction, py::handle smoothing) {
  const double label_smoothing = number_option("cross_entropy", "label_smoothing", smoothing);
  if (!(label_smoothing >= 0 && label_smoothing <= 1))
    throw std::invalid_argument(text("label_smoothing must be in [0, 1], got ", label_smoothing));
  const TensorPtr x = operand(logits);
  return cross_entropy(x, target_operand(target, x->dtype()), optional_operand(weight, x->dtype()),
                       {ignore_index, reduction_of(reduction), label_smoothing});
}

TensorPtr nll_loss_of(py::handle x, py::handle target, py::handle weight, int64_t ignore_index,
                      const std::string& reduction) {
  const TensorPtr input = operand(x);
  return nll_loss(input, target_operand(target, input->dtype()), optional_operand(weight, input->dtype()),
                  {ignore_index, reduction_of(reduction), 0});
}

TensorPtr reduced_loss_of(const TensorPtr& losses, const std::string& reduction, const TensorPtr& weights) {
  return reduced({losses, weights, reduction_of(reduction, true)});
}

// Of the rows of a data set: arrays with a dimension of rows, which `flat` ones lose.
double data_set_loss(py::handle losses, const std::string& reduction, py::handle weights, bool flat) {
  const auto rows = [](py::handle value, bool in_one) -> TensorPtr {
    if (value.is_none()) return nullptr;
    TensorPtr tensor = as_tensor(value);
    return in_one ? std::make_shared<Tensor>(Array{tensor->array().data, tensor->dtype(), {tensor->shape().size()}},
                                             tensor->storage())
                  : tensor;
  };
  const TensorPtr loss = reduced_loss_of(rows(losses, flat), reduction, rows(weights, true));
  return dispatch(loss->dtype(), [&](auto zero) { return static_cast<double>(*loss->array().as<decltype(zero)>()); });
}

// (losses, weights or None, reduction), or None.
py::object single_losses_of(const TensorPtr& loss, int64_t rows, const TensorPtr& row_weights) {
  SingleLosses single = single_losses(*loss, rows);
  if (single.losses == nullptr) return py::none();
  if (row_weights != nullptr) single = weighted_rows(single, row_weights);
  return py::make_tuple(single.losses, single.weights, name_of(single.reduction));
}

TensorPtr batch_norm_of(py::handle x, const TensorPtr& mean, const TensorPtr& var, const TensorPtr& batches,
                        const TensorPtr& weight, const TensorPtr& bias, bool training, double momentum, double eps) {
  if ((mean == nullptr) != (var == nullptr))
    throw std::invalid_argument("batch_norm needs both running_mean and running_var, or neither");
  const TensorPtr like = weight != nullptr ? weight : mean;
  return batch_norm(operand(x, like == nullptr ? std::nullopt : std::optional<DType>(like->dtype())),
                    {mean, var, batches}, weight, bias, {training, momentum, eps});
}

TensorPtr layer_norm_of(py::handle x, int rank, const TensorPtr& weight, const TensorPtr& bias, py::handle eps) {
  return layer_norm(operand(x, weight == nullptr ? std::nullopt : std::optional<DType>(weight->dtype())), rank, weight,
                    bias, number_option("layer_norm", "eps", eps));
}

template <class Row>
std::vector<std::string> names_of(const Row* rows, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.emplace_back(rows[i].name);
  return names;
}

template <class T>
py::array unary_values(const std::string& name, const py::array_t<T, py::array::c_style | py::array::forcecast>& x,
                       double alpha, double beta) {
  py::array_t<T> y(std::vector<py::ssize_t>(x.shape(), x.shape() + x.ndim()));
  kernels<T>().unary[unary_index(name)].forward(x.data(), y.mutable_data(), x.size(), static_cast<T>(alpha),
                                                static_cast<T>(beta));
  return y;
}

py::array unary_kernel(const std::string& name, const py::array& x, double alpha, double beta) {
  const FloatingPointScope scope;
  if (x.dtype().is(py::dtype::of<float>())) return unary_values<float>(name, x, alpha, beta);
  return unary_values<double>(name, x, alpha, beta);
}

}  // namespace

void define_functions(py::module_& module) {
  using py::arg;
  const py::object none = py::none();
  module.def("unary_names", [] { return names_of(kernels<float>().unary, kernels<float>().unary_count); });
  module.def("loss_names", [] { return names_of(kernels<float>().losses, kernels<float>().loss_count); });
  module.def("binary_names", [] { return names_of(kernels<float>().binary, kernels<float>().binary_count); });
  module.def("unary", &unary_of, arg("name"), arg("input"), arg("alpha") = 0.0, arg("beta") = 0.0);
  module.def(
      "binary", [](const std::string& name, py::handle a, py::handle b) { return binary_of(name.c_str(), a, b); },
      arg("name"), arg("input"), arg("other"));
  module.def("unary_kernel", &unary_kernel, arg("name"), arg("input"), arg("alpha") = 0.0, arg("beta") = 0.0);
  module.def(
      "maximum", [](py::handle a, py::handle b) { return binary_of("maximum", a, b); }, arg("input"), arg("other"));
  module.def(
      "minimum", [](py::handle a, py::handle b) { return binary_of("minimum", a, b); }, arg("input"), arg("other"));
  module.def("where", &where_of, arg("condition"), arg("input"), arg("other"));
  module.def("matmul", &matmul_of, arg("input"), arg("other"));
  module.def("linear", &linear_of, arg("input"), arg("weight"), arg("bias") = none);
  module.def(
      "concatenate", [](const py::sequence& tensors, int64_t dim) { return concatenate(operands(tensors), dim); },
      arg("tensors"), arg("dim") = 0);
  module.def("stack", &stack_of, arg("tensors"), arg("dim") = 0);
  module.def("softmax", [](py::handle x, int64_t dim) { return softmax(operand(x), dim); }, arg("input"), arg("dim"));
  module.def(
      "log_softmax", [](py::handle x, int64_t dim) { return log_softmax(operand(x), dim); }, arg("input"), arg("dim"));
  module.def(
      "dropout", [](py::handle x, py::handle p) { return dropout(operand(x), number_option("dropout", "p", p)); },
      arg("input"), arg("p"));
  module.def(
      "embedding",
      [](py::handle indices, const TensorPtr& weight, int64_t padding_index) {
        if (weight->shape().rank() != 2)
          throw std::invalid_argument(
              text("[embedding] weight must be (rows, columns), it has shape ", weight->shape()));
        return take(weight, index_operand(indices), 0, padding_index, "embedding");
      },
      arg("input"), arg("weight"), arg("padding_idx") = -1);
  module.def("layer_norm", &layer_norm_of, arg("input"), arg("normalized_ndim"), arg("weight") = none,
             arg("bias") = none, arg("eps"));
  module.def("batch_norm", &batch_norm_of, arg("input"), arg("running_mean") = none, arg("running_var") = none,
             arg("num_batches_tracked") = none, arg("weight") = none, arg("bias") = none, arg("training"),
             arg("momentum"), arg("eps"));
  module.def("loss", &loss_of, arg("name"), arg("input"), arg("target"), arg("reduction"), arg("parameter") = 0.0);
  module.def("cross_entropy", &cross_entropy_of, arg("input"), arg("target"), arg("weight") = none,
             arg("ignore_index") = -100, arg("reduction") = "mean", arg("label_smoothing") = 0.0);
  module.def("nll_loss", &nll_loss_of, arg("input"), arg("target"), arg("weight") = none, arg("ignore_index") = -100,
             arg("reduction") = "mean");
  module.def("reduced_loss", &reduced_loss_of, arg("losses"), arg("reduction"), arg("weights") = none);
  module.def("data_set_loss", &data_set_loss, arg("losses"), arg("reduction"), arg("weights"), arg("flat"));
  module.def("single_losses", &single_losses_of, arg("loss"), arg("rows"), arg("row_weights") = none);
  module.def(
      "loss_share",
      [](const TensorPtr& loss, int64_t rows) {
        if (!is_floating(loss->dtype()))
          throw TypeError(text("a loss must be float32 or float64, got ", name_of(loss->dtype())));
        const BatchShare share(*loss, rows);
        const double value = loss->trace_number != 0 ? 0.0 : dispatch(loss->dtype(), [&](auto zero) {
          return static_cast<double>(*loss->array().as<decltype(zero)>());
        });
        return py::make_tuple(share.weight(value), share.is_sum());
      },
      arg("loss"), arg("rows"));
  module.def("is_grad_enabled", &grad_enabled);
  module.def("set_grad_enabled", &set_grad_enabled, arg("enabled"));
  module.def("is_tracing", [] { return Trace::current() != nullptr; });
  module.def("is_traced", [](const Tensor& tensor) { return tensor.trace_number != 0; }, py::arg("tensor"));
}

}  // namespace nnlite
