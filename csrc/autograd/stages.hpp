// What happens to the gradients of a captured step between the backward pass and the update.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "autograd/tensor.hpp"

namespace nnlite {

// One stage, which sees all gradients together: clipping, or the sum over processes.
class Stage {
 public:
  virtual ~Stage() = default;
  // Gets all memory that apply() needs for such gradients.
  virtual void prepare(const Arrays&) {}
  // Changes the gradients in place; false: they are not finite, and the step must not be made.
  virtual bool apply(const Arrays& gradients) = 0;
};

// In the order in which they run. A sum over processes belongs before the clipping.
using Stages = std::vector<std::unique_ptr<Stage>>;

// By norm, then by value, as far as they are asked for.
Stages clipping_stages(std::optional<double> max_norm, std::optional<double> max_value);

}  // namespace nnlite
