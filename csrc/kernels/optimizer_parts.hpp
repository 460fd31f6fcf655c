// Building blocks of the optimizers in optimizers.hpp, and their table rows.
#pragma once

#include <cstdint>

#include "kernels/table.hpp"

namespace nnlite {
namespace {

// Defaults that an optimizer overrides.
struct Optimizer {
  static double initial(const double*) { return 0; }
  // Whether a step is only w - plain_rate * gradient, which a matrix product applies to its sums in registers.
  static bool is_plain(const double*) { return false; }
  static double plain_rate(const double*) { return 0; }
  static constexpr bool counts_steps = true;          // PyTorch's state has a "step"
  static constexpr int64_t steady_after = INT64_MAX;  // the rule ignores the step count from this one on
  // A state value shared by all elements, 1 before the first step.
  static constexpr const char* scalar = nullptr;
  static double next_scalar(const double*, int64_t, double value) { return value; }
};

// b^n by repeated squaring.
inline double whole_power(double b, int64_t n) {
  double result = 1;
  for (; n > 0; n >>= 1, b *= b)
    if ((n & 1) != 0) result *= b;
  return result;
}

// g = maximize ? -g : g;  decoupled ? w = w - lr * weight_decay * w : g = g + weight_decay * w
template <class T>
struct Decay {
  T rate;
  bool negates, decays, shrinks;

  Decay(double weight_decay, double maximize, double decoupled = 0, double lr = 0)
      : rate(static_cast<T>(decoupled != 0 ? 1 - lr * weight_decay : weight_decay)),
        negates(maximize != 0),
        decays(weight_decay != 0 && decoupled == 0),
        shrinks(weight_decay != 0 && decoupled != 0) {}

  template <class V>
  [[gnu::always_inline]] void apply(V& w, V& g) const {
    if (negates) g = -g;
    if (decays) g = fma(V(rate), w, g);
    if (shrinks) w = w * V(rate);
  }
};

// mean + (1 - beta) (g - mean)
template <class T>
struct Mean {
  T share;

  explicit Mean(double beta) : share(static_cast<T>(1 - beta)) {}

  template <class V, class State>
  [[gnu::always_inline]] V updated(V g, const State& state, int buffer) const {
    const V mean = state.load(buffer), next = fma(V(share), g - mean, mean);
    state.store(buffer, next);
    return next;
  }
};

// beta * mean + (1 - beta) g g
template <class T>
struct MeanSquare {
  T keep, share;

  explicit MeanSquare(double beta) : keep(static_cast<T>(beta)), share(static_cast<T>(1 - beta)) {}

  template <class V, class State>
  [[gnu::always_inline]] V updated(V g, const State& state, int buffer) const {
    const V next = fma(V(share) * g, g, V(keep) * state.load(buffer));
    state.store(buffer, next);
    return next;
  }
};

template <class Row, class T>
void make_rule(const double* options, int64_t steps, double scalar, void* rule) {
  using Rule = typename Row::template Rule<T>;
  static_assert(sizeof(Rule) <= kRuleBytes && alignof(Rule) <= alignof(double) && __is_trivially_copyable(Rule));
  const Rule made(options, steps, scalar);
  __builtin_memcpy(rule, &made, sizeof(made));
}

template <class Row>
constexpr OptimizerRow row_of() {
  constexpr int options = sizeof(Row::options) / sizeof(char*), buffers = sizeof(Row::buffers) / sizeof(char*);
  static_assert(options <= kMostOptions && buffers <= kMostBuffers);
  return {Row::name,
          options,
          Row::options,
          buffers,
          Row::buffers,
          Row::counts_steps,
          Row::scalar,
          Row::next_scalar,
          Row::in_use,
          Row::initial,
          Row::is_plain,
          Row::plain_rate,
          Row::steady_after,
          make_rule<Row, float>,
          make_rule<Row, double>};
}

template <class... Rows>
struct OptimizerList {
  static constexpr int count = sizeof...(Rows);
  static constexpr OptimizerRow rows[] = {row_of<Rows>()...};
};

}  // namespace
}  // namespace nnlite
