// Elementwise losses, from the kernels' table.
#include "autograd/reduced_loss.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

constexpr const char* kReductionNames[] = {"none", "mean", "sum", "batchmean"};

class ElementwiseLoss final : public ReducedLoss {
 public:
  ElementwiseLoss(int index, Reduction reduction, double parameter)
      : ReducedLoss(reduction), index_(index), parameter_(parameter) {}

  const char* name() const override { return kernels<float>().losses[index_].name; }
  Values kept(Values) const override { return ~kOutput; }
  Attributes attributes() const override { return {{"reduction", name_of(reduction_)}, {"parameter", parameter_}}; }

  Array infer(const Arrays& in) override {
    if (in[0].shape != in[1].shape)
      throw std::invalid_argument(text('[', name(), "] input has shape ", in[0].shape, ", target ", in[1].shape,
                                       ": they must be equal; reshape one of them"));
    const Shape& shape = in[0].shape;
    rows_ = shape.rank() == 0 ? 1 : shape[0], columns_ = shape.rank() == 0 ? 1 : shape.count(1, shape.rank());
    return {nullptr, in[0].dtype, reduction_ == Reduction::none ? shape : Shape()};
  }

  void forward(const Arrays& in, const Array& out) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      const LossKernel<T>& kernel = kernels<T>().losses[index_];
      const T *x = in[0].as<T>(), *t = in[1].as<T>(), parameter = static_cast<T>(parameter_);
      if (reduction_ == Reduction::none)
        return parallel_spans(out.size(), 4096, 16, [&](int64_t begin, int64_t end) {
          kernel.forward(x + begin, t + begin, out.as<T>() + begin, end - begin, parameter);
        });
      weight_ = static_cast<double>(rows_);
      *out.as<T>() = divided(kernels<T>().loss_sum(kernel, x, t, rows_, columns_, parameter), columns_);
    });
  }

  void vjp(const Arrays& in, const Array&, const Array& dout, const Gradients& din) override {
    dispatch(dout.dtype, [&](auto zero) {
      using T = decltype(zero);
      const LossKernel<T>& kernel = kernels<T>().losses[index_];
      const int64_t stride = reduction_ == Reduction::none ? 1 : 0;
      const T share = stride == 1 ? T(0) : gradient_share(*dout.as<T>(), columns_);
      const T* dloss = stride == 1 ? dout.as<T>() : &share;
      const auto gradient = [&](auto function, T* to) {
        parallel_spans(in[0].size(), 4096, 16, [&](int64_t begin, int64_t end) {
          function(in[0].as<T>() + begin, in[1].as<T>() + begin, dloss + begin * stride, stride, to + begin,
                   end - begin, static_cast<T>(parameter_));
        });
      };
      if (din[0]) gradient(kernel.backward, din[0].as<T>());
      if (!din[1]) return;
      T* to = din[1].as<T>();
      if (kernel.target_backward != nullptr) return gradient(kernel.target_backward, to);
      gradient(kernel.backward, to);
      kernels<T>().scale(to, T(-1), to, in[1].size());
    });
  }

  int64_t count(const Arrays& in) const override { return in[0].size(); }

  SingleLosses single(const std::vector<TensorPtr>& inputs) const override {
    return {apply_new<ElementwiseLoss>(inputs, index_, Reduction::none, parameter_), nullptr, reduction_};
  }

 private:
  int index_;
  double parameter_;
  int64_t rows_ = 0, columns_ = 0;
};

}  // namespace

Reduction reduction_of(const std::string& name, bool of_divergence) {
  for (int i = 0; i < (of_divergence ? 4 : 3); ++i)
    if (name == kReductionNames[i]) return static_cast<Reduction>(i);
  throw std::invalid_argument(text("reduction '", name, "' is unknown; use 'none', 'mean' or 'sum'"));
}

const char* name_of(Reduction reduction) {
  return kReductionNames[static_cast<int>(reduction)];
}

int loss_index(const std::string& name) {
  const Kernels<float>& table = kernels<float>();
  for (int i = 0; i < table.loss_count; ++i)
    if (name == table.losses[i].name) return i;
  throw std::invalid_argument(text("loss '", name, "' is unknown"));
}

TensorPtr elementwise_loss(int index, const TensorPtr& x, const TensorPtr& target, Reduction reduction,
                           double parameter) {
  const char* name = kernels<float>().losses[index].name;
  require_floating(name, x->dtype()), require_floating(name, target->dtype());
  const DType dtype = std::max(x->dtype(), target->dtype());
  return apply_new<ElementwiseLoss>({cast(x, dtype), cast(target, dtype)}, index, reduction, parameter);
}

}  // namespace nnlite
