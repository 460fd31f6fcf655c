// The optimizers. A new one is a struct here and its name in the list at the end.
//
// A struct names its options, doubles in this order (a repeated name is a pair), and its buffers, each laid out like
// the parameter; the names are PyTorch's. Buffers start as initial(); in_use() has one bit for each that the options
// require. A Rule<T> is made from the options and the state before the step; updated() returns the new weights and
// updates the buffers. Operations are in PyTorch's order, with one fma where it adds a scaled tensor. Powers and roots
// of options are computed in double, without the C library, so that they are the same everywhere.
#pragma once

#include "kernels/optimizer_parts.hpp"

namespace nnlite {
namespace {

// In the formulas below, w and g are the values after Decay, and t counts steps from 1.

//   momentum_buffer = first step ? g : momentum * momentum_buffer + (1 - dampening) * g
//   g = nesterov ? g + momentum * momentum_buffer : momentum_buffer          (only with momentum)
//   w = w - lr * g
struct Sgd : Optimizer {
  enum { lr, momentum, dampening, weight_decay, nesterov, maximize };
  static constexpr const char* name = "SGD";
  static constexpr const char* options[] = {"lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"};
  static constexpr const char* buffers[] = {"momentum_buffer"};
  static constexpr bool counts_steps = false;
  static constexpr int64_t steady_after = 1;

  static unsigned in_use(const double* o) { return o[momentum] != 0 ? 1 : 0; }
  static bool is_plain(const double* o) { return o[momentum] == 0 && o[weight_decay] == 0; }
  static double plain_rate(const double* o) { return o[maximize] != 0 ? -o[lr] : o[lr]; }

  template <class T>
  struct Rule {
    Decay<T> decay;
    T rate, keep, share;
    bool remembers, ahead, first;

    Rule(const double* o, int64_t steps, double)
        : decay(o[weight_decay], o[maximize]),
          rate(static_cast<T>(o[lr])),
          keep(static_cast<T>(o[momentum])),
          share(static_cast<T>(1 - o[dampening])),
          remembers(o[momentum] != 0),
          ahead(o[nesterov] != 0),
          first(steps == 0) {}

    template <class V, class State>
    [[gnu::always_inline]] V updated(V w, V g, const State& state) const {
      decay.apply(w, g);
      if (remembers) {
        const V mean = first ? g : fma(V(share), g, V(keep) * state.load(0));
        state.store(0, mean);
        g = ahead ? fma(V(keep), mean, g) : mean;
      }
      return fnma(V(rate), g, w);
    }
  };
};

// Kingma, Ba 2015; Loshchilov, Hutter 2019 (decoupled weight decay, AdamW); Reddi, Kale, Kumar 2018 (amsgrad)
//   exp_avg = Mean(beta1);  exp_avg_sq = MeanSquare(beta2);  v = amsgrad ? its largest value so far : exp_avg_sq
//   w = w - lr / (1 - beta1^t) * exp_avg / (sqrt(v) / sqrt(1 - beta2^t) + eps)
struct Adam : Optimizer {
  enum { lr, beta1, beta2, eps, weight_decay, amsgrad, maximize, decoupled };
  static constexpr const char* name = "Adam";
  static constexpr const char* options[] = {"lr",           "betas",   "betas",    "eps",
                                            "weight_decay", "amsgrad", "maximize", "decoupled_weight_decay"};
  static constexpr const char* buffers[] = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};

  static unsigned in_use(const double* o) { return o[amsgrad] != 0 ? 7 : 3; }

  template <class T>
  struct Rule {
    Decay<T> decay;
    Mean<T> mean;
    MeanSquare<T> square;
    T rate, correction, epsilon;
    bool largest;

    Rule(const double* o, int64_t steps, double)
        : decay(o[weight_decay], o[maximize], o[decoupled], o[lr]),
          mean(o[beta1]),
          square(o[beta2]),
          rate(static_cast<T>(o[lr] / (1 - whole_power(o[beta1], steps + 1)))),
          correction(static_cast<T>(1 / __builtin_sqrt(1 - whole_power(o[beta2], steps + 1)))),
          epsilon(static_cast<T>(o[eps])),
          largest(o[amsgrad] != 0) {}

