// Elementwise functions of one and two tensors, selection between two, and conversion.
#include <cmath>
#include <cstring>

#include "autograd/broadcasting.hpp"
#include "autograd/operations.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

constexpr int64_t kGrain = 4096;        // elements of the smallest span worth a task
constexpr double kWorkOfFunction = 16;  // flops of an exp or the like, per element

constexpr Operation::Values kInput = 1, kOther = 2;

Operation::Values kept_by_unary(int index) {
  const int reads = kernels<float>().unary[index].reads;
  return ((reads & kReadsInput) != 0 ? kInput : 0) | ((reads & kReadsOutput) != 0 ? Operation::kOutput : 0);
}

// The derivative with respect to one operand reads the other, neither or both.
Operation::Values kept_by_binary(int index, Operation::Values wanted) {
  static const int add = binary_index("add"), sub = binary_index("sub"), mul = binary_index("mul"),
                   div = binary_index("div"), pow = binary_index("pow");
  if (index == add || index == sub) return 0;
  if (index == mul) return (wanted & kInput) << 1 | (wanted & kOther) >> 1;
  if (index == div) return kOther | (wanted & kOther) >> 1;
  return kInput | kOther | (index == pow && (wanted & kOther) != 0 ? Operation::kOutput : 0);
}

class Unary final : public Operation {
 public:
  Unary(int index, double alpha, double beta) : index_(index), alpha_(alpha), beta_(beta) {}

  const char* name() const override { return kernels<float>().unary[index_].name; }
  Values kept(Values) const override { return kept_by_unary(index_); }
  Attributes attributes() const override { return {{"alpha", alpha_}, {"beta", beta_}}; }

  Array infer(const Arrays& in) override { return {nullptr, in[0].dtype, in[0].shape}; }

  void forward(const Arrays& in, const Array& out) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      const UnaryKernel<T>& kernel = kernels<T>().unary[index_];
      parallel_spans(out.size(), kGrain, kWorkOfFunction, [&](int64_t begin, int64_t end) {
        kernel.forward(in[0].as<T>() + begin, out.as<T>() + begin, end - begin, static_cast<T>(alpha_),
                       static_cast<T>(beta_));
      });
    });
  }

  void vjp(const Arrays& in, const Array& out, const Array& dout, const Gradients& din) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      const UnaryKernel<T>& kernel = kernels<T>().unary[index_];
      // relu's output shows the sign as well as x, which may have changed.
      const Array& x = (kept_by_unary(index_) & kInput) != 0 ? in[0] : out;
      parallel_spans(out.size(), kGrain, kWorkOfFunction, [&](int64_t begin, int64_t end) {
        kernel.backward(x.as<T>() + begin, out.as<T>() + begin, dout.as<T>() + begin, din[0].as<T>() + begin,
                        end - begin, static_cast<T>(alpha_), static_cast<T>(beta_));
      });
    });
  }

 private:
  int index_;
  double alpha_, beta_;
};

class Binary final : public Operation {
 public:
  explicit Binary(int index) : index_(index) {}

  const char* name() const override { return kernels<float>().binary[index_].name; }
  Values kept(Values wanted) const override { return kept_by_binary(index_, wanted); }

  Array infer(const Arrays& in) override {
    const Shape shape = broadcast_shape(name(), in[0].shape, in[1].shape);
    runs_ = Broadcast(shape, in[0].shape, in[1].shape);
    return {nullptr, in[0].dtype, shape};
  }

  void forward(const Arrays& in, const Array& out) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      const BinaryKernel<T>& kernel = kernels<T>().binary[index_];
      runs_.for_runs([&](const BroadcastRun& run) {
        kernel.forward(in[0].as<T>() + run.a, run.a_stride, in[1].as<T>() + run.b, run.b_stride, out.as<T>() + run.out,
                       run.count);
      });
    });
  }

  void vjp(const Arrays& in, const Array& out, const Array& dout, const Gradients& din) override {
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      const BinaryKernel<T>& kernel = kernels<T>().binary[index_];
      if (din[0]) gradient_of<T>(kernel.backward_a, in, in[0], out, dout, din[0].as<T>());
      if (din[1]) gradient_of<T>(kernel.backward_b, in, in[1], out, dout, din[1].as<T>());
    });
  }

 private:
  template <class T, class F>
  void gradient_of(F backward, const Arrays& in, const Array& operand, const Array& out, const Array& dout,
                   T* gradient) {
    const bool whole = operand.shape == out.shape;
    T* full = whole ? gradient : full_.of<T>(out.size());
    runs_.for_runs([&](const BroadcastRun& run) {
      backward(in[0].as<T>() + run.a, run.a_stride, in[1].as<T>() + run.b, run.b_stride, out.as<T>() + run.out,
               dout.as<T>() + run.out, full + run.out, run.count);
    });
    if (!whole) sum_to_shape(full, out.shape, gradient, operand.shape, sums_);
  }

  int index_;
  Broadcast runs_;
  Scratch full_;
  std::array<Scratch, 2> sums_;
};

using Boolean = uint8_t;  // any nonzero byte is true: foreign memory may hold other values than 1

// Selects by a boolean condition of the output's shape.
class Where final : public Operation {
 public:
  const char* name() const override { return "where"; }
  Values kept(Values) const override { return 1; }

  Array infer(const Arrays& in) override { return {nullptr, in[1].dtype, in[1].shape}; }

