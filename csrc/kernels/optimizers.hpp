// Optimizers: how a gradient becomes a step. A new one is a struct here and its name in the list at the end.
//
// A struct names its options, which come as doubles in this order (a name that stands twice is a pair), and its
// buffers, each laid out as the parameter; both are PyTorch's. Buffers start as `initial`; in_use() has a bit for each
// that the options need. A Rule<T> is made from the options and the number of steps before; updated() returns the new
// weights and moves the state on. Operations come in PyTorch's order, with one fma where it adds a scaled tensor.
#pragma once

#include <cstdint>

#include "kernels/table.hpp"

namespace nnlite {
namespace {

// What a struct need not say.
struct Optimizer {
  static double initial(const double*) { return 0; }
  // Where a step is w - plain_rate * gradient and nothing else, which a matrix product does before its sums leave the
  // registers.
  static bool is_plain(const double*) { return false; }
  static double plain_rate(const double*) { return 0; }
  static constexpr int64_t steady_after = INT64_MAX;  // from so many steps on their number makes no difference
};

// g = maximize ? -g : g;  g = g + weight_decay * w
template <class T>
struct Decay {
  T rate;
  bool decays, negates;

  Decay(double weight_decay, double maximize)
      : rate(static_cast<T>(weight_decay)), decays(weight_decay != 0), negates(maximize != 0) {}

  template <class V>
  [[gnu::always_inline]] V operator()(V w, V g) const {
    if (negates) g = -g;
    return decays ? fma(V(rate), w, g) : g;
  }
};

// With g = Decay(w, g):
//   momentum_buffer = first step ? g : momentum * momentum_buffer + (1 - dampening) * g
//   g = nesterov ? g + momentum * momentum_buffer : momentum_buffer          (only with momentum)
//   w = w - lr * g
struct Sgd : Optimizer {
  enum { lr, momentum, dampening, weight_decay, nesterov, maximize };
  static constexpr const char* name = "SGD";
  static constexpr const char* options[] = {"lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"};
  static constexpr const char* buffers[] = {"momentum_buffer"};
  static constexpr int64_t steady_after = 1;

  static unsigned in_use(const double* o) { return o[momentum] != 0 ? 1 : 0; }
  static bool is_plain(const double* o) { return o[momentum] == 0 && o[weight_decay] == 0; }
  static double plain_rate(const double* o) { return o[maximize] != 0 ? -o[lr] : o[lr]; }

  template <class T>
  struct Rule {
    Decay<T> decay;
    T rate, keep, share;
    bool remembers, ahead, first;

    Rule(const double* o, int64_t steps)
        : decay(o[weight_decay], o[maximize]),
          rate(static_cast<T>(o[lr])),
          keep(static_cast<T>(o[momentum])),
          share(static_cast<T>(1 - o[dampening])),
          remembers(o[momentum] != 0),
          ahead(o[nesterov] != 0),
          first(steps == 0) {}

    template <class V, class State>
    [[gnu::always_inline]] V updated(V w, V g, const State& state) const {
      g = decay(w, g);
      if (remembers) {
        const V mean = first ? g : fma(V(share), g, V(keep) * state.load(0));
        state.store(0, mean);
        g = ahead ? fma(V(keep), mean, g) : mean;
      }
      return fnma(V(rate), g, w);
    }
  };
};

template <class Row, class T>
void make_rule(const double* options, int64_t steps, void* rule) {
  using Rule = typename Row::template Rule<T>;
  static_assert(sizeof(Rule) <= kRuleBytes && alignof(Rule) <= alignof(double) && __is_trivially_copyable(Rule));
  const Rule made(options, steps);
  __builtin_memcpy(rule, &made, sizeof(made));
}

template <class Row>
constexpr OptimizerRow row_of() {
  constexpr int options = sizeof(Row::options) / sizeof(char*), buffers = sizeof(Row::buffers) / sizeof(char*);
  static_assert(options <= kMostOptions && buffers <= kMostBuffers);
  return {Row::name,       options,           Row::options,          buffers,
          Row::buffers,    Row::in_use,       Row::initial,          Row::is_plain,
          Row::plain_rate, Row::steady_after, make_rule<Row, float>, make_rule<Row, double>};
}

template <class... Rows>
struct OptimizerList {
  static constexpr int count = sizeof...(Rows);
  static constexpr OptimizerRow rows[] = {row_of<Rows>()...};
};

using Optimizers = OptimizerList<Sgd>;

}  // namespace
}  // namespace nnlite
