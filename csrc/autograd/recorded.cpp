#include "autograd/recorded.hpp"

#include "autograd/tape.hpp"

namespace nnlite {

TensorPtr Recorded::input(size_t i) const {
  const TensorPtr& input = node_->inputs[i];
  if (input == nullptr) return nullptr;
  require_unchanged(*node_, i);
  if (input->array().data != node_->arrays[i].data)
    throw std::runtime_error(text("create_graph=True: the data of input ", i, " of [", operation()->name(),
                                  "] was replaced after it was read"));
  return input->past.empty() ? input : input->snapshot(node_->number);
}

TensorPtr Recorded::output() const {
  require_unchanged_output(*node_);
  auto output = std::make_shared<Tensor>(node_->output, node_->output_storage);
  output->node = node_;
  output->set_requires_grad(true);
  return output;
}

TensorPtr Recorded::slope(size_t i) const {
  const TensorPtr ones = full(node_->output.shape, node_->output.dtype, 1);
  auto slope = std::make_shared<Tensor>(arrays()[i].shape, arrays()[i].dtype);
  Gradients all(arrays().size());
  all[i].data = slope->array().data;
  operation()->vjp(node_->arrays, node_->output, ones->array(), all);
  return slope;
}

std::vector<TensorPtr> Operation::differentiable_vjp(const Recorded&) {
  throw std::runtime_error(text("create_graph=True: [", name(), "] has no second derivative here"));
}

}  // namespace nnlite
