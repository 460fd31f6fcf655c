// Affine maps and matrix products.
#include "autograd/broadcasting.hpp"
#include "autograd/operations.hpp"
#include "autograd/optimizer.hpp"
#include "runtime/matrix_product.hpp"

namespace nnlite {
namespace {

template <class T>
MatrixView<T> rows_of(const void* data, int64_t columns) {
  return {static_cast<const T*>(data), columns, 1};
}

template <class T>
MatrixView<T> transposed(const void* data, int64_t columns) {
  return {static_cast<const T*>(data), 1, columns};
}

// y (..., O) = x (..., I) weight (O, I)^T + bias (O)
class Linear final : public Operation {
 public:
  const char* name() const override { return "linear"; }
  Values kept(Values wanted) const override { return (wanted & 1) << 1 | (wanted >> 1 & 1); }

  Array infer(const Arrays& in) override {
    const Shape &x = in[0].shape, &weight = in[1].shape;
    if (weight.rank() != 2)
      throw std::invalid_argument(text("[linear] weight must have 2 dimensions (out, in), it has shape ", weight));
    if (x.rank() == 0 || x.back() != weight[1])
      throw std::invalid_argument(
          text("[linear] x has shape ", x, ", weight ", weight, ": x's last dimension must be ", weight[1]));
    if (in[2].data != nullptr && in[2].shape != Shape{weight[0]})
      throw std::invalid_argument(
          text("[linear] bias has shape ", in[2].shape, ", weight ", weight, ": bias must be (", weight[0], ",)"));
    Shape out = x;
    out[x.rank() - 1] = weight[0];
    rows_ = x.count(0, x.rank() - 1), inputs_ = weight[1], outputs_ = weight[0];
    return {nullptr, in[0].dtype, out};
  }

  void forward(const Arrays& in, const Array& out) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      const MatrixView<T> weight =
          frozen_ == nullptr ? transposed<T>(in[1].data, inputs_) : rows_of<T>(frozen_->data(), outputs_);
      GemmTask<T> task{rows_,    outputs_, inputs_, rows_of<T>(in[0].data, inputs_), weight, out.as<T>(),
                       outputs_, false,    {}};
      task.epilogue.bias = in[2].as<T>();
      matrix_product(task);
    });
  }

  // dx = dy weight; dweight = dy^T x and dbias = sum of dy, over the batch. dx comes first: it needs the weight before
  // its update.
  void vjp(const Arrays& in, const Array& out, const Array& dout, const Gradients& din) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      if (din[0])
        matrix_product(GemmTask<T>{rows_,
                                   inputs_,
                                   outputs_,
                                   rows_of<T>(dout.data, outputs_),
                                   rows_of<T>(in[1].data, inputs_),
                                   din[0].as<T>(),
                                   inputs_,
                                   false,
                                   {}});
      if (din[1]) weight_gradient<T>(in, dout, din[1]);
      if (din[2]) bias_gradient<T>(in, dout, din[2]);
    });
  }

  bool can_update(size_t input) const override { return input > 0; }

  // Transposes the weight once instead of in every product.
  void freeze(const Arrays& in) override {
    frozen_ = std::make_unique<Storage>(in[1].bytes());
    dispatch(in[1].dtype, [&](auto zero) {
      using T = decltype(zero);
      kernels<T>().transpose(in[1].as<T>(), outputs_, inputs_, static_cast<T*>(frozen_->data()));
    });
  }
  void thaw() override { frozen_ = nullptr; }

  double work(const Arrays&, const Array&) const override {
    return 2.0 * static_cast<double>(rows_) * static_cast<double>(inputs_) * static_cast<double>(outputs_);
  }

 private:
  template <class T>
  void weight_gradient(const Arrays& in, const Array& dout, const Gradient& gradient) {
    GemmTask<T> task{
        outputs_, inputs_, rows_, transposed<T>(dout.data, outputs_), rows_of<T>(in[0].data, inputs_), gradient.as<T>(),
        inputs_,  true,    {}};
    Update<T> update;
    if (gradient.update != nullptr) {
      update = gradient.update->current<T>();
      task.epilogue.update = &update;
    }
    matrix_product(task);
  }

  template <class T>
  void bias_gradient(const Arrays& in, const Array& dout, const Gradient& gradient) {
    if (gradient.update == nullptr) return sum_batch(dout.as<T>(), rows_, outputs_, gradient.as<T>());
    auto* sums = static_cast<T*>(bias_sums(in[2].bytes()));
    sum_batch(dout.as<T>(), rows_, outputs_, sums);
    update_parameter(in[2], sums, *gradient.update);
  }

  void* bias_sums(size_t bytes) {
    if (bias_sums_ == nullptr) bias_sums_ = std::make_unique<Storage>(bytes);
    return bias_sums_->data();
  }

  int64_t rows_ = 0, inputs_ = 0, outputs_ = 0;
  std::unique_ptr<Storage> bias_sums_, frozen_;
};

// c (..., M, N) = a (..., M, K) b (..., K, N), the leading dimensions broadcast.
class Matmul final : public Operation {
 public:
  const char* name() const override { return "matmul"; }
  Values kept(Values wanted) const override { return (wanted & 1) << 1 | (wanted >> 1 & 1); }

