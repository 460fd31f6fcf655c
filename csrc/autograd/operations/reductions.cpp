// Sums, means and extremes over one dimension or all.
#include "autograd/broadcasting.hpp"
#include "autograd/operations.hpp"
#include "runtime/dispatch.hpp"

namespace nnlite {
namespace {

// x viewed as (outer, axis, inner); for all dimensions, as (1, size, 1).
struct Axes {
  int64_t outer, axis, inner;
  bool batch = false;  // the axis is the first dimension
  Shape out;

  Axes(const char* operation, const Shape& x, int64_t dim, bool keepdim) : outer(1), axis(x.size()), inner(1) {
    if (dim == kAllDims) {
      for (int i = 0; keepdim && i < x.rank(); ++i) out.push_back(1);
      return;
    }
    const int at = normalized_dim(operation, dim, x.rank());
    out = x;
    batch = at == 0;
    if (x.rank() == 0) return;
    outer = x.count(0, at), axis = x[at], inner = x.count(at + 1, x.rank());
    if (keepdim)
      out[at] = 1;
    else
      out.erase(at);
  }
};

class Sum final : public Operation {
 public:
  Sum(int64_t dim, bool keepdim, bool mean) : dim_(dim), keepdim_(keepdim), mean_(mean) {}

  const char* name() const override { return mean_ ? "mean" : "sum"; }
  Values kept(Values) const override { return 0; }
  Attributes attributes() const override { return {{"dim", dim_}, {"keepdim", keepdim_}}; }

  Array infer(const Arrays& in) override {
    return {nullptr, in[0].dtype, Axes(name(), in[0].shape, dim_, keepdim_).out};
  }

  void forward(const Arrays& in, const Array& out) override {
    const Shape& shape = in[0].shape;
    const Axes axes(name(), shape, dim_, keepdim_);
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      if (dim_ == kAllDims)
        *out.as<T>() = shape.rank() == 0 ? *in[0].as<T>()
                                         : kernels<T>().sum_all(in[0].as<T>(), shape[0], shape.count(1, shape.rank()));
      else if (axes.batch)
        sum_batch(in[0].as<T>(), axes.axis, axes.inner, out.as<T>());
      else
        sum_axis(in[0].as<T>(), axes.outer, axes.axis, axes.inner, out.as<T>());
      if (!mean_) return;
      for (int64_t i = 0; i < out.size(); ++i) out.as<T>()[i] /= static_cast<T>(axes.axis);
    });
  }

  void vjp(const Arrays& in, const Array& out, const Array& dout, const Gradients& din) override {
    const Axes axes(name(), in[0].shape, dim_, keepdim_);
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      T* dx = din[0].as<T>();
      for (int64_t i = 0; i < axes.outer; ++i)
        for (int64_t k = 0; k < axes.axis; ++k)
          for (int64_t j = 0; j < axes.inner; ++j) {
            const T dy = dout.as<T>()[i * axes.inner + j];
            *dx++ = mean_ ? dy / static_cast<T>(axes.axis) : dy;
          }
    });
  }

 private:
  int64_t dim_;
  bool keepdim_, mean_;
};

// Which elements get the gradient of a row's largest value: max(dim) gives it to the first, whose index it returns;
// max() and amax() split it among ties. If the largest value is NaN, max() splits among all NaNs, and amax() gives NaN
// to the whole row.
enum class Ties { first, shared, shared_or_nan };

// The largest value of each row of (rows, columns).
class Max final : public Operation {
 public:
  explicit Max(Ties ties) : ties_(ties) {}

  const char* name() const override { return "max"; }
  Values kept(Values) const override { return ties_ == Ties::first ? 0 : 1 | kOutput; }
  Attributes attributes() const override { return {{"ties", static_cast<int64_t>(ties_)}}; }

