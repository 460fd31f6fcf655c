// Clips gradients between the backward pass and the update, in captured steps and in your own loop.
#pragma once

#include <vector>

#include "autograd/tensor.hpp"

namespace nnlite {

// The 2-norm of several arrays together: the norm of their norms, in double and in the contract's order.
class GradientNorm {
 public:
  explicit GradientNorm(const Arrays& gradients);  // allocates the memory that such gradients need
  double operator()(const Arrays& gradients);

 private:
  std::vector<double> norms_, lanes_;
};

// Scales by max_norm / (norm + 1e-6) if that is below 1, as PyTorch does.
void clip_to_norm(const Arrays& gradients, double norm, double max_norm);

// Clips each element to [-bound, bound].
void clip_to_value(const Arrays& gradients, double bound);

}  // namespace nnlite
