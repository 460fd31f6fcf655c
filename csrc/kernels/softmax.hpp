// Softmax along rows, y_j = exp(x_j - max) / sum_k exp(x_k - max), and its logarithm. The row's maximum is
// subtracted, so the largest term is exp(0) = 1: no overflow, no sum of 0.

template <class T>
T max_of_row(const T* x, int64_t n) {
  using V = Vec<T>;
  V largest(-__builtin_huge_val());
  for_vectors<T>(n, [&](int64_t i, int count) {
    const V v = load_lanes(x + i, count);
    largest = max(count == V::lanes ? v : select(first_lanes<T>(count), v, V(T(-__builtin_huge_val()))), largest);
  });
  return max_lanes(largest);
}

// y = exp(x - shift); returns the lanes' sums of y.
template <class T>
[[gnu::always_inline]] inline Vec<T> exp_of_row(const T* x, T shift, T* y, int64_t n) {
  using V = Vec<T>;
  return sum_of_vectors<T, ManyOperations>(n, [&](int64_t i, int count, V sum) {
    V e = exp(load_lanes(x + i, count) - V(shift));
    if (count != V::lanes) e = select(first_lanes<T>(count), e, V(T(0)));
    store_lanes(e, y + i, count);
    return sum + e;
  });
}

// Writes exp(x - max) to y; keeps the maximum, the sum of y, and the sum minus 1, from which the logarithm is computed.
// If the sum is below 1.25, exactly one term is 1 and the others are summed without it, so that they keep their digits.
template <class T>
struct RowSoftmax {
  T maximum, sum, rest;

  RowSoftmax(const T* x, T* y, int64_t n) {
    const Vec<T> lanes = n <= Vec<T>::lanes ? narrow_row(x, y, n) : wide_row(x, y, n);
    sum = sum_lanes(lanes);
    rest = sum - T(1);
    if (!(sum < T(1.25))) return;
    rest = sum_lanes(n <= Vec<T>::lanes ? without_one(lanes) : others_of_row(y, n));
    sum = T(1) + rest;
  }

 private:
  // A row that fits one vector: the same result without loops.
  Vec<T> narrow_row(const T* x, T* y, int64_t n) {
    const int count = static_cast<int>(n);
    const auto real = first_lanes<T>(count);
    const Vec<T> v = load_lanes(x, count), lowest = -infinity<T>();
    maximum = max_lanes(max(select(real, v, lowest), lowest));
    const Vec<T> e = select(real, exp(v - Vec<T>(maximum)), Vec<T>(T(0)));
    store_lanes(e, y, count);
    return e;
  }
  Vec<T> wide_row(const T* x, T* y, int64_t n) {
    maximum = max_of_row(x, n);
    return exp_of_row(x, maximum, y, n);
  }
  static Vec<T> without_one(Vec<T> e) { return select(e == Vec<T>(T(1)), Vec<T>(T(0)), e); }
  static Vec<T> others_of_row(const T* y, int64_t n) {
    return sum_of_vectors<T>(
        n, [&](int64_t i, int count, Vec<T> total) { return total + without_one(load_lanes(y + i, count)); });
  }
};

// Calls f(row, max, sum, sum - 1, log(sum)) for each row, with exp(x - max) in y. One vector logarithm serves as many
// rows as it has lanes: with few classes, one per row would be the slowest part.
template <class T, class F>
void for_softmax_rows(const T* x, T* y, int64_t rows, int64_t columns, F f) {
  constexpr int64_t lanes = Vec<T>::lanes;
  for (int64_t begin = 0; begin < rows; begin += lanes) {
    const int64_t count = smaller(lanes, rows - begin);
    T maxima[lanes], sums[lanes], rests[lanes] = {}, logs[lanes];
    for (int64_t i = 0; i < count; ++i) {
      const RowSoftmax<T> softmax(x + (begin + i) * columns, y + (begin + i) * columns, columns);
      maxima[i] = softmax.maximum;
      sums[i] = softmax.sum;
      rests[i] = softmax.rest;
    }
    log1p(Vec<T>::load(rests)).store(logs);
    for (int64_t i = 0; i < count; ++i) f(begin + i, maxima[i], sums[i], rests[i], logs[i]);
  }
}

template <class T>
void divide_span(const T* x, T divisor, T* y, int64_t n) {
  const Vec<T> by(divisor);
  for_vectors<T>(n, [&](int64_t i, int count) { store_lanes(load_lanes(x + i, count) / by, y + i, count); });
}

template <class T>
void softmax(const T* x, T* y, int64_t rows, int64_t columns) {
  for (int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    const RowSoftmax<T> softmax(x, y, columns);
    divide_span(y, softmax.sum, y, columns);
  }
}

// dx_j = y_j (dy_j - sum_k dy_k y_k)
template <class T>
void softmax_backward(const T* y, const T* dy, T* dx, int64_t rows, int64_t columns) {
  using V = Vec<T>;
  for (int64_t row = 0; row < rows; ++row, y += columns, dy += columns, dx += columns) {
    const V mean(sum_lanes(sum_of_vectors<T>(
        columns, [&](int64_t i, int n, V dot) { return fma(load_lanes(y + i, n), load_lanes(dy + i, n), dot); })));
    for_vectors<T>(columns, [&](int64_t i, int n) {
      store_lanes(load_lanes(y + i, n) * (load_lanes(dy + i, n) - mean), dx + i, n);
    });
  }
}

// y_j = (x_j - max) - log(sum)
template <class T>
void log_softmax(const T* x, T* y, int64_t rows, int64_t columns) {
  using V = Vec<T>;
  for_softmax_rows(x, y, rows, columns, [&](int64_t row, T max_value, T, T, T log_value) {
    const V maximum(max_value), log_sum(log_value);
    const T* from = x + row * columns;
    T* to = y + row * columns;
    for_vectors<T>(columns,
                   [&](int64_t i, int n) { store_lanes((load_lanes(from + i, n) - maximum) - log_sum, to + i, n); });
  });
}

// dx_j = dy_j - exp(y_j) sum_k dy_k
template <class T>
void log_softmax_backward(const T* y, const T* dy, T* dx, int64_t rows, int64_t columns) {
  using V = Vec<T>;
  for (int64_t row = 0; row < rows; ++row, y += columns, dy += columns, dx += columns) {
    const V total(sum_lanes(sum_span(dy, columns)));
    for_vectors<T>(columns, [&](int64_t i, int n) {
      store_lanes(fnma(exp(load_lanes(y + i, n)), total, load_lanes(dy + i, n)), dx + i, n);
    });
  }
}

// dx (rows, columns) = dy[row] * x
template <class T>
void scale_rows(const T* x, const T* dy, int64_t dy_stride, T* dx, int64_t rows, int64_t columns) {
  if (dy_stride == 0) return scale_span(x, *dy, dx, rows * columns);
  for (int64_t row = 0; row < rows; ++row) scale_span(x + row * columns, dy[row], dx + row * columns, columns);
}
