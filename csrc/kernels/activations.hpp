// Elementwise functions of one operand, with their derivatives. A new one is a struct and a row below. backward returns
// dy f'(x), with PyTorch's choices at kinks. A NaN in x or in an option gives a NaN output; the gradient is NaN
// wherever PyTorch's is.

template <class V>
V positive_part(V x) {
  return select(x > V(0.0f), x, select(x == x, V(0.0f), x));
}

struct Relu {  // max(x, 0)
  template <class V>
  static V forward(V x, V, V) {
    return positive_part(x);
  }
  template <class V>
  static V backward(V x, V, V dy, V, V) {
    return select(x <= V(0.0f), V(0.0f), dy);
  }
};

struct LeakyRelu {  // x if positive, else alpha x
  template <class V>
  static V forward(V x, V alpha, V) {
    return select(x > V(0.0f), x, alpha * x);
  }
  template <class V>
  static V backward(V x, V, V dy, V alpha, V) {
    return select(x > V(0.0f), dy, alpha * dy);
  }
};

struct Elu : ManyOperations {  // x if positive, else alpha (e^x - 1)
  template <class V>
  NNLITE_INLINE static V forward(V x, V alpha, V) {
    return select(x > V(0.0f), x, alpha * expm1(x));
  }
  template <class V>
  NNLITE_INLINE static V backward(V x, V, V dy, V alpha, V) {
    return select(x > V(0.0f), dy, dy * (alpha * exp(x)));
  }
};

struct Gelu : ManyOperations {  // x Phi(x)
  template <class V>
  NNLITE_INLINE static V forward(V x, V, V) {
    const NormalTail tail(x);
    // -infinity gives NaN, as in PyTorch: 0 times infinity.
    return select(x < V(0.0f), x - x, x) - tail.e().times(tail.a * tail.ratio);
  }
  template <class V>
  NNLITE_INLINE static V backward(V x, V, V dy, V, V) {
    const NormalTail tail(x);
    const V change = tail.e().times(fnma(tail.a, V(0.39894228040143268), tail.ratio));  // Phi(-a) - a phi(a)
    return dy * (select(x < V(0.0f), change, V(1.0f) - change) + (x - x));
  }
};

// x sigmoid(v), v = 2 sqrt(2/pi) (x + 0.044715 x^3); the same as x (1 + tanh(v / 2)) / 2
struct GeluTanh : ManyOperations {
  // e^-|v| as a power of two: |v| log2(e) = a (linear + cubic a^2) as a sum of two parts, since it may be large.
  // `linear` has few enough bits for a subtraction to recover the rounding error of the sum.
  template <class V>
  NNLITE_INLINE static auto gated(V x) {
    using T = decltype(sum_lanes(x));
    using C = Constants<T>;
    const V a = min(V(C::gelu_tanh_max), abs(x));
    const V linear(2.3017578125), linear_low(C::gelu_linear_low), cubic(C::gelu_cubic), cubic_low(C::gelu_cubic_low);
    const V square = a * a, square_low = fma(a, a, -square), term = square * cubic, sum = term + linear;
    const V term_low = fma(square_low, cubic, fma(square, cubic, -term));
    const V sum_low = (term - (sum - linear)) + (term_low + fma(square, cubic_low, linear_low));
    const V v = -a * sum, v_low = fnma(a, sum_low, fnma(a, sum, -v));
    return Gated<T>{x, a, binary_exponential(v, v_low)};
  }
  template <class V>
  NNLITE_INLINE static V forward(V x, V, V) {
    return gated(x).value();
  }
  template <class V>
  NNLITE_INLINE static V backward(V x, V, V dy, V, V) {
    const auto gate = gated(x);
    return dy * gate.derivative(fma(V(0.21406444881780074) * gate.a, gate.a, V(1.5957691216057308)));
  }
};

