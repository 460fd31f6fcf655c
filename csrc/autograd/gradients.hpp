// Gradients of several tensors by chosen ones, through hooks, and differentiable themselves where that is asked for.
#pragma once

#include <memory>
#include <vector>

#include "autograd/tensor.hpp"

namespace nnlite {

// Sees a tensor's gradient once all of it has arrived, and returns what replaces it.
class GradientHook {
 public:
  virtual ~GradientHook() = default;
  virtual TensorPtr operator()(const TensorPtr& gradient) = 0;
  virtual bool does_nothing() const = 0;
};

// What a tensor's gradient passes through. While there is any, backward() needs gradients().
struct GradientHooks {
  GradientHooks();
  ~GradientHooks();
  GradientHooks(const GradientHooks&) = delete;
  GradientHooks& operator=(const GradientHooks&) = delete;
  static bool any();

  std::shared_ptr<GradientHook> hook;
  std::weak_ptr<Tensor> retained;  // whose grad becomes the gradient, though it is not a leaf
};

// Those of x, made where it has none; throws where it requires no gradient.
GradientHooks& hooks_of(const TensorPtr& x);
void retain_grad(const TensorPtr& x);
bool retains_grad(const TensorPtr& x);

struct GradientRequest {
  std::vector<TensorPtr> outputs, seeds;  // the gradients of the outputs; null: 1, for a single element
  std::vector<TensorPtr> inputs;          // none: all leaves
  bool accumulate = false;                // add the gradients to grad
  bool retain_graph = false, create_graph = false;
  uint64_t since = 0;  // nodes before this number are not passed: what they made counts as leaves
};

// The gradients of the inputs; null where the outputs do not depend on one.
std::vector<TensorPtr> gradients(const GradientRequest& request);

}  // namespace nnlite
