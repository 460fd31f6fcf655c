// Dropout (Srivastava et al. 2014), inverted: kept elements are scaled by 1 / (1 - p).
#include "autograd/operations.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

class Dropout final : public Operation {
 public:
  explicit Dropout(double p) : p_(p) {}

  const char* name() const override { return "dropout"; }
  Values kept(Values) const override { return 0; }
  Attributes attributes() const override { return {{"p", p_}}; }

  bool is_stateful() const override { return true; }
  void save_state(const Arrays&) override { draws_ = default_generator()->draws(Purpose::dropout); }
  void restore_state(const Arrays&) override { default_generator()->set_draws(Purpose::dropout, draws_); }

  Array infer(const Arrays& in) override {
    mask_ = std::make_unique<Storage>(in[0].bytes());
    return {nullptr, in[0].dtype, in[0].shape};
  }

  void forward(const Arrays& in, const Array& out) override {
    const RandomStream stream = default_generator()->next(Purpose::dropout);
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T keep = static_cast<T>(1 - p_), scale = p_ < 1 ? T(1) / keep : T(0);
      T* mask = static_cast<T*>(mask_->data());
      parallel_spans(out.size(), 4096, 16, [&](int64_t begin, int64_t end) {
        kernels<T>().dropout_mask(mask + begin, begin, end - begin, stream, keep, scale);
        multiply(in[0].as<T>() + begin, mask + begin, out.as<T>() + begin, end - begin);
      });
    });
  }

  void vjp(const Arrays&, const Array&, const Array& dout, const Gradients& din) override {
    dispatch(dout.dtype, [&](auto zero) {
      using T = decltype(zero);
      multiply(dout.as<T>(), static_cast<const T*>(mask_->data()), din[0].as<T>(), dout.size());
    });
  }

 private:
  template <class T>
  static void multiply(const T* a, const T* b, T* y, int64_t n) {
    static const int mul = binary_index("mul");
    kernels<T>().binary[mul].forward(a, 1, b, 1, y, n);
  }

  double p_;
  uint32_t draws_ = 0;
  std::unique_ptr<Storage> mask_;
};

}  // namespace

TensorPtr dropout(const TensorPtr& x, double p) {
  if (!(p >= 0 && p <= 1)) throw std::invalid_argument(text("[dropout] p must be a probability in [0, 1], got ", p));
  require_floating("dropout", x->dtype());
  return apply_new<Dropout>({x}, p);
}

}  // namespace nnlite
