// A node as differentiable_vjp() sees it: its inputs, its output and the output's gradient as recorded tensors.
#pragma once

#include <memory>

#include "autograd/tensor.hpp"

namespace nnlite {

class Recorded {
 public:
  Recorded(std::shared_ptr<Node> node, TensorPtr gradient, std::vector<char> wanted)
      : gradient(std::move(gradient)), node_(std::move(node)), wanted_(std::move(wanted)) {}

  const TensorPtr gradient;

  bool wants(size_t i) const { return wanted_[i] != 0; }
  const OperationPtr& operation() const { return node_->operation; }
  const Arrays& arrays() const { return node_->arrays; }  // for their shapes and types
  // Throw if the values have changed since.
  TensorPtr input(size_t i) const;
  TensorPtr output() const;
  // The gradient of input i for an output gradient of 1, not recorded.
  TensorPtr slope(size_t i) const;

 private:
  std::shared_ptr<Node> node_;
  std::vector<char> wanted_;
};

}  // namespace nnlite
