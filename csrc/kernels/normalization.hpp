// Layer normalisation (Ba, Kiros, Hinton 2016) along rows and batch normalisation (Ioffe, Szegedy 2015) along columns.
// The variance is the mean of squared deviations, in a second pass: E[x^2] - E[x]^2 would cancel.

template <class T>
void layer_norm(const T* x, const T* weight, const T* bias, T eps, T* y, T* normalized, T* inverse_std, int64_t rows,
                int64_t columns) {
  using V = Vec<T>;
  const T count = static_cast<T>(columns);
  for (int64_t row = 0; row < rows; ++row, x += columns, y += columns, normalized += columns) {
    const V mean(sum_lanes(sum_span(x, columns)) / count);
    const V squares = sum_of_vectors<T>(columns, [&](int64_t i, int n, V sum) {
      V d = load_lanes(x + i, n) - mean;
      if (n != V::lanes) d = select(first_lanes<T>(n), d, V(T(0)));
      store_lanes(d, normalized + i, n);
      return fma(d, d, sum);
    });
    const V scale = V(T(1)) / sqrt(V(sum_lanes(squares) / count + eps));
    scale.store(inverse_std + row, 1);
    for_vectors<T>(columns, [&](int64_t i, int n) {
      const V z = load_lanes(normalized + i, n) * scale;
      store_lanes(z, normalized + i, n);
      const V w = weight == nullptr ? V(T(1)) : load_lanes(weight + i, n);
      const V b = bias == nullptr ? V(T(0)) : load_lanes(bias + i, n);
      store_lanes(fma(z, w, b), y + i, n);
    });
  }
}

// With g = dy w:  dx = inverse_std (g - mean(g) - normalized mean(g normalized))
template <class T>
void layer_norm_backward(const T* normalized, const T* inverse_std, const T* weight, const T* dy, T* dx, int64_t rows,
                         int64_t columns) {
  using V = Vec<T>;
  const T count = static_cast<T>(columns);
  for (int64_t row = 0; row < rows; ++row, normalized += columns, dy += columns, dx += columns) {
    V sums[2];  // of g and of g times normalized
    sum_vectors<T>(columns, sums, [&](int64_t i, int n, V(&sum)[2]) {
      const V g = weight == nullptr ? load_lanes(dy + i, n) : load_lanes(dy + i, n) * load_lanes(weight + i, n);
      store_lanes(g, dx + i, n);
      sum[0] = sum[0] + g;
      sum[1] = fma(g, load_lanes(normalized + i, n), sum[1]);
    });
    const V mean(sum_lanes(sums[0]) / count), mean_dot(sum_lanes(sums[1]) / count), scale(inverse_std[row]);
    for_vectors<T>(columns, [&](int64_t i, int n) {
      store_lanes(scale * fnma(load_lanes(normalized + i, n), mean_dot, load_lanes(dx + i, n) - mean), dx + i, n);
    });
  }
}

// normalized = (x - mean) * inverse_std per column (a null inverse_std is 1), y = normalized * weight + bias (a null y
// is skipped).
template <class T>
void normalize_columns(const T* x, const T* mean, const T* inverse_std, const T* weight, const T* bias, T* y,
                       T* normalized, int64_t rows, int64_t columns) {
  using V = Vec<T>;
  for (int64_t row = 0; row < rows; ++row)
    for_vectors<T>(columns, [&](int64_t i, int n) {
      const int64_t at = row * columns + i;
      V z = load_lanes(x + at, n) - load_lanes(mean + i, n);
      if (inverse_std != nullptr) z = z * load_lanes(inverse_std + i, n);
      store_lanes(z, normalized + at, n);
      if (y == nullptr) return;
      const V w = weight == nullptr ? V(T(1)) : load_lanes(weight + i, n);
      const V b = bias == nullptr ? V(T(0)) : load_lanes(bias + i, n);
      store_lanes(fma(z, w, b), y + at, n);
    });
}

// dx = weight inverse_std (dy - mean_dy - normalized mean_dy_normalized); the means are null if the statistics are
// constants.
template <class T>
void batch_norm_backward(const T* normalized, const T* inverse_std, const T* weight, const T* dy, const T* mean_dy,
                         const T* mean_dy_normalized, T* dx, int64_t rows, int64_t columns) {
  using V = Vec<T>;
  for (int64_t row = 0; row < rows; ++row)
    for_vectors<T>(columns, [&](int64_t i, int n) {
      const int64_t at = row * columns + i;
      V scale = load_lanes(inverse_std + i, n);
      if (weight != nullptr) scale = scale * load_lanes(weight + i, n);
      V g = load_lanes(dy + at, n);
      if (mean_dy != nullptr)
        g = fnma(load_lanes(normalized + at, n), load_lanes(mean_dy_normalized + i, n), g - load_lanes(mean_dy + i, n));
      store_lanes(scale * g, dx + at, n);
    });
}
