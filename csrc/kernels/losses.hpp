// Elementwise losses of an input x and a target t, with the derivatives with respect to both.
// A new one is a struct and a row below. `p` is the loss's parameter (delta, beta).

// Base of losses of x - t: the derivative with respect to t is minus that with respect to x.
struct OfDifference {};

struct MeanSquaredError : OfDifference {  // (x - t)^2
  template <class V>
  static V value(V x, V t, V) {
    return (x - t) * (x - t);
  }
  template <class V>
  static V gradient(V x, V t, V) {
    return V(2.0f) * (x - t);
  }
};

struct AbsoluteError : OfDifference {  // |x - t|
  template <class V>
  static V value(V x, V t, V) {
    return abs(x - t);
  }
  template <class V>
  static V gradient(V x, V t, V) {
    return select(x > t, V(1.0f), select(x < t, V(-1.0f), V(0.0f) * (x - t)));  // NaN stays NaN
  }
};

struct Huber : OfDifference {  // d^2 / 2 where |d| < p, else p (|d| - p / 2)
  template <class V>
  static V value(V x, V t, V p) {
    const V d = x - t, a = abs(d);
    return select(a < p, V(0.5f) * d * d, p * fnma(V(0.5f), p, a));
  }
  template <class V>
  static V gradient(V x, V t, V p) {
    const V d = x - t;
    return select(abs(d) >= p, copysign(p, d), d);
  }
};

struct SmoothAbsoluteError : OfDifference {  // d^2 / 2p where |d| < p, else |d| - p / 2; p = 0 is |d|
  template <class V>
  static V value(V x, V t, V p) {
    const V d = x - t, a = abs(d);
    return select(a < p, V(0.5f) * d * d / p, fnma(V(0.5f), p, a));
  }
  template <class V>
  static V gradient(V x, V t, V p) {
    const V d = x - t;
    return select(abs(d) < p, d / p, AbsoluteError::gradient(x, t, p));
  }
};

// -(t log x + (1 - t) log(1 - x)), logarithms at least -100, as in PyTorch
struct BinaryCrossEntropy : ManyOperations {
  template <class V>
  static V bounded_log(V x) {
    return max(V(-100.0f), x);
  }
  template <class V>
  static V value(V x, V t, V) {
    const V yes = bounded_log(log(x)), no = bounded_log(log1p(-x));
    return fma(t - V(1.0f), no, -(t * yes));
  }
  template <class V>
  static V gradient(V x, V t, V) {
    return (x - t) / max(V(1e-12f), (V(1.0f) - x) * x);
  }
  template <class V>
  static V target_gradient(V x, V, V) {  // not bounded, as in PyTorch
    return log1p(-x) - log(x);
  }
};

struct BinaryCrossEntropyWithLogits : ManyOperations {  // max(x, 0) - x t + log(1 + e^-|x|)
  template <class V>
  static V value(V x, V t, V) {
    return fnma(x, t, max(V(0.0f), x)) + log1p(exp(-abs(x)));
  }
  // sigmoid(x) - t would cancel where both are close to 1; (1 - t) - sigmoid(-x) keeps its digits.
  template <class V>
  static V gradient(V x, V t, V) {
    const V e = exp(-abs(x)), rest = e / (V(1.0f) + e);
    return select(x < V(0.0f), rest - t, (V(1.0f) - t) - rest);
  }
  template <class V>
  static V target_gradient(V x, V, V) {
    return -x;
  }
};

struct KullbackLeibler : ManyOperations {  // t (log t - x); -t x at t = 0, its limit
  template <class V>
  static V value(V x, V t, V) {
    return select(t == V(0.0f), V(0.0f) - t * x, t * (log(t) - x));
  }
  template <class V>
  static V gradient(V, V t, V) {
    return -t;
  }
  template <class V>
  static V target_gradient(V x, V t, V) {
    return log(t) + t / t - x;  // NaN at t = 0, as in PyTorch: not finite there
  }
};

struct KullbackLeiblerOfLog : ManyOperations {  // e^t (t - x)
  template <class V>
  static V value(V x, V t, V) {
    return exp(t) * (t - x);
  }
  template <class V>
  static V gradient(V, V t, V) {
    return -exp(t);
  }
  template <class V>
  static V target_gradient(V x, V t, V) {
    return exp(t) * (t - x + V(1.0f));
  }
};

template <class F, class T>
void loss_forward(const T* x, const T* t, T* loss, int64_t n, T parameter) {
  for_vectors_of<F, T>(n, [&](int64_t i, int count) {
    store_lanes(F::value(load_lanes(x + i, count), load_lanes(t + i, count), Vec<T>(parameter)), loss + i, count);
  });
}

template <class F, class T, class Gradient>
[[gnu::always_inline]] inline void scaled_gradient(const T* dloss, int64_t stride, T* out, int64_t n,
                                                   Gradient gradient) {
  const Vec<T> every(*dloss);
  for_vectors_of<F, T>(n, [&](int64_t i, int count) {
    Vec<T> dy = every;
    if (stride != 0) dy = load_lanes(dloss + i, count);
    store_lanes(dy * gradient(i, count), out + i, count);
  });
}

template <class F, class T>
void loss_backward(const T* x, const T* t, const T* dloss, int64_t stride, T* dx, int64_t n, T parameter) {
  scaled_gradient<F>(dloss, stride, dx, n, [&](int64_t i, int count) {
    return F::gradient(load_lanes(x + i, count), load_lanes(t + i, count), Vec<T>(parameter));
  });
}

template <class F, class T>
void loss_target_backward(const T* x, const T* t, const T* dloss, int64_t stride, T* dt, int64_t n, T parameter) {
  scaled_gradient<F>(dloss, stride, dt, n, [&](int64_t i, int count) {
    return F::target_gradient(load_lanes(x + i, count), load_lanes(t + i, count), Vec<T>(parameter));
  });
}

template <class F, class T>
constexpr LossKernel<T> loss_row(const char* name, const char* option = nullptr) {
  LossKernel<T> row{name, loss_forward<F, T>, loss_backward<F, T>, nullptr, option};
  if constexpr (!__is_base_of(OfDifference, F)) row.target_backward = loss_target_backward<F, T>;
  return row;
}

template <class T>
constexpr LossKernel<T> kLossKernels[] = {
    loss_row<MeanSquaredError, T>("mse"),   loss_row<AbsoluteError, T>("l1"),
    loss_row<Huber, T>("huber", "delta"),   loss_row<SmoothAbsoluteError, T>("smooth_l1", "beta"),
    loss_row<BinaryCrossEntropy, T>("bce"), loss_row<BinaryCrossEntropyWithLogits, T>("bce_with_logits"),
    loss_row<KullbackLeibler, T>("kl_div"), loss_row<KullbackLeiblerOfLog, T>("kl_div_log_target"),
};