  Array infer(const Arrays& in) override {
    const Shape &a = in[0].shape, &b = in[1].shape;
    m_ = a[a.rank() - 2], k_ = a.back(), n_ = b.back();
    if (b[b.rank() - 2] != k_)
      throw std::invalid_argument(
          text("[matmul] a has shape ", a, ", b ", b, ": inner sizes ", k_, " and ", b[b.rank() - 2], " differ"));
    a_batch_ = batch_of(a), b_batch_ = batch_of(b);
    batch_ = broadcast_shape("matmul", a_batch_, b_batch_);
    runs_ = Broadcast(batch_, a_batch_, b_batch_);
    Shape out = batch_;
    out.push_back(m_), out.push_back(n_);
    return {nullptr, in[0].dtype, out};
  }

  void forward(const Arrays& in, const Array& out) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      for_matrices([&](int64_t a, int64_t b, int64_t c) {
        matrix_product(GemmTask<T>{m_,
                                   n_,
                                   k_,
                                   rows_of<T>(in[0].as<T>() + a * m_ * k_, k_),
                                   rows_of<T>(in[1].as<T>() + b * k_ * n_, n_),
                                   out.as<T>() + c * m_ * n_,
                                   n_,
                                   false,
                                   {}});
      });
    });
  }

  // da = dc b^T, db = a^T dc (over the rows of a, which form a batch).
  void vjp(const Arrays& in, const Array& out, const Array& dout, const Gradients& din) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      if (din[0])
        gradient_of<T>(a_batch_, {m_, k_}, din[0].as<T>(), [&](int64_t, int64_t b, int64_t c, T* to) {
          matrix_product(GemmTask<T>{m_,
                                     k_,
                                     n_,
                                     rows_of<T>(dout.as<T>() + c * m_ * n_, n_),
                                     transposed<T>(in[1].as<T>() + b * k_ * n_, n_),
                                     to,
                                     k_,
                                     false,
                                     {}});
        });
      if (din[1])
        gradient_of<T>(b_batch_, {k_, n_}, din[1].as<T>(), [&](int64_t a, int64_t, int64_t c, T* to) {
          matrix_product(GemmTask<T>{k_,
                                     n_,
                                     m_,
                                     transposed<T>(in[0].as<T>() + a * m_ * k_, k_),
                                     rows_of<T>(dout.as<T>() + c * m_ * n_, n_),
                                     to,
                                     n_,
                                     true,
                                     {}});
        });
    });
  }

  double work(const Arrays&, const Array& out) const override {
    return 2.0 * static_cast<double>(out.size()) * static_cast<double>(k_);
  }

 private:
  static Shape batch_of(const Shape& shape) {
    Shape batch = shape;
    batch.erase(shape.rank() - 1), batch.erase(shape.rank() - 2);
    return batch;
  }

  template <class F>
  void for_matrices(const F& f) const {
    runs_.for_runs([&](const BroadcastRun& run) {
      for (int64_t i = 0; i < run.count; ++i) f(run.a + i * run.a_stride, run.b + i * run.b_stride, run.out + i);
    });
  }

  template <class T, class F>
  void gradient_of(const Shape& operand_batch, const Shape& matrix, T* gradient, const F& product) {
    const int64_t size = matrix.size();
    Shape full_shape = batch_, shape = operand_batch;
    for (int64_t dim : matrix) full_shape.push_back(dim), shape.push_back(dim);
    const bool whole = shape.size() == full_shape.size();
    T* full = whole ? gradient : full_.of<T>(full_shape.size());
    for_matrices([&](int64_t a, int64_t b, int64_t c) { product(a, b, c, full + c * size); });
    if (!whole) sum_to_shape(full, full_shape, gradient, shape, sums_);
  }

  int64_t m_ = 0, n_ = 0, k_ = 0;
  Shape batch_, a_batch_, b_batch_;
  Broadcast runs_;
  Scratch full_;
  std::array<Scratch, 2> sums_;
};

TensorPtr with_dim(const TensorPtr& x, int at) {
  Shape shape = x->shape();
  shape.insert(at, 1);
  return reshape(x, shape);
}

TensorPtr without_dim(const TensorPtr& x, int at) {
  Shape shape = x->shape();
  shape.erase(at);
  return reshape(x, shape);
}

}  // namespace

TensorPtr linear(const TensorPtr& x, const TensorPtr& weight, const TensorPtr& bias) {
  if (x->dtype() != weight->dtype() || !is_floating(x->dtype()))
    throw TypeError(text("[linear] x is ", name_of(x->dtype()), ", weight ", name_of(weight->dtype()),
                         ": both must be the same floating type (use .float() or .double())"));
  if (bias != nullptr && bias->dtype() != weight->dtype())
    throw TypeError(
        text("[linear] bias is ", name_of(bias->dtype()), ", weight ", name_of(weight->dtype()), ": they must agree"));
  return apply_new<Linear>({x, weight, bias});
}

TensorPtr matmul(const TensorPtr& a, const TensorPtr& b) {
  require_floating("matmul", a->dtype()), require_floating("matmul", b->dtype());
  if (a->shape().rank() == 0 || b->shape().rank() == 0)
    throw std::invalid_argument(
        text("[matmul] a has shape ", a->shape(), ", b ", b->shape(), ": both need at least 1 dimension"));
  const DType dtype = std::max(a->dtype(), b->dtype());
  const bool row = a->shape().rank() == 1, column = b->shape().rank() == 1;
  const TensorPtr left = cast(row ? with_dim(a, 0) : a, dtype), right = cast(column ? with_dim(b, 1) : b, dtype);
  TensorPtr product = apply_new<Matmul>({left, right});
  if (row) product = without_dim(product, product->shape().rank() - 2);
  if (column) product = without_dim(product, product->shape().rank() - 1);
  return product;
}

}  // namespace nnlite