    template <class V, class State>
    [[gnu::always_inline]] V updated(V w, V g, const State& state) const {
      decay.apply(w, g);
      const V step = mean.updated(g, state, 0);
      V v = square.updated(g, state, 1);
      if (largest) {
        v = max(state.load(2), v);
        state.store(2, v);
      }
      return fnma(V(rate), step / fma(sqrt(v), V(correction), V(epsilon)), w);
    }
  };
};

// Tieleman, Hinton 2012; Graves 2013 (centered)
//   square_avg = MeanSquare(alpha);  v = centered ? square_avg - grad_avg^2 with grad_avg = Mean(alpha) : square_avg
//   d = g / (sqrt(v) + eps);  momentum_buffer = d = momentum * momentum_buffer + d          (only with momentum)
//   w = w - lr * d
struct RmsProp : Optimizer {
  enum { lr, alpha, eps, weight_decay, momentum, centered, maximize };
  static constexpr const char* name = "RMSprop";
  static constexpr const char* options[] = {"lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize"};
  static constexpr const char* buffers[] = {"square_avg", "momentum_buffer", "grad_avg"};
  static constexpr int64_t steady_after = 0;

  static unsigned in_use(const double* o) { return 1u | (o[momentum] != 0 ? 2u : 0u) | (o[centered] != 0 ? 4u : 0u); }

  template <class T>
  struct Rule {
    Decay<T> decay;
    Mean<T> mean;
    MeanSquare<T> square;
    T rate, epsilon, keep;
    bool remembers, centers;

    Rule(const double* o, int64_t, double)
        : decay(o[weight_decay], o[maximize]),
          mean(o[alpha]),
          square(o[alpha]),
          rate(static_cast<T>(o[lr])),
          epsilon(static_cast<T>(o[eps])),
          keep(static_cast<T>(o[momentum])),
          remembers(o[momentum] != 0),
          centers(o[centered] != 0) {}

    template <class V, class State>
    [[gnu::always_inline]] V updated(V w, V g, const State& state) const {
      decay.apply(w, g);
      V v = square.updated(g, state, 0);
      if (centers) {
        const V center = mean.updated(g, state, 2);
        v = fnma(center, center, v);
      }
      V step = g / (sqrt(v) + V(epsilon));
      if (remembers) {
        step = fma(V(keep), state.load(1), step);
        state.store(1, step);
      }
      return fnma(V(rate), step, w);
    }
  };
};

// Duchi, Hazan, Singer 2011
//   sum = sum + g g;  w = w - lr / (1 + (t - 1) lr_decay) * g / (sqrt(sum) + eps)
struct Adagrad : Optimizer {
  enum { lr, lr_decay, weight_decay, initial_accumulator_value, eps, maximize };
  static constexpr const char* name = "Adagrad";
  static constexpr const char* options[] = {"lr",  "lr_decay", "weight_decay", "initial_accumulator_value",
                                            "eps", "maximize"};
  static constexpr const char* buffers[] = {"sum"};

  static unsigned in_use(const double*) { return 1; }
  static double initial(const double* o) { return o[initial_accumulator_value]; }

  template <class T>
  struct Rule {
    Decay<T> decay;
    T rate, epsilon;

    Rule(const double* o, int64_t steps, double)
        : decay(o[weight_decay], o[maximize]),
          rate(static_cast<T>(o[lr] / (1 + static_cast<double>(steps) * o[lr_decay]))),
          epsilon(static_cast<T>(o[eps])) {}

    template <class V, class State>
    [[gnu::always_inline]] V updated(V w, V g, const State& state) const {
      decay.apply(w, g);
      const V sum = fma(g, g, state.load(0));
      state.store(0, sum);
      return fnma(V(rate), g / (sqrt(sum) + V(epsilon)), w);
    }
  };
};

// Zeiler 2012
//   square_avg = MeanSquare(rho);  d = g * sqrt(acc_delta + eps) / sqrt(square_avg + eps)
//   acc_delta = MeanSquare(rho) of d;  w = w - lr * d
struct Adadelta : Optimizer {
  enum { lr, rho, eps, weight_decay, maximize };
  static constexpr const char* name = "Adadelta";
  static constexpr const char* options[] = {"lr", "rho", "eps", "weight_decay", "maximize"};
  static constexpr const char* buffers[] = {"square_avg", "acc_delta"};
  static constexpr int64_t steady_after = 0;

