// Layer and batch normalisation.
#include <algorithm>
#include <cmath>

#include "autograd/broadcasting.hpp"
#include "autograd/operations.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

constexpr double kWork = 8;  // flops per element

std::unique_ptr<Storage> room_for(int64_t count, DType dtype) {
  return std::make_unique<Storage>(static_cast<size_t>(count) * size_of(dtype));
}

template <class T>
T* data(const std::unique_ptr<Storage>& storage) {
  return static_cast<T*>(storage->data());
}

void require_size(const char* name, const char* what, const Array& array, const Shape& shape) {
  if (array && array.shape != shape)
    throw std::invalid_argument(text('[', name, "] ", what, " has shape ", array.shape, ", it must be ", shape));
}

// Inputs x (..., C), weight and bias of the normalised shape.
class LayerNorm final : public Operation {
 public:
  LayerNorm(int normalized_rank, double eps) : normalized_rank_(normalized_rank), eps_(eps) {}

  const char* name() const override { return "layer_norm"; }
  Values kept(Values wanted) const override { return (wanted & 1) << 1; }
  Attributes attributes() const override { return {{"normalized_rank", normalized_rank_}, {"eps", eps_}}; }

  Array infer(const Arrays& in) override {
    const Shape& x = in[0].shape;
    const int first = x.rank() - normalized_rank_;
    if (normalized_rank_ < 1 || first < 0)
      throw std::invalid_argument(
          text("[layer_norm] cannot normalise the last ", normalized_rank_, " dimensions of shape ", x));
    Shape normalized;
    for (int i = first; i < x.rank(); ++i) normalized.push_back(x[i]);
    require_size(name(), "weight", in[1], normalized);
    require_size(name(), "bias", in[2], normalized);
    rows_ = x.count(0, first), columns_ = normalized.size();
    normalized_ = room_for(x.size(), in[0].dtype);
    inverse_std_ = room_for(rows_, in[0].dtype);
    return {nullptr, in[0].dtype, x};
  }

  void forward(const Arrays& in, const Array& out) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      for_rows([&](int64_t row, int64_t rows) {
        const int64_t at = row * columns_;
        kernels<T>().layer_norm(in[0].as<T>() + at, in[1].as<T>(), in[2].as<T>(), static_cast<T>(eps_),
                                out.as<T>() + at, data<T>(normalized_) + at, data<T>(inverse_std_) + row, rows,
                                columns_);
      });
    });
  }

  void vjp(const Arrays& in, const Array&, const Array& dout, const Gradients& din) override {
    dispatch(dout.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* normalized = data<T>(normalized_);
      if (din[0])
        for_rows([&](int64_t row, int64_t rows) {
          const int64_t at = row * columns_;
          kernels<T>().layer_norm_backward(normalized + at, data<T>(inverse_std_) + row, in[1].as<T>(),
                                           dout.as<T>() + at, din[0].as<T>() + at, rows, columns_);
        });
      if (din[1]) {
        T* product = product_.of<T>(dout.size());
        static const int mul = binary_index("mul");
        kernels<T>().binary[mul].forward(dout.as<T>(), 1, normalized, 1, product, dout.size());
        sum_batch(product, rows_, columns_, din[1].as<T>());
      }
      if (din[2]) sum_batch(dout.as<T>(), rows_, columns_, din[2].as<T>());
    });
  }

 private:
  template <class F>
  void for_rows(const F& f) const {
    parallel_spans(rows_, 16, kWork * static_cast<double>(columns_),
                   [&](int64_t begin, int64_t end) { f(begin, end - begin); });
  }

  int normalized_rank_;
  double eps_;
  int64_t rows_ = 0, columns_ = 0;
  std::unique_ptr<Storage> normalized_, inverse_std_;
  Scratch product_;
};

// Inputs x (N, C), running mean and variance, weight, bias (C), number of batches seen (). Training uses the batch's
// statistics and updates the running ones (variance with N/(N-1), as in PyTorch): by `momentum`, or to the cumulative
// average if it is negative.
class BatchNorm final : public Operation {
 public:
  explicit BatchNorm(const BatchNormSettings& settings) : settings_(settings) {}

