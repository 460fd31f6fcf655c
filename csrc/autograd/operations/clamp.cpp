// Clamping to bounds that are tensors and may require a gradient.
#include <algorithm>

#include "autograd/broadcasting.hpp"
#include "autograd/operations.hpp"
#include "runtime/dispatch.hpp"

namespace nnlite {
namespace {

// min(max(x, low), high) of operands of one shape; either bound may be absent, and a NaN in any operand is the result.
// A bound that is the result gets the gradient; x gets it within the bounds and on them, as in PyTorch.
class Clamp final : public Operation {
 public:
  const char* name() const override { return "clamp"; }
  Values kept(Values) const override { return 7; }  // the inputs

  Array infer(const Arrays& in) override { return {nullptr, in[0].dtype, in[0].shape}; }

  void forward(const Arrays& in, const Array& out) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T *x = in[0].as<T>(), *low = in[1].as<T>(), *high = in[2].as<T>();
      for (int64_t i = 0; i < out.size(); ++i) {
        T y = x[i];
        if (low != nullptr && y == y && !(y >= low[i])) y = low[i];
        if (high != nullptr && y == y && !(y <= high[i])) y = high[i];
        out.as<T>()[i] = y;
      }
    });
  }

  void vjp(const Arrays& in, const Array& out, const Array& dout, const Gradients& din) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T *x = in[0].as<T>(), *low = in[1].as<T>(), *high = in[2].as<T>();
      for (int64_t i = 0; i < out.size(); ++i) {
        const bool crossed = low != nullptr && high != nullptr && high[i] < low[i];
        const bool below = low != nullptr && x[i] < low[i], above = high != nullptr && x[i] > high[i];
        const bool within = (low == nullptr || x[i] >= low[i]) && (high == nullptr || x[i] <= high[i]);
        const bool has_room = low == nullptr || high == nullptr || low[i] < high[i];
        const T dy = dout.as<T>()[i];
        if (din[0]) din[0].as<T>()[i] = within ? dy : T(0);
        if (din[1]) din[1].as<T>()[i] = below && has_room ? dy : T(0);
        if (din[2]) din[2].as<T>()[i] = above || crossed ? dy : T(0);
      }
    });
  }
};

}  // namespace

TensorPtr clamp(const TensorPtr& x, const TensorPtr& low, const TensorPtr& high) {
  DType dtype = x->dtype();
  Shape shape = x->shape();
  for (const TensorPtr& bound : {low, high}) {
    if (bound == nullptr) continue;
    // A single value does not promote an array, as in PyTorch.
    if (bound->shape().rank() > 0 || x->shape().rank() == 0) dtype = std::max(dtype, bound->dtype());
    shape = broadcast_shape("clamp", shape, bound->shape());
  }
  require_floating("clamp", dtype);
  const auto whole = [&](const TensorPtr& value) {
    return value == nullptr ? nullptr : broadcast_to(cast(value, dtype), shape);
  };
  return apply_new<Clamp>({whole(x), whole(low), whole(high)});
}

}  // namespace nnlite