  static unsigned in_use(const double*) { return 3; }

  template <class T>
  struct Rule {
    Decay<T> decay;
    MeanSquare<T> square;
    T rate, epsilon;

    Rule(const double* o, int64_t, double)
        : decay(o[weight_decay], o[maximize]),
          square(o[rho]),
          rate(static_cast<T>(o[lr])),
          epsilon(static_cast<T>(o[eps])) {}

    template <class V, class State>
    [[gnu::always_inline]] V updated(V w, V g, const State& state) const {
      decay.apply(w, g);
      const V v = square.updated(g, state, 0) + V(epsilon);
      const V step = sqrt(state.load(1) + V(epsilon)) / sqrt(v) * g;
      square.updated(step, state, 1);
      return fnma(V(rate), step, w);
    }
  };
};

// Kingma, Ba 2015, section 7.1
//   exp_avg = Mean(beta1);  exp_inf = max(beta2 * exp_inf, |g| + eps);  w = w - lr / (1 - beta1^t) * exp_avg / exp_inf
struct Adamax : Optimizer {
  enum { lr, beta1, beta2, eps, weight_decay, maximize };
  static constexpr const char* name = "Adamax";
  static constexpr const char* options[] = {"lr", "betas", "betas", "eps", "weight_decay", "maximize"};
  static constexpr const char* buffers[] = {"exp_avg", "exp_inf"};

  static unsigned in_use(const double*) { return 3; }

  template <class T>
  struct Rule {
    Decay<T> decay;
    Mean<T> mean;
    T rate, keep, epsilon;

    Rule(const double* o, int64_t steps, double)
        : decay(o[weight_decay], o[maximize]),
          mean(o[beta1]),
          rate(static_cast<T>(o[lr] / (1 - whole_power(o[beta1], steps + 1)))),
          keep(static_cast<T>(o[beta2])),
          epsilon(static_cast<T>(o[eps])) {}

    template <class V, class State>
    [[gnu::always_inline]] V updated(V w, V g, const State& state) const {
      decay.apply(w, g);
      const V step = mean.updated(g, state, 0);
      const V largest = max(V(keep) * state.load(1), abs(g) + V(epsilon));
      state.store(1, largest);
      return fnma(V(rate), step / largest, w);
    }
  };
};

// Dozat 2016. With m(t) = beta1 (1 - 0.96^(t * momentum_decay) / 2) and mu_product = m(1) m(2) ... m(t):
//   exp_avg = Mean(beta1);  exp_avg_sq = MeanSquare(beta2);  d = sqrt(exp_avg_sq / (1 - beta2^t)) + eps
//   w = w - lr (1 - m(t)) / (1 - mu_product) * g / d - lr m(t + 1) / (1 - mu_product m(t + 1)) * exp_avg / d
struct NAdam : Optimizer {
  enum { lr, beta1, beta2, eps, weight_decay, momentum_decay, maximize, decoupled };
  static constexpr const char* name = "NAdam";
  static constexpr const char* options[] = {"lr",           "betas",          "betas",    "eps",
                                            "weight_decay", "momentum_decay", "maximize", "decoupled_weight_decay"};
  static constexpr const char* buffers[] = {"exp_avg", "exp_avg_sq"};
  static constexpr const char* scalar = "mu_product";

  static unsigned in_use(const double*) { return 3; }

  // 0.96^x for x >= 0: the integer part by squaring, the rest by the series of exp, whose next term is below 2^-60.
  static double power_of_096(double x) {
    const auto whole = static_cast<int64_t>(x < 1e6 ? x : 1e6);  // 0 beyond
    const double y = x < 1e6 ? (x - static_cast<double>(whole)) * -0.040821994520255166 : 0;
    double series = 1;
    for (int k = 9; k > 0; --k) series = 1 + series * y / k;
    return whole_power(0.96, whole) * series;
  }
  static double mean_share(const double* o, int64_t t) {
    return o[beta1] * (1 - 0.5 * power_of_096(static_cast<double>(t) * o[momentum_decay]));
  }
  static double next_scalar(const double* o, int64_t steps, double product) {
    return product * mean_share(o, steps + 1);
  }

