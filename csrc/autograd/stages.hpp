// Stages between the backward pass and the update of a captured step, which change its gradients.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "autograd/tensor.hpp"

namespace nnlite {

// A stage processes all gradients together: clipping, or the sum over processes.
class Stage {
 public:
  virtual ~Stage() = default;
  // Allocates all memory that apply() needs for such gradients.
  virtual void prepare(const Arrays&) {}
  // Changes the gradients in place. False: they are not finite, and the parameters must not be updated.
  virtual bool apply(const Arrays& gradients) = 0;
};

// In the order in which they run. A sum over processes must precede clipping.
using Stages = std::vector<std::unique_ptr<Stage>>;

// Clipping by norm, then by value, as far as requested.
Stages clipping_stages(std::optional<double> max_norm, std::optional<double> max_value);

}  // namespace nnlite