  const char* name() const override { return "batch_norm"; }
  Values kept(Values wanted) const override { return (wanted & 1) << 3; }
  Attributes attributes() const override {
    return {{"training", settings_.training}, {"momentum", settings_.momentum}, {"eps", settings_.eps}};
  }

  bool is_stateful() const override { return settings_.training; }
  bool writes_input(size_t i) const override { return settings_.training && (i == 1 || i == 2 || i == 5); }
  void save_state(const Arrays& in) override {
    for (size_t i : kRunning) saved_[i].assign(in[i].as<char>(), in[i].as<char>() + (in[i] ? in[i].bytes() : 0));
  }
  void restore_state(const Arrays& in) override {
    for (size_t i : kRunning) std::copy(saved_[i].begin(), saved_[i].end(), in[i].as<char>());
  }

  Array infer(const Arrays& in) override {
    rows_ = in[0].shape[0], columns_ = in[0].shape[1];
    static constexpr const char* kWhat[] = {"", "running_mean", "running_var", "weight", "bias"};
    for (size_t i = 1; i < 5; ++i) require_size(name(), kWhat[i], in[i], Shape{columns_});
    use_batch_ = settings_.training || !in[1];
    if (use_batch_ && rows_ < 2)
      throw std::invalid_argument(
          text("[batch_norm] training needs more than one value per channel, got an input of shape ", in[0].shape,
               ": use another batch size, or skip a last batch of one row with drop_last=True"));
    normalized_ = room_for(in[0].size(), in[0].dtype);
    scratch_ = room_for(in[0].size(), in[0].dtype);
    statistics_ = room_for(4 * columns_, in[0].dtype);
    return {nullptr, in[0].dtype, in[0].shape};
  }

  void forward(const Arrays& in, const Array& out) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      T *mean = data<T>(statistics_), *inverse_std = mean + columns_;
      if (use_batch_)
        batch_statistics(in, mean, inverse_std);
      else
        for (int64_t j = 0; j < columns_; ++j) mean[j] = in[1].as<T>()[j], inverse_std[j] = in[2].as<T>()[j];
      for (int64_t j = 0; j < columns_; ++j)
        inverse_std[j] = T(1) / std::sqrt(inverse_std[j] + static_cast<T>(settings_.eps));
      for_rows([&](int64_t row, int64_t rows) {
        const int64_t at = row * columns_;
        kernels<T>().normalize_columns(in[0].as<T>() + at, mean, inverse_std, in[3].as<T>(), in[4].as<T>(),
                                       out.as<T>() + at, data<T>(normalized_) + at, rows, columns_);
      });
    });
  }

  void vjp(const Arrays& in, const Array& out, const Array& dout, const Gradients& din) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      T *inverse_std = data<T>(statistics_) + columns_, *sum_dy = inverse_std + columns_,
        *sum_product = sum_dy + columns_;
      sum_batch(dout.as<T>(), rows_, columns_, sum_dy);
      multiply(dout.as<T>(), data<T>(normalized_), data<T>(scratch_), out.size());
      sum_batch(data<T>(scratch_), rows_, columns_, sum_product);
      for (int64_t j = 0; j < columns_; ++j) {
        if (din[3]) din[3].as<T>()[j] = sum_product[j];
        if (din[4]) din[4].as<T>()[j] = sum_dy[j];
        sum_dy[j] /= static_cast<T>(rows_), sum_product[j] /= static_cast<T>(rows_);
      }
      if (!din[0]) return;
      for_rows([&](int64_t row, int64_t rows) {
        const int64_t at = row * columns_;
        kernels<T>().batch_norm_backward(data<T>(normalized_) + at, inverse_std, in[3].as<T>(), dout.as<T>() + at,
                                         use_batch_ ? sum_dy : nullptr, sum_product, din[0].as<T>() + at, rows,
                                         columns_);
      });
    });
  }

 private:
  // Mean and (biased) variance of the batch; updates the running statistics.
  template <class T>
  void batch_statistics(const Arrays& in, T* mean, T* variance) {
    T *x = in[0].as<T>(), *centred = data<T>(normalized_), *squares = data<T>(scratch_);
    const T count = static_cast<T>(rows_);
    sum_batch(x, rows_, columns_, mean);
    for (int64_t j = 0; j < columns_; ++j) mean[j] /= count;
    kernels<T>().normalize_columns(x, mean, nullptr, nullptr, nullptr, nullptr, centred, rows_, columns_);
    multiply(centred, centred, squares, in[0].size());
    sum_batch(squares, rows_, columns_, variance);
    for (int64_t j = 0; j < columns_; ++j) variance[j] /= count;
    if (!settings_.training || !in[1]) return;
    if (in[5]) ++*in[5].as<int64_t>();
    const double momentum =
        settings_.momentum < 0 ? 1.0 / static_cast<double>(*in[5].as<int64_t>()) : settings_.momentum;
    const T rate = static_cast<T>(momentum), keep = static_cast<T>(1 - momentum), unbias = count / (count - 1);
    for (int64_t j = 0; j < columns_; ++j) {
      in[1].as<T>()[j] = keep * in[1].as<T>()[j] + rate * mean[j];
      in[2].as<T>()[j] = keep * in[2].as<T>()[j] + rate * (variance[j] * unbias);
    }
  }

  template <class T>
  static void multiply(const T* a, const T* b, T* y, int64_t n) {
    static const int mul = binary_index("mul");
    kernels<T>().binary[mul].forward(a, 1, b, 1, y, n);
  }

  template <class F>
  void for_rows(const F& f) const {
    parallel_spans(rows_, 16, kWork * static_cast<double>(columns_),
                   [&](int64_t begin, int64_t end) { f(begin, end - begin); });
  }

  static constexpr size_t kRunning[] = {1, 2, 5};  // the inputs that training updates

  BatchNormSettings settings_;
  std::vector<char> saved_[6];
  bool use_batch_ = true;
  int64_t rows_ = 0, columns_ = 0;
  std::unique_ptr<Storage> normalized_, scratch_;
  std::unique_ptr<Storage> statistics_;  // mean, inverse_std, and two sums of the backward pass
};

