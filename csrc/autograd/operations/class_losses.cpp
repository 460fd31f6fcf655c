// Losses over classes, and their shapes.
#include <cmath>

#include "autograd/reduced_loss.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

void check_labels(const char* name, const int64_t* labels, int64_t rows, int64_t classes, int64_t ignore_index) {
  for (int64_t i = 0; i < rows; ++i)
    if ((labels[i] < 0 || labels[i] >= classes) && labels[i] != ignore_index)
      throw std::invalid_argument(
          text('[', name, "] target ", labels[i], " at index ", i, " is not a class: the input has ", classes,
               " classes, so targets run from 0 to ", classes - 1, ", or ", ignore_index, " to be ignored"));
}

// The weight of each label: that of its class, 1 without class weights, 0 if it is ignored.
class LabelWeights final : public Operation {
 public:
  LabelWeights(int64_t ignore_index, DType dtype) : ignore_index_(ignore_index), dtype_(dtype) {}

  const char* name() const override { return "label_weights"; }
  Values kept(Values) const override { return 0; }
  Attributes attributes() const override { return {{"ignore_index", ignore_index_}}; }
  Array infer(const Arrays& in) override { return {nullptr, dtype_, in[0].shape}; }

  void forward(const Arrays& in, const Array& out) override {
    dispatch(dtype_, [&](auto zero) {
      using T = decltype(zero);
      const auto* labels = in[0].as<int64_t>();
      const T* weight = in[1].as<T>();
      for (int64_t i = 0; i < out.size(); ++i)
        out.as<T>()[i] = labels[i] == ignore_index_ ? T(0) : weight == nullptr ? T(1) : weight[labels[i]];
    });
  }

  void vjp(const Arrays&, const Array&, const Array&, const Gradients&) override {}

 private:
  int64_t ignore_index_;
  DType dtype_;
};

// Rows of class scores (N, C) against labels (N) or probabilities (N, C), with weights (C). The forward pass also
// computes each row's unit gradient, so that the backward pass only scales it.
class ClassLoss : public ReducedLoss {
 public:
  explicit ClassLoss(const ClassLossSettings& settings) : ReducedLoss(settings.reduction), settings_(settings) {}

  Attributes attributes() const override {
    return {{"ignore_index", settings_.ignore_index},
            {"reduction", name_of(reduction_)},
            {"label_smoothing", settings_.label_smoothing}};
  }

  Array infer(const Arrays& in) override {
    rows_ = in[0].shape[0], classes_ = in[0].shape[1];
    const size_t width = size_of(in[0].dtype);
    unit_gradient_ = std::make_unique<Storage>(in[0].bytes());
    losses_ = std::make_unique<Storage>(static_cast<size_t>(rows_) * width);
    row_weights_ = std::make_unique<Storage>(static_cast<size_t>(rows_) * width);
    return {nullptr, in[0].dtype, reduction_ == Reduction::none ? Shape{rows_} : Shape()};
  }

  void forward(const Arrays& in, const Array& out) override {
    const bool labels = in[1].dtype == DType::int64;
    if (labels) check_labels(name(), in[1].as<int64_t>(), rows_, classes_, settings_.ignore_index);
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      const ClassTargets<T> targets{labels ? in[1].as<int64_t>() : nullptr, labels ? nullptr : in[1].as<T>(),
                                    in[2].as<T>(), settings_.ignore_index, static_cast<T>(settings_.label_smoothing)};
      T* losses = reduction_ == Reduction::none ? out.as<T>() : data<T>(losses_);
      rows_forward(in[0].as<T>(), targets, losses);
      if (reduction_ == Reduction::none) return;
      weight_ = labels ? static_cast<double>(kernels<T>().sum_all(data<T>(row_weights_), rows_, 1))
                       : static_cast<double>(rows_);
      *out.as<T>() = divided(kernels<T>().sum_all(losses, rows_, 1), 1);
    });
  }

  void vjp(const Arrays&, const Array&, const Array& dout, const Gradients& din) override {
    if (!din[0]) return;
    dispatch(dout.dtype, [&](auto zero) {
      using T = decltype(zero);
      const int64_t stride = reduction_ == Reduction::none ? 1 : 0;
      const T share = stride == 1 ? T(0) : gradient_share(*dout.as<T>(), 1);
      const T* dloss = stride == 1 ? dout.as<T>() : &share;
      kernels<T>().scale_rows(data<T>(unit_gradient_), dloss, stride, din[0].as<T>(), rows_, classes_);
    });
  }

  int64_t count(const Arrays&) const override { return rows_; }

  SingleLosses single(const std::vector<TensorPtr>& inputs) const override {
    ClassLossSettings settings = settings_;
    settings.reduction = Reduction::none;
    const bool labels = inputs[1]->dtype() == DType::int64;
    const TensorPtr losses = unreduced(inputs, settings);
    return {losses, labels ? label_weights(inputs) : nullptr, reduction_};
  }

 protected:
  virtual TensorPtr unreduced(const std::vector<TensorPtr>& inputs, const ClassLossSettings& settings) const = 0;

  TensorPtr label_weights(const std::vector<TensorPtr>& inputs) const {
    return apply_new<LabelWeights>({inputs[1], inputs[2]}, settings_.ignore_index, inputs[0]->dtype());
  }

  template <class T>
  static T* data(const std::unique_ptr<Storage>& storage) {
    return static_cast<T*>(storage->data());
  }

  virtual void rows_forward(const float* x, const ClassTargets<float>& targets, float* losses) = 0;
  virtual void rows_forward(const double* x, const ClassTargets<double>& targets, double* losses) = 0;

  ClassLossSettings settings_;
  int64_t rows_ = 0, classes_ = 0;
  std::unique_ptr<Storage> unit_gradient_, losses_, row_weights_;
};

