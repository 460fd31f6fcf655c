// Gradients of several tensors with respect to chosen ones, through hooks, and differentiable themselves on request.
#pragma once

#include <memory>
#include <vector>

#include "autograd/recorded.hpp"

namespace nnlite {

// Called with a tensor's complete gradient; returns its replacement.
class GradientHook {
 public:
  virtual ~GradientHook() = default;
  virtual TensorPtr operator()(const TensorPtr& gradient) = 0;
  virtual bool does_nothing() const = 0;
};

// The hooks of a tensor's gradient. While any exist, backward() must use gradients().
struct GradientHooks {
  GradientHooks();
  ~GradientHooks();
  GradientHooks(const GradientHooks&) = delete;
  GradientHooks& operator=(const GradientHooks&) = delete;
  static bool any();

  std::shared_ptr<GradientHook> hook;
  std::weak_ptr<Tensor> retained;  // a tensor that is not a leaf but whose grad is set
};

// The hooks of x, created if there are none; throws if x does not require a gradient.
GradientHooks& hooks_of(const TensorPtr& x);
void retain_grad(const TensorPtr& x);
bool retains_grad(const TensorPtr& x);

struct GradientRequest {
  std::vector<TensorPtr> outputs, seeds;  // seeds: the outputs' gradients; null is 1, for a single element
  std::vector<TensorPtr> inputs;          // empty: all leaves
  bool accumulate = false;                // add the gradients to grad
  bool retain_graph = false;
  // The gradients of the inputs that a node wants, as recorded tensors; if given, the results are recorded too.
  std::vector<TensorPtr> (*derivative)(const Recorded&) = nullptr;
};

// The gradients of the inputs; null for inputs that the outputs do not depend on.
std::vector<TensorPtr> gradients(const GradientRequest& request);

}  // namespace nnlite
