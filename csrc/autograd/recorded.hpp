// A node as a rule for differentiable gradients sees it: its inputs, its output and the output's gradient as recorded
// tensors.
#pragma once

#include <memory>

#include "autograd/tensor.hpp"

namespace nnlite {

class Recorded {
 public:
  Recorded(std::shared_ptr<Node> node, TensorPtr gradient, std::vector<char> wanted)
      : gradient(std::move(gradient)), node_(std::move(node)), wanted_(std::move(wanted)) {}

  const TensorPtr gradient;

  const OperationPtr& operation() const { return node_->operation; }
  const Arrays& arrays() const { return node_->arrays; }  // of the inputs, for their shapes and types
  bool wants(size_t i) const { return wanted_[i] != 0; }
  // Throw if the values have changed since.
  TensorPtr input(size_t i) const;
  TensorPtr output() const;
  // The gradient of input i for an output gradient of 1, not recorded.
  TensorPtr slope(size_t i) const;
  // The gradient of input i of an operation that is linear in it, by the operation's own vjp from the output's
  // gradient.
  TensorPtr adjoint(size_t i, const TensorPtr& from) const;

 private:
  std::shared_ptr<Node> node_;
  std::vector<char> wanted_;
};

}  // namespace nnlite
