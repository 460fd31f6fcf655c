// The pass that updates a span of a parameter, for each row of optimizers.hpp.

// The current vector's part of an optimizer's buffers: `count` elements from element `at`.
template <class T>
struct StateLanes {
  T* const* buffers;
  int64_t at;
  int count;

  [[gnu::always_inline]] Vec<T> load(int buffer) const { return load_lanes(buffers[buffer] + at, count); }
  [[gnu::always_inline]] void store(int buffer, Vec<T> values) const {
    store_lanes(values, buffers[buffer] + at, count);
  }
};

// `weight` and `gradient` point at element `at` of the parameter. Cost: one pass over weight, gradient and buffers.
// Whole vectors and the tail share one copy of the rule: a second would nearly double an optimizer's code.
template <class Row, class T>
void update_span(T* weight, const T* gradient, const Update<T>& update, int64_t at, int64_t n) {
  using Rule = typename Row::template Rule<T>;
  const Rule rule = *static_cast<const Rule*>(update.rule);
  for (int64_t i = 0; i < n; i += Vec<T>::lanes) {
    const auto count = static_cast<int>(smaller(n - i, Vec<T>::lanes));
    const StateLanes<T> state{update.buffers, at + i, count};
    store_lanes(rule.updated(load_lanes(weight + i, count), load_lanes(gradient + i, count), state), weight + i, count);
  }
}

// w - plain_rate * gradient; no rule is read.
template <class T>
void update_plainly(T* weight, const T* gradient, const Update<T>& update, int64_t, int64_t n) {
  const Vec<T> rate(update.plain_rate);
  for_vectors<T>(n, [&](int64_t i, int count) {
    store_lanes(fnma(rate, load_lanes(gradient + i, count), load_lanes(weight + i, count)), weight + i, count);
  });
}

template <class T, class List>
struct UpdateFunctions;
template <class T, class... Rows>
struct UpdateFunctions<T, OptimizerList<Rows...>> {
  static constexpr UpdateFunction<T> functions[] = {update_span<Rows, T>...};
};