struct Silu : ManyOperations {  // x sigmoid(x)
  template <class V>
  NNLITE_INLINE static auto gated(V x) {
    using T = decltype(sum_lanes(x));
    const V a = min(V(Constants<T>::logistic_max), abs(x));
    return Gated<T>{x, a, natural_exponential(-a)};
  }
  template <class V>
  NNLITE_INLINE static V forward(V x, V, V) {
    return gated(x).value();
  }
  template <class V>
  NNLITE_INLINE static V backward(V x, V, V dy, V, V) {
    return dy * gated(x).derivative(V(1.0f));
  }
};

struct Sigmoid : ManyOperations {
  template <class V>
  static V forward(V x, V, V) {
    return sigmoid(x);
  }
  template <class V>
  static V backward(V, V y, V dy, V, V) {
    return dy * ((V(1.0f) - y) * y);
  }
};

struct Tanh : ManyOperations {
  template <class V>
  static V forward(V x, V, V) {
    return tanh(x);
  }
  template <class V>
  static V backward(V, V y, V dy, V, V) {
    return dy * fnma(y, y, V(1.0f));
  }
};

struct Softplus : ManyOperations {  // log(1 + e^(alpha x)) / alpha; x if alpha x > beta
  template <class V>
  NNLITE_INLINE static V forward(V x, V alpha, V beta) {
    const V scaled = alpha * x;
    return select(scaled > beta, x, softplus(scaled) / alpha);
  }
  template <class V>
  NNLITE_INLINE static V backward(V x, V, V dy, V alpha, V beta) {
    const V scaled = alpha * x;
    return select(scaled > beta, dy, dy * sigmoid(scaled));
  }
};

struct Exp : ManyOperations {
  template <class V>
  static V forward(V x, V, V) {
    return exp(x);
  }
  template <class V>
  static V backward(V, V y, V dy, V, V) {
    return dy * y;
  }
};

struct Expm1 : ManyOperations {
  template <class V>
  static V forward(V x, V, V) {
    return expm1(x);
  }
  template <class V>
  static V backward(V, V y, V dy, V, V) {
    return dy * (y + V(1.0f));
  }
};

struct Log : ManyOperations {
  template <class V>
  static V forward(V x, V, V) {
    return log(x);
  }
  template <class V>
  static V backward(V x, V, V dy, V, V) {
    return dy / x;
  }
};

struct Log1p : ManyOperations {
  template <class V>
  static V forward(V x, V, V) {
    return log1p(x);
  }
  template <class V>
  static V backward(V x, V, V dy, V, V) {
    return dy / (x + V(1.0f));
  }
};

struct Sqrt {
  template <class V>
  static V forward(V x, V, V) {
    return sqrt(x);
  }
  template <class V>
  static V backward(V, V y, V dy, V, V) {
    return dy / (y + y);
  }
};

struct Abs {
  template <class V>
  static V forward(V x, V, V) {
    return abs(x);
  }
  template <class V>
  static V backward(V x, V, V dy, V, V) {
    return dy * select(x > V(0.0f), V(1.0f), select(x < V(0.0f), V(-1.0f), V(0.0f)));
  }
};

struct Negate {
  template <class V>
  static V forward(V x, V, V) {
    return -x;
  }
  template <class V>
  static V backward(V, V, V dy, V, V) {
    return -dy;
  }
};

struct Clip {  // to [alpha, beta]; the gradient passes at the bounds
  template <class V>
  static V forward(V x, V alpha, V beta) {
    const V y = select(alpha == alpha, min(beta, max(alpha, x)), alpha);
    return select(beta == beta, y, beta);
  }
  template <class V>
  static V backward(V x, V, V dy, V alpha, V beta) {
    return select((x >= alpha) & (x <= beta), dy, V(0.0f));
  }
};

struct Threshold {  // x if above alpha, else beta; NaN stays NaN
  template <class V>
  static V forward(V x, V alpha, V beta) {
    return select(x <= alpha, beta, x);
  }
  template <class V>
  static V backward(V x, V, V dy, V alpha, V) {
    return select(x <= alpha, V(0.0f), dy);
  }
};