// A class loss whose rows are computed by `Loss::run`, for both types.
template <class Loss>
class ClassLossOf : public ClassLoss {
 public:
  using ClassLoss::ClassLoss;
  Values kept(Values) const override { return 0; }

 protected:
  TensorPtr unreduced(const std::vector<TensorPtr>& inputs, const ClassLossSettings& settings) const override {
    return apply_new<Loss>(inputs, settings);
  }
  void rows_forward(const float* x, const ClassTargets<float>& targets, float* losses) override {
    static_cast<Loss*>(this)->run(x, targets, losses);
  }
  void rows_forward(const double* x, const ClassTargets<double>& targets, double* losses) override {
    static_cast<Loss*>(this)->run(x, targets, losses);
  }
};

class CrossEntropy final : public ClassLossOf<CrossEntropy> {
 public:
  using ClassLossOf::ClassLossOf;
  const char* name() const override { return "cross_entropy"; }

  template <class T>
  void run(const T* x, const ClassTargets<T>& targets, T* losses) {
    parallel_spans(rows_, 16, 40.0 * static_cast<double>(classes_), [&](int64_t begin, int64_t end) {
      ClassTargets<T> part = targets;
      if (part.labels != nullptr) part.labels += begin;
      if (part.probabilities != nullptr) part.probabilities += begin * classes_;
      kernels<T>().cross_entropy(x + begin * classes_, part, losses + begin, data<T>(unit_gradient_) + begin * classes_,
                                 data<T>(row_weights_) + begin, end - begin, classes_);
    });
  }
};

// loss = -w_y x_y of log-probabilities x
class NegativeLogLikelihood final : public ClassLossOf<NegativeLogLikelihood> {
 public:
  using ClassLossOf::ClassLossOf;
  const char* name() const override { return "nll_loss"; }

  template <class T>
  void run(const T* x, const ClassTargets<T>& targets, T* losses) {
    T* gradient = data<T>(unit_gradient_);
    for (int64_t i = 0; i < rows_ * classes_; ++i) gradient[i] = T(0);
    for (int64_t i = 0; i < rows_; ++i) {
      const int64_t label = targets.labels[i];
      const bool ignored = label == targets.ignore_index;
      const T weight = ignored ? T(0) : targets.weight == nullptr ? T(1) : targets.weight[label];
      data<T>(row_weights_)[i] = weight;
      losses[i] = ignored ? T(0) : -weight * x[i * classes_ + label];
      if (!ignored) gradient[i * classes_ + label] = -weight;
    }
  }
};

// Shapes of both class losses: (C), (N, C) or (N, C, d1, ...) becomes rows (M, C) and targets (M) or (M, C).
struct ClassRows {
  TensorPtr scores, target;
  Shape loss_shape;  // of the losses without reduction

  ClassRows(const char* name, const TensorPtr& x, const TensorPtr& y) {
    const Shape& shape = x->shape();
    require_floating(name, x->dtype());
    if (shape.rank() == 0)
      throw std::invalid_argument(text(
          '[', name, "] input must have a dimension of classes: (C), (N, C) or (N, C, d1, ...), got a single value"));
    const int classes = shape.rank() == 1 ? 0 : 1;
    loss_shape = shape;
    loss_shape.erase(classes);
    const bool labels = y->dtype() == DType::int64;
    check_target(name, shape, y->shape(), labels);
    scores = class_rows(x, classes);
    target = labels ? reshape(y, {y->shape().size()}) : class_rows(y, classes);
  }

