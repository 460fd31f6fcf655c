// Softmax and its logarithm along any dimension; the kernels work along the last.
#include "autograd/operations.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

constexpr double kWork = 32;  // flops per element, an exp included

class Softmax final : public Operation {
 public:
  explicit Softmax(bool logarithm) : logarithm_(logarithm) {}

  const char* name() const override { return logarithm_ ? "log_softmax" : "softmax"; }
  Values kept(Values) const override { return kOutput; }

  Array infer(const Arrays& in) override {
    columns_ = in[0].shape.rank() == 0 ? 1 : in[0].shape.back();
    rows_ = columns_ == 0 ? 0 : in[0].shape.size() / columns_;
    return {nullptr, in[0].dtype, in[0].shape};
  }

  void forward(const Arrays& in, const Array& out) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      const auto function = logarithm_ ? kernels<T>().log_softmax : kernels<T>().softmax;
      for_rows([&](int64_t row, int64_t rows) {
        function(in[0].as<T>() + row * columns_, out.as<T>() + row * columns_, rows, columns_);
      });
    });
  }

  void vjp(const Arrays&, const Array& out, const Array& dout, const Gradients& din) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      const auto function = logarithm_ ? kernels<T>().log_softmax_backward : kernels<T>().softmax_backward;
      for_rows([&](int64_t row, int64_t rows) {
        const int64_t at = row * columns_;
        function(out.as<T>() + at, dout.as<T>() + at, din[0].as<T>() + at, rows, columns_);
      });
    });
  }

 private:
  template <class F>
  void for_rows(const F& f) const {
    parallel_spans(rows_, 16, kWork * static_cast<double>(columns_),
                   [&](int64_t begin, int64_t end) { f(begin, end - begin); });
  }

  bool logarithm_;
  int64_t rows_ = 0, columns_ = 0;
};

TensorPtr along(const TensorPtr& x, int64_t dim, bool logarithm) {
  const char* name = logarithm ? "log_softmax" : "softmax";
  require_floating(name, x->dtype());
  const int at = normalized_dim(name, dim, x->shape().rank());
  const int last = x->shape().rank() - 1;
  if (at >= last) return apply_new<Softmax>({x}, logarithm);
  std::vector<int> order;
  for (int i = 0; i <= last; ++i) order.push_back(i == at ? last : i == last ? at : i);
  return permute(apply_new<Softmax>({permute(x, order)}, logarithm), order);
}

}  // namespace

TensorPtr softmax(const TensorPtr& x, int64_t dim) {
  return along(x, dim, false);
}

TensorPtr log_softmax(const TensorPtr& x, int64_t dim) {
  return along(x, dim, true);
}

}  // namespace nnlite
