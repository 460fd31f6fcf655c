// Functions shared by backward passes.
#pragma once

#include "autograd/tensor.hpp"

namespace nnlite {

// An input as a node saw it: the node that made it, and whether it required a gradient.
struct Origin {
  Node* node = nullptr;
  bool wants_gradient = false;
};

// Called several times per input of a backward pass; the first two lines nearly always suffice.
[[gnu::always_inline]] inline Origin origin_of(const TensorPtr& input, const Node& reader) {
  if (input == nullptr) return {};
  if (input->past.empty()) return {input->node.get(), input->requires_grad()};
  const Tensor::Past then = input->at(reader.number);
  return {then.node.get(), then.requires_grad};
}

// Throws if an earlier pass released the node's values, or if a value that its vjp reads has changed since.
void require_readable(const Node& node);
// Throws if input i has changed since.
void require_unchanged(const Node& node, size_t i);
void require_unchanged_output(const Node& node);

void add_into(const Array& target, const Array& term);

// A leaf's data or its existing gradient may have been replaced by one of another shape or type.
void require_same_kind(const Tensor& tensor, const Tensor& gradient);

// `gradient`, or 1 if it is null; throws if it does not match the root or the root does not require a gradient.
TensorPtr root_gradient(const TensorPtr& root, const TensorPtr& gradient);

}  // namespace nnlite
