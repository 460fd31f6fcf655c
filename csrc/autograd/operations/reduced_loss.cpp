// Reduces losses that were computed separately, and finds the reductions that a loss is computed from.
#include "autograd/reduced_loss.hpp"

#include <algorithm>
#include <unordered_set>

#include "runtime/dispatch.hpp"

namespace nnlite {
namespace {

int64_t rows_of(const Array& x) {
  return x.shape.rank() == 0 ? 1 : x.shape[0];
}

template <class T>
T sum_of(const Array& x) {
  return x.shape.rank() == 0 ? *x.as<T>()
                             : kernels<T>().sum_all(x.as<T>(), x.shape[0], x.shape.count(1, x.shape.rank()));
}

// losses, optional weights -> one number
class LossReduction final : public ReducedLoss {
 public:
  using ReducedLoss::ReducedLoss;

  const char* name() const override { return "reduced_loss"; }
  Values kept(Values) const override { return 0; }
  Attributes attributes() const override { return {{"reduction", name_of(reduction_)}}; }

  Array infer(const Arrays& in) override {
    const int64_t weights = in.size() > 1 ? in[1].size() : rows_of(in[0]);
    each_ = in[0].size() / std::max<int64_t>(weights, 1);
    return {nullptr, in[0].dtype, Shape()};
  }

  void forward(const Arrays& in, const Array& out) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      weight_ = static_cast<double>(in.size() > 1 ? sum_of<T>(in[1]) : static_cast<T>(rows_of(in[0])));
      *out.as<T>() = divided(sum_of<T>(in[0]), each_);
    });
  }

  void vjp(const Arrays& in, const Array&, const Array& dout, const Gradients& din) override {
    dispatch(dout.dtype, [&](auto zero) {
      using T = decltype(zero);
      std::fill_n(din[0].as<T>(), in[0].size(), gradient_share(*dout.as<T>(), each_));
    });
  }

  int64_t count(const Arrays& in) const override { return in[0].size(); }

  SingleLosses single(const std::vector<TensorPtr>& inputs) const override {
    return {inputs[0], inputs.size() > 1 ? inputs[1] : nullptr, reduction_};
  }

 private:
  int64_t each_ = 1;
};

// Null if the node is not a reduced loss.
const ReducedLoss* reduced_loss_of(const Node* node) {
  if (node == nullptr) return nullptr;
  const auto* operation = dynamic_cast<const ReducedLoss*>(node->operation.get());
  return operation == nullptr || operation->reduction() == Reduction::none ? nullptr : operation;
}

// The closest means among the operations that a loss is computed from.
std::vector<const ReducedLoss*> means_behind(const Tensor& loss) {
  std::vector<const ReducedLoss*> means;
  std::vector<const Node*> open{loss.node.get()};
  std::unordered_set<const Node*> met;
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    if (node == nullptr || !met.insert(node).second) continue;
    if (const ReducedLoss* operation = reduced_loss_of(node)) {
      if (operation->reduction() != Reduction::sum) means.push_back(operation);
      continue;
    }
    for (const TensorPtr& input : node->inputs) open.push_back(input == nullptr ? nullptr : input->node.get());
  }
  return means;
}

bool is_made_of_rows(const ReducedLoss& operation, const Tensor& loss, int64_t rows) {
  const int64_t count = operation.count(loss.node->arrays);
  return rows > 0 && count > 0 && count % rows == 0;
}

// Multiplies each element of `x`, (rows, ...) or flat, by its row's factor.
TensorPtr times_rows(const TensorPtr& x, const TensorPtr& factors) {
  const int64_t rows = factors->shape().size();
  const TensorPtr product = binary(binary_index("mul"), reshape(x, {rows, -1}), reshape(factors, {rows, 1}));
  return reshape(product, x->shape());
}

}  // namespace

BatchShare::BatchShare(const Tensor& loss, int64_t rows) : rows_(static_cast<double>(rows)) {
  const ReducedLoss* operation = reduced_loss_of(loss.node.get());
  if (operation == nullptr) {
    means_ = means_behind(loss);
    return;
  }
  is_sum_ = operation->reduction() == Reduction::sum;
  if (is_made_of_rows(*operation, loss, rows)) operation_ = operation;
}

double BatchShare::weight(double loss) const {
  if (operation_ != nullptr) return operation_->weight();
  const bool is_empty = std::isnan(loss) && std::any_of(means_.begin(), means_.end(),
                                                        [](const ReducedLoss* mean) { return mean->weight() == 0; });
  return is_empty ? 0 : rows_;
}

SingleLosses single_losses(const Tensor& loss, int64_t rows) {
  const ReducedLoss* operation = reduced_loss_of(loss.node.get());
  if (operation == nullptr || !is_made_of_rows(*operation, loss, rows)) return {};
  return operation->single(loss.node->inputs);
}

SingleLosses weighted_rows(const SingleLosses& single, const TensorPtr& row_weights) {
  return {times_rows(single.losses, row_weights),
          single.weights == nullptr ? row_weights : times_rows(single.weights, row_weights), single.reduction};
}

TensorPtr reduced(const SingleLosses& single) {
  std::vector<TensorPtr> inputs{single.losses};
  if (single.weights != nullptr) inputs.push_back(single.weights);
  return apply_new<LossReduction>(std::move(inputs), single.reduction);
}

}  // namespace nnlite
