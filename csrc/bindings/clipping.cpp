// Clipping of gradients for your own loop.
#include "autograd/clipping.hpp"

#include "bindings/bindings.hpp"
#include "runtime/floating_point.hpp"

namespace nnlite {
namespace {

// Runs f on the gradients' memory.
template <class F>
auto with_gradients(const std::vector<TensorPtr>& gradients, const F& f) {
  double elements = 0;
  for (const TensorPtr& gradient : gradients) {
    if (gradient == nullptr || !is_floating(gradient->dtype()))
      throw TypeError("gradients must be float32 or float64 tensors");
    elements += static_cast<double>(gradient->shape().size());
  }
  return without_gil(elements, [&] {
    const FloatingPointScope scope;
    Arrays arrays;
    for (const TensorPtr& gradient : gradients) arrays.push_back(gradient->values());
    return f(arrays);
  });
}

// The same for an f that changes the gradients.
template <class F>
void change_gradients(const std::vector<TensorPtr>& gradients, const F& f) {
  with_gradients(gradients, f);
  for (const TensorPtr& gradient : gradients) gradient->storage()->count_change();
}

}  // namespace

void define_clipping(py::module_& module) {
  using py::arg;
  using Tensors = std::vector<TensorPtr>;
  module.def(
      "gradient_norm",
      [](const Tensors& gradients) {
        return with_gradients(gradients, [](const Arrays& arrays) { return GradientNorm(arrays)(arrays); });
      },
      arg("gradients"));
  module.def(
      "clip_to_norm",
      [](const Tensors& gradients, double norm, double max_norm) {
        change_gradients(gradients, [&](const Arrays& arrays) { clip_to_norm(arrays, norm, max_norm); });
      },
      arg("gradients"), arg("norm"), arg("max_norm"));
  module.def(
      "clip_to_value",
      [](const Tensors& gradients, double max_value) {
        change_gradients(gradients, [&](const Arrays& arrays) { clip_to_value(arrays, max_value); });
      },
      arg("gradients"), arg("max_value"));
}

}  // namespace nnlite
