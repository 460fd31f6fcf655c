// The SGD update in PyTorch's order of operations (torch.optim.SGD, "Algorithm"):
//   g = maximize ? -gradient : gradient;  g = g + weight_decay * w
//   velocity = first step ? g : momentum * velocity + (1 - dampening) * g
//   g = nesterov ? g + momentum * velocity : velocity          (only with momentum)
//   w = w - lr * g
// One fma each where PyTorch adds a scaled tensor. `velocity` is null without momentum. Cost: one pass over the arrays.
template <class T>
void sgd_span(T* weight, const T* gradient, T* velocity, int64_t n, const SgdCoefficients<T>& coefficients) {
  using V = Vec<T>;
  const V lr(coefficients.lr), momentum(coefficients.momentum), share(coefficients.gradient_share),
      decay(coefficients.weight_decay);
  const bool decays = coefficients.weight_decay != T(0);
  for_vectors<T>(n, [&](int64_t i, int count) {
    const V w = load_lanes(weight + i, count);
    V g = load_lanes(gradient + i, count);
    if (coefficients.maximize) g = -g;
    if (decays) g = fma(decay, w, g);
    if (velocity != nullptr) {
      const V v = coefficients.first_step ? g : fma(share, g, momentum * load_lanes(velocity + i, count));
      store_lanes(v, velocity + i, count);
      g = coefficients.nesterov ? fma(momentum, v, g) : v;
    }
    store_lanes(fnma(lr, g, w), weight + i, count);
  });
}