 private:
  void check_target(const char* name, const Shape& x, const Shape& y, bool labels) const {
    if (y == (labels ? loss_shape : x)) return;
    if (labels && y == x)
      throw std::invalid_argument(text('[', name, "] target has the input's shape ", y,
                                       " but holds integers: class indices have shape ", loss_shape,
                                       " (use target.argmax(1)), class probabilities are floats"));
    throw std::invalid_argument(text('[', name, "] input has shape ", x, ", target ", y, ": ",
                                     labels ? "class indices" : "class probabilities", " must have shape ",
                                     labels ? loss_shape : x,
                                     labels ? "" : "; class indices must be integers (int64), not floats"));
  }

  static TensorPtr class_rows(const TensorPtr& x, int classes) {
    const int rank = x->shape().rank();
    std::vector<int> order;
    for (int i = 0; i < rank; ++i)
      if (i != classes) order.push_back(i);
    order.push_back(classes);
    const TensorPtr last = permute(x, order);
    const int64_t count = x->shape()[classes];
    return reshape(last, {x->shape().count(0, classes) * x->shape().count(classes + 1, rank), count});
  }
};

TensorPtr checked_weight(const char* name, const TensorPtr& weight, const TensorPtr& rows, bool labels) {
  if (weight == nullptr) return nullptr;
  if (labels && weight->requires_grad() && grad_enabled())
    throw std::runtime_error(text('[', name, "] is not differentiable by weight: pass weight.detach()"));
  if (weight->shape() != Shape{rows->shape()[1]})
    throw std::invalid_argument(text('[', name, "] weight has shape ", weight->shape(), ", the input has ",
                                     rows->shape()[1], " classes: weight must be (", rows->shape()[1], ",)"));
  return cast(weight, rows->dtype());
}

TensorPtr shaped_loss(const TensorPtr& loss, const Shape& shape, Reduction reduction) {
  return reduction == Reduction::none ? reshape(loss, shape) : loss;
}

// For probabilities or class weights that require a gradient: the same loss, composed of recorded operations.
TensorPtr differentiable_target_loss(const ClassRows& rows, const TensorPtr& weight,
                                     const ClassLossSettings& settings) {
  const DType dtype = rows.scores->dtype();
  const double share = settings.label_smoothing / static_cast<double>(rows.scores->shape()[1]);
  TensorPtr target = unary("shift", unary("scale", cast(rows.target, dtype), 1 - settings.label_smoothing), share);
  if (weight != nullptr) target = binary(binary_index("mul"), target, weight);
  const TensorPtr terms = binary(binary_index("mul"), target, log_softmax(rows.scores, 1));
  const TensorPtr losses = unary("neg", sum(terms, 1, false));
  return settings.reduction == Reduction::none ? losses : reduced({losses, nullptr, settings.reduction});
}

bool wants_gradient(const TensorPtr& x) {
  return x != nullptr && x->requires_grad() && grad_enabled();
}

}  // namespace

TensorPtr cross_entropy(const TensorPtr& logits, const TensorPtr& target, const TensorPtr& weight,
                        const ClassLossSettings& settings) {
  const ClassRows rows("cross_entropy", logits, target);
  const bool labels = target->dtype() == DType::int64;
  const TensorPtr class_weight = checked_weight("cross_entropy", weight, rows.scores, labels);
  TensorPtr loss;
  if (wants_gradient(target) || wants_gradient(class_weight))
    loss = differentiable_target_loss(rows, class_weight, settings);
  else
    loss = apply_new<CrossEntropy>(
        {rows.scores, labels ? rows.target : cast(rows.target, logits->dtype()), class_weight}, settings);
  return shaped_loss(loss, rows.loss_shape, settings.reduction);
}

TensorPtr nll_loss(const TensorPtr& log_probabilities, const TensorPtr& target, const TensorPtr& weight,
                   const ClassLossSettings& settings) {
  if (target->dtype() != DType::int64)
    throw TypeError(text("[nll_loss] target must hold class indices (int64), got ", name_of(target->dtype())));
  const ClassRows rows("nll_loss", log_probabilities, target);
  const TensorPtr loss = apply_new<NegativeLogLikelihood>(
      {rows.scores, rows.target, checked_weight("nll_loss", weight, rows.scores, true)}, settings);
  return shaped_loss(loss, rows.loss_shape, settings.reduction);
}

}  // namespace nnlite