  Array infer(const Arrays& in) override {
    const Shape& x = in[0].shape;
    if (x.back() == 0)
      throw std::invalid_argument(text("[max] an input of shape ", x, " has no elements to choose from"));
    positions_.resize(static_cast<size_t>(x.count(0, x.rank() - 1)));
    Shape out = x;
    out.erase(x.rank() - 1);
    return {nullptr, in[0].dtype, out};
  }

  void forward(const Arrays& in, const Array& out) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      kernels<T>().max_columns(in[0].as<T>(), out.size(), in[0].shape.back(), out.as<T>(), positions_.data());
    });
  }

  void vjp(const Arrays& in, const Array& out, const Array& dout, const Gradients& din) override {
    const int64_t columns = in[0].shape.back();
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      for (int64_t row = 0; row < out.size(); ++row) {
        const T *x = in[0].as<T>() + row * columns, dy = dout.as<T>()[row];
        T* dx = din[0].as<T>() + row * columns;
        if (ties_ == Ties::first)
          for (int64_t j = 0; j < columns; ++j) dx[j] = j == positions_[static_cast<size_t>(row)] ? dy : T(0);
        else
          share(x, out.as<T>()[row], dy, dx, columns);
      }
    });
  }

 private:
  template <class T>
  void share(const T* x, T largest, T dy, T* dx, int64_t columns) const {
    const bool spreads = ties_ == Ties::shared_or_nan && (largest != largest || dy != dy);
    const auto wins = [&](T value) { return value == largest || (largest != largest && value != value); };
    int64_t count = 0;
    for (int64_t j = 0; j < columns; ++j) count += wins(x[j]);
    const T part = spreads ? largest + dy : dy / static_cast<T>(count);
    for (int64_t j = 0; j < columns; ++j) dx[j] = spreads || wins(x[j]) ? part : T(0);
  }

  Ties ties_;
  std::vector<int64_t> positions_;
};

TensorPtr reduce_sum(const TensorPtr& x, int64_t dim, bool keepdim, bool mean) {
  require_floating(mean ? "mean" : "sum", x->dtype());
  return apply_new<Sum>({x}, dim, keepdim, mean);
}

TensorPtr largest(const TensorPtr& x, int64_t dim, bool keepdim, Ties ties) {
  require_floating("max", x->dtype());
  const Axes axes("max", x->shape(), dim, keepdim);
  if (dim == kAllDims) return reshape(apply_new<Max>({reshape(x, {axes.axis})}, ties), axes.out);
  TensorPtr last = x;
  if (axes.inner != 1) {
    const int at = normalized_dim("max", dim, x->shape().rank());
    std::vector<int> order;
    for (int i = 0; i < x->shape().rank(); ++i)
      if (i != at) order.push_back(i);
    order.push_back(at);
    last = permute(x, order);
  }
  return reshape(apply_new<Max>({reshape(last, {axes.outer * axes.inner, axes.axis})}, ties), axes.out);
}

}  // namespace

TensorPtr sum(const TensorPtr& x, int64_t dim, bool keepdim) {
  return reduce_sum(x, dim, keepdim, false);
}

TensorPtr mean(const TensorPtr& x, int64_t dim, bool keepdim) {
  return reduce_sum(x, dim, keepdim, true);
}

TensorPtr max(const TensorPtr& x, int64_t dim, bool keepdim) {
  return largest(x, dim, keepdim, dim == kAllDims ? Ties::shared : Ties::first);
}

TensorPtr amax(const TensorPtr& x, int64_t dim, bool keepdim) {
  return largest(x, dim, keepdim, Ties::shared_or_nan);
}

TensorPtr min(const TensorPtr& x, int64_t dim, bool keepdim) {
  require_floating("min", x->dtype());
  return unary("neg", max(unary("neg", x), dim, keepdim));
}

TensorPtr amin(const TensorPtr& x, int64_t dim, bool keepdim) {
  require_floating("min", x->dtype());
  return unary("neg", amax(unary("neg", x), dim, keepdim));
}

}  // namespace nnlite
