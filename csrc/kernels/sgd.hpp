// The SGD update in PyTorch's order of operations (torch.optim.SGD, "Algorithm"):
//   g = maximize ? -gradient : gradient;  g = g + weight_decay * w
//   velocity = first step ? g : momentum * velocity + (1 - dampening) * g
//   g = nesterov ? g + momentum * velocity : velocity          (only with momentum)
//   w = w - lr * g
// One fma each where PyTorch adds a scaled tensor.
template <class T>
struct SgdRule {
  using V = Vec<T>;

  explicit SgdRule(const SgdCoefficients<T>& coefficients)
      : lr(coefficients.lr),
        momentum(coefficients.momentum),
        share(coefficients.gradient_share),
        decay(coefficients.weight_decay),
        decays(coefficients.weight_decay != T(0)),
        nesterov(coefficients.nesterov),
        maximize(coefficients.maximize),
        first_step(coefficients.first_step) {}

  // The weights w after their update; `velocity`, of `count` lanes, is null without momentum.
  [[gnu::always_inline]] V updated(V w, V g, T* velocity, int count) const {
    if (maximize) g = -g;
    if (decays) g = fma(decay, w, g);
    if (velocity != nullptr) {
      const V v = first_step ? g : fma(share, g, momentum * load_lanes(velocity, count));
      store_lanes(v, velocity, count);
      g = nesterov ? fma(momentum, v, g) : v;
    }
    return fnma(lr, g, w);
  }

  const V lr, momentum, share, decay;
  const bool decays, nesterov, maximize, first_step;
};

// Without momentum or decay the update is one fma: w = w - plain_rate * gradient.
template <class T>
bool is_plain(const SgdCoefficients<T>& coefficients) {
  return coefficients.momentum == T(0) && coefficients.weight_decay == T(0);
}

template <class T>
T plain_rate(const SgdCoefficients<T>& coefficients) {
  return coefficients.maximize ? -coefficients.lr : coefficients.lr;
}

// Cost: one pass over the arrays.
template <class T>
void sgd_span(T* weight, const T* gradient, T* velocity, int64_t n, const SgdCoefficients<T>& coefficients) {
  const SgdRule<T> rule(coefficients);
  for_vectors<T>(n, [&](int64_t i, int count) {
    T* const v = velocity == nullptr ? nullptr : velocity + i;
    store_lanes(rule.updated(load_lanes(weight + i, count), load_lanes(gradient + i, count), v, count), weight + i,
                count);
  });
}
