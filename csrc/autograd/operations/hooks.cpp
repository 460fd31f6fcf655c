// A function that is called with the gradient on its way back.
#include <atomic>
#include <cstring>

#include "autograd/operations.hpp"
#include "autograd/trace.hpp"

namespace nnlite {
namespace {

std::atomic<int64_t> alive{0};

class Hooked final : public Operation {
 public:
  explicit Hooked(GradientHook hook) : hook_(std::move(hook)) { ++alive; }
  ~Hooked() override { --alive; }
  Hooked(const Hooked&) = delete;
  Hooked& operator=(const Hooked&) = delete;

  const char* name() const override { return "hook"; }
  Values kept(Values) const override { return 0; }
  bool aliases_input() const override { return true; }

  Array infer(const Arrays& in) override { return {nullptr, in[0].dtype, in[0].shape}; }
  void forward(const Arrays&, const Array&) override {}
  void vjp(const Arrays&, const Array&, const Array& dout, const Gradients& din) override {
    auto gradient = std::make_shared<Tensor>(dout.shape, dout.dtype);
    std::memcpy(gradient->array().data, dout.data, dout.bytes());
    const TensorPtr passed = hook_(gradient);
    if (passed->shape() != dout.shape || passed->dtype() != dout.dtype)
      throw std::invalid_argument(text("a backward hook gave a gradient of shape ", passed->shape(), " and type ",
                                       name_of(passed->dtype()), " in place of shape ", dout.shape, " and type ",
                                       name_of(dout.dtype)));
    std::memcpy(din[0].data, passed->values().data, dout.bytes());
  }

 private:
  GradientHook hook_;
};

}  // namespace

TensorPtr hooked(const TensorPtr& x, GradientHook hook) {
  if (Trace::current() != nullptr) throw CaptureError("a captured step cannot run backward hooks; pass compile=False");
  return apply_new<Hooked>({x}, std::move(hook));
}

bool any_hooks() {
  return alive > 0;
}

}  // namespace nnlite
