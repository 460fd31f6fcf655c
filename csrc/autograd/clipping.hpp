// Bounding gradients between the backward pass and the update, alike in a captured step and in your own loop.
#pragma once

#include <vector>

#include "autograd/tensor.hpp"

namespace nnlite {

// The 2-norm of several arrays together: the norm of their norms, in double and the contract's order.
class GradientNorm {
 public:
  explicit GradientNorm(const Arrays& gradients);  // gets the memory that norms of such gradients need
  double operator()(const Arrays& gradients);

 private:
  std::vector<double> norms_, lanes_;
};

// Times max_norm / (norm + 1e-6) where that is below 1, as PyTorch has it.
void clip_to_norm(const Arrays& gradients, double norm, double max_norm);

// Each element to [-bound, bound].
void clip_to_value(const Arrays& gradients, double bound);

}  // namespace nnlite
