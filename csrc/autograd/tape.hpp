// What passes back over the tape have in common.
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

// Throws where an earlier pass has let go of the node's values, and where a value that its vjp reads has changed since.
void require_readable(const Node& node);
// Throws where input i has changed since.
void require_unchanged(const Node& node, size_t i);
void require_unchanged_output(const Node& node);

void add_into(const Array& target, const Array& term);

// A leaf's data or its existing gradient may have been replaced by one of another shape or type.
void require_same_kind(const Tensor& tensor, const Tensor& gradient);

// `gradient`, or 1 where it is null; throws where it does not fit the root, and where that requires no gradient.
TensorPtr root_gradient(const TensorPtr& root, const TensorPtr& gradient);

}  // namespace nnlite