  void forward(const Arrays& in, const Array& out) override {
    const auto* condition = in[0].as<Boolean>();
    dispatch(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      for (int64_t i = 0; i < out.size(); ++i) out.as<T>()[i] = condition[i] != 0 ? in[1].as<T>()[i] : in[2].as<T>()[i];
    });
  }

  void vjp(const Arrays& in, const Array&, const Array& dout, const Gradients& din) override {
    const auto* condition = in[0].as<Boolean>();
    dispatch(dout.dtype, [&](auto zero) {
      using T = decltype(zero);
      for (size_t side : {size_t{1}, size_t{2}}) {
        if (!din[side]) continue;
        for (int64_t i = 0; i < dout.size(); ++i)
          din[side].as<T>()[i] = (condition[i] != 0) == (side == 1) ? dout.as<T>()[i] : T(0);
      }
    });
  }
};

template <class From, class To>
void convert(const void* from, void* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const From value = static_cast<const From*>(from)[i];
    if constexpr (std::is_same_v<From, Boolean> || std::is_same_v<To, Boolean>)
      static_cast<To*>(to)[i] = static_cast<To>(value != 0);
    else
      static_cast<To*>(to)[i] = static_cast<To>(value);
  }
}

class Cast final : public Operation {
 public:
  explicit Cast(DType dtype) : dtype_(dtype) {}

  const char* name() const override { return "cast"; }
  Values kept(Values) const override { return 0; }
  Attributes attributes() const override { return {{"dtype", name_of(dtype_)}}; }

  Array infer(const Arrays& in) override { return {nullptr, dtype_, in[0].shape}; }

  void forward(const Arrays& in, const Array& out) override { cast_array(in[0], out); }

  void vjp(const Arrays& in, const Array&, const Array& dout, const Gradients& din) override {
    cast_array(dout, {din[0].data, in[0].dtype, in[0].shape});
  }

 private:
  static void cast_array(const Array& from, const Array& to) {
    using Convert = void (*)(const void*, void*, int64_t);
    static constexpr Convert kConvert[4][4] = {
        // by DType
        {convert<Boolean, Boolean>, convert<Boolean, int64_t>, convert<Boolean, float>, convert<Boolean, double>},
        {convert<int64_t, Boolean>, convert<int64_t, int64_t>, convert<int64_t, float>, convert<int64_t, double>},
        {convert<float, Boolean>, convert<float, int64_t>, convert<float, float>, convert<float, double>},
        {convert<double, Boolean>, convert<double, int64_t>, convert<double, float>, convert<double, double>},
    };
    kConvert[static_cast<int>(from.dtype)][static_cast<int>(to.dtype)](from.data, to.data, from.size());
  }

  DType dtype_;
};

// Boolean, integer, floating.
int kind_of(DType dtype) {
  return std::min(static_cast<int>(dtype), 2);
}

template <class Row>
int index_of(const char* kind, const Row* rows, int count, const std::string& name) {
  std::string names;
  for (int i = 0; i < count; ++i) {
    if (name == rows[i].name) return i;
    names += (names.empty() ? "" : ", ") + std::string(rows[i].name);
  }
  throw std::invalid_argument(text(kind, " '", name, "' is unknown; there are: ", names));
}

}  // namespace

int unary_index(const std::string& name) {
  return index_of("function", kernels<float>().unary, kernels<float>().unary_count, name);
}

int binary_index(const std::string& name) {
  return index_of("operation", kernels<float>().binary, kernels<float>().binary_count, name);
}

TensorPtr unary(const std::string& name, const TensorPtr& x, double alpha, double beta) {
  return unary(unary_index(name), x, alpha, beta);
}

TensorPtr unary(int index, const TensorPtr& x, double alpha, double beta) {
  require_floating(kernels<float>().unary[index].name, x->dtype());
  return apply_new<Unary>({x}, index, alpha, beta);
}

DType common_type(const TensorPtr& a, const TensorPtr& b) {
  const bool single = a->shape().rank() == 0;
  if (single == (b->shape().rank() == 0)) return std::max(a->dtype(), b->dtype());
  const DType array = single ? b->dtype() : a->dtype(), value = single ? a->dtype() : b->dtype();
  return kind_of(value) > kind_of(array) ? value : array;
}

TensorPtr binary(int index, const TensorPtr& a, const TensorPtr& b) {
  const DType dtype = common_type(a, b);
  require_floating(kernels<float>().binary[index].name, dtype);
  return apply_new<Binary>({cast(a, dtype), cast(b, dtype)}, index);
}

TensorPtr broadcast_to(const TensorPtr& x, const Shape& shape) {
  if (x->shape() == shape) return x;
  static const int add = binary_index("add");
  return binary(add, x, full(shape, x->dtype(), 0));
}

TensorPtr where(const TensorPtr& condition, const TensorPtr& a, const TensorPtr& b) {
  const DType dtype = common_type(a, b);
  require_floating("where", dtype);
  const Shape shape = broadcast_shape("where", condition->shape(), broadcast_shape("where", a->shape(), b->shape()));
  TensorPtr mask = cast(condition, DType::boolean);
  if (mask->shape() != shape) mask = expand(mask, shape);
  return apply_new<Where>({mask, broadcast_to(cast(a, dtype), shape), broadcast_to(cast(b, dtype), shape)});
}

TensorPtr cast(const TensorPtr& x, DType dtype) {
  return x->dtype() == dtype ? x : apply_new<Cast>({x}, dtype);
}

}  // namespace nnlite