void require_dtype(const char* name, const TensorPtr& x, std::initializer_list<TensorPtr> others) {
  require_floating(name, x->dtype());
  for (const TensorPtr& other : others)
    if (other != nullptr && other->dtype() != x->dtype())
      throw TypeError(text('[', name, "] x is ", name_of(x->dtype()), ", its parameters are ", name_of(other->dtype()),
                           ": they must agree"));
}

}  // namespace

TensorPtr layer_norm(const TensorPtr& x, int normalized_rank, const TensorPtr& weight, const TensorPtr& bias,
                     double eps) {
  require_dtype("layer_norm", x, {weight, bias});
  return apply_new<LayerNorm>({x, weight, bias}, normalized_rank, eps);
}

TensorPtr batch_norm(const TensorPtr& x, const BatchNormState& state, const TensorPtr& weight, const TensorPtr& bias,
                     const BatchNormSettings& settings) {
  const auto& [running_mean, running_var, batches] = state;
  if (settings.momentum < 0 && batches == nullptr)
    throw std::invalid_argument("[batch_norm] a cumulative average (momentum=None) needs num_batches_tracked");
  require_dtype("batch_norm", x, {running_mean, running_var, weight, bias});
  const Shape& shape = x->shape();
  if (shape.rank() != 2 && shape.rank() != 3)
    throw std::invalid_argument(text("[batch_norm] input must be (N, C) or (N, C, L), it has shape ", shape));
  if (shape.rank() == 2) return apply_new<BatchNorm>({x, running_mean, running_var, weight, bias, batches}, settings);
  const Shape moved{shape[0], shape[2], shape[1]};
  const TensorPtr rows = reshape(permute(x, {0, 2, 1}), {shape[0] * shape[2], shape[1]});
  return permute(
      reshape(apply_new<BatchNorm>({rows, running_mean, running_var, weight, bias, batches}, settings), moved),
      {0, 2, 1});
}

}  // namespace nnlite