  template <class T>
  struct Rule {
    Decay<T> decay;
    Mean<T> mean;
    MeanSquare<T> square;
    T gradient_rate, mean_rate, correction, epsilon;

    Rule(const double* o, int64_t steps, double product)
        : decay(o[weight_decay], o[maximize], o[decoupled], o[lr]),
          mean(o[beta1]),
          square(o[beta2]),
          correction(static_cast<T>(1 / __builtin_sqrt(1 - whole_power(o[beta2], steps + 1)))),
          epsilon(static_cast<T>(o[eps])) {
      const double now = mean_share(o, steps + 1), next = mean_share(o, steps + 2);
      gradient_rate = static_cast<T>(o[lr] * (1 - now) / (1 - product * now));
      mean_rate = static_cast<T>(o[lr] * next / (1 - product * now * next));
    }

    template <class V, class State>
    [[gnu::always_inline]] V updated(V w, V g, const State& state) const {
      decay.apply(w, g);
      const V m = mean.updated(g, state, 0), v = square.updated(g, state, 1);
      const V step = fma(V(mean_rate), m, V(gradient_rate) * g);
      return w - step / fma(sqrt(v), V(correction), V(epsilon));
    }
  };
};

// Liu, Jiang, He, Chen, Liu, Gao, Han 2020. With r = 2 / (1 - beta2) - 1 and s = r - 2 t beta2^t / (1 - beta2^t):
//   exp_avg = Mean(beta1);  exp_avg_sq = MeanSquare(beta2);  m = exp_avg / (1 - beta1^t)
//   w = w - lr * m                                                                            where s <= 5, else
//   w = w - lr * m * sqrt(1 - beta2^t) / (sqrt(exp_avg_sq) + eps) * sqrt((s - 4) (s - 2) r / ((r - 4) (r - 2) s))
struct RAdam : Optimizer {
  enum { lr, beta1, beta2, eps, weight_decay, maximize, decoupled };
  static constexpr const char* name = "RAdam";
  static constexpr const char* options[] = {
      "lr", "betas", "betas", "eps", "weight_decay", "maximize", "decoupled_weight_decay"};
  static constexpr const char* buffers[] = {"exp_avg", "exp_avg_sq"};

  static unsigned in_use(const double*) { return 3; }

  template <class T>
  struct Rule {
    Decay<T> decay;
    Mean<T> mean;
    MeanSquare<T> square;
    T rate, epsilon;
    bool adapts;

    Rule(const double* o, int64_t steps, double)
        : decay(o[weight_decay], o[maximize], o[decoupled], o[lr]),
          mean(o[beta1]),
          square(o[beta2]),
          epsilon(static_cast<T>(o[eps])) {
      const double t = static_cast<double>(steps + 1), kept = whole_power(o[beta2], steps + 1);
      const double r = 2 / (1 - o[beta2]) - 1, s = r - 2 * t * kept / (1 - kept);
      adapts = s > 5;
      const double rectified =
          adapts ? __builtin_sqrt((1 - kept) * ((s - 4) * (s - 2) * r / ((r - 4) * (r - 2) * s))) : 1;
      rate = static_cast<T>(o[lr] / (1 - whole_power(o[beta1], steps + 1)) * rectified);
    }

    template <class V, class State>
    [[gnu::always_inline]] V updated(V w, V g, const State& state) const {
      decay.apply(w, g);
      V step = mean.updated(g, state, 0);
      const V v = square.updated(g, state, 1);
      if (adapts) step = step / (sqrt(v) + V(epsilon));
      return fnma(V(rate), step, w);
    }
  };
};

using Optimizers = OptimizerList<Sgd, Adam, RmsProp, Adagrad, Adadelta, Adamax, NAdam, RAdam>;

}  // namespace
}  // namespace nnlite