struct Erf : ManyOperations {  // if alpha is not 0, erfc: 1 - erf with an accurate tail
  template <class V>
  NNLITE_INLINE static V forward(V x, V alpha, V) {
    return erf(x, alpha != V(0.0f));
  }
  template <class V>
  NNLITE_INLINE static V backward(V x, V, V dy, V alpha, V) {
    using T = decltype(sum_lanes(x));
    const V a = min(V(Constants<T>::erfc_max), abs(x)), slope(1.1283791670955126);
    return dy * gauss(a, T(2), V(0.0f)).times(select(alpha != V(0.0f), -slope, slope));
  }
};

struct Scale {  // alpha x
  template <class V>
  static V forward(V x, V alpha, V) {
    return alpha * x;
  }
  template <class V>
  static V backward(V, V, V dy, V alpha, V) {
    return alpha * dy;
  }
};

struct Shift {  // x + alpha
  template <class V>
  static V forward(V x, V alpha, V) {
    return x + alpha;
  }
  template <class V>
  static V backward(V, V, V dy, V, V) {
    return dy;
  }
};

template <class F, class T>
void map(const T* x, T* y, int64_t n, T alpha, T beta) {
  for_vectors_of<F, T>(n, [&](int64_t i, int count) {
    store_lanes(F::forward(load_lanes(x + i, count), Vec<T>(alpha), Vec<T>(beta)), y + i, count);
  });
}

template <class F, class T>
void map_gradient(const T* x, const T* y, const T* dy, T* dx, int64_t n, T alpha, T beta) {
  for_vectors_of<F, T>(n, [&](int64_t i, int count) {
    store_lanes(F::backward(load_lanes(x + i, count), load_lanes(y + i, count), load_lanes(dy + i, count),
                            Vec<T>(alpha), Vec<T>(beta)),
                dx + i, count);
  });
}

template <class F, class T>
constexpr UnaryKernel<T> unary_row(const char* name, int reads, const char* alpha = nullptr,
                                   const char* beta = nullptr) {
  return {name, map<F, T>, map_gradient<F, T>, reads, {alpha, beta}};
}

template <class T>
constexpr UnaryKernel<T> kUnaryKernels[] = {
    unary_row<Relu, T>("relu", kReadsOutput),
    unary_row<LeakyRelu, T>("leaky_relu", kReadsInput, "negative_slope"),
    unary_row<Elu, T>("elu", kReadsInput, "alpha"),
    unary_row<Gelu, T>("gelu", kReadsInput),
    unary_row<GeluTanh, T>("gelu_tanh", kReadsInput),
    unary_row<Silu, T>("silu", kReadsInput),
    unary_row<Sigmoid, T>("sigmoid", kReadsOutput),
    unary_row<Tanh, T>("tanh", kReadsOutput),
    unary_row<Softplus, T>("softplus", kReadsInput, "beta", "threshold"),
    unary_row<Exp, T>("exp", kReadsOutput),
    unary_row<Expm1, T>("expm1", kReadsOutput),
    unary_row<Log, T>("log", kReadsInput),
    unary_row<Log1p, T>("log1p", kReadsInput),
    unary_row<Sqrt, T>("sqrt", kReadsOutput),
    unary_row<Abs, T>("abs", kReadsInput),
    unary_row<Negate, T>("neg", 0),
    unary_row<Clip, T>("clip", kReadsInput, "min", "max"),
    unary_row<Threshold, T>("threshold", kReadsInput, "threshold", "value"),
    unary_row<Erf, T>("erf", kReadsInput, "complement"),
    {"sin", sine<T>, sine_gradient<T>, kReadsInput, {"quarters"}},
    {"step", step<T>, step_gradient<T>, 0, {"kind"}},
    unary_row<Scale, T>("scale", 0),
    unary_row<Shift, T>("shift", 0),
};
