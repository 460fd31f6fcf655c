// Sums and maxima. Over rows: leaves of kLeafRows rows, combined by the tree. Along a row: one sum per lane, then the
// lanes' tree. Cost: one read of the input; each addition to a lane waits for the previous one, so several vectors are
// summed side by side.

template <class T, int Count>
void sum_rows_block(const T* x, int64_t rows, int64_t row_stride, int tail, T* out) {
  using V = Vec<T>;
  LeafTree<V, Count> tree;
  V sum[Count];
  for (int64_t begin = 0; begin < rows; begin += kLeafRows) {
    const int64_t end = smaller(begin + kLeafRows, rows);
#pragma GCC unroll 4
    for (int j = 0; j < Count; ++j) sum[j] = V(T(0));
    for (int64_t row = begin; row < end; ++row) {
      const T* from = x + row * row_stride;
#pragma GCC unroll 4
      for (int j = 0; j < Count - 1; ++j) sum[j] = sum[j] + V::load(from + j * V::lanes);
      sum[Count - 1] = sum[Count - 1] + load_lanes(from + (Count - 1) * V::lanes, tail);
    }
    tree.add(begin / kLeafRows, end == rows, sum);
  }
#pragma GCC unroll 4
  for (int j = 0; j < Count - 1; ++j) sum[j].store(out + j * V::lanes);
  store_lanes(sum[Count - 1], out + (Count - 1) * V::lanes, tail);
}

// x (rows, columns), rows `row_stride` apart -> out (columns)
template <class T>
void sum_rows(const T* x, int64_t rows, int64_t columns, int64_t row_stride, T* out) {
  constexpr int lanes = Vec<T>::lanes;
  if (rows == 0)
    for (int64_t j = 0; j < columns; ++j) out[j] = T(0);
  if (rows == 0) return;
  int64_t column = 0;
  for (; column + 4 * lanes <= columns; column += 4 * lanes)
    sum_rows_block<T, 4>(x + column, rows, row_stride, lanes, out + column);
  for (; column < columns; column += lanes)
    sum_rows_block<T, 1>(x + column, rows, row_stride, static_cast<int>(smaller(lanes, columns - column)),
                         out + column);
}

// x (rows, columns) -> out (rows)
template <class T>
void sum_columns(const T* x, int64_t rows, int64_t columns, T* out) {
  for (int64_t row = 0; row < rows; ++row) out[row] = sum_lanes(sum_span(x + row * columns, columns));
}

// The leaves are spans of kLeafRows rows; leaf(begin, n) returns the lanes' sums of n elements from `begin`.
template <class T, class Leaf>
Vec<T> lanes_of_leaves(int64_t rows, int64_t columns, Leaf leaf) {
  LeafTree<Vec<T>, 1> tree;
  Vec<T> sum[1] = {Vec<T>(T(0))};
  for (int64_t begin = 0; begin < rows; begin += kLeafRows) {
    const int64_t end = smaller(begin + kLeafRows, rows);
    sum[0] = leaf(begin * columns, (end - begin) * columns);
    tree.add(begin / kLeafRows, end == rows, sum);
  }
  return sum[0];
}

template <class T, class Leaf>
T sum_leaves(int64_t rows, int64_t columns, Leaf leaf) {
  return sum_lanes(lanes_of_leaves<T>(rows, columns, leaf));
}

template <class T>
T sum_all(const T* x, int64_t rows, int64_t columns) {
  return sum_leaves<T>(rows, columns, [&](int64_t begin, int64_t n) { return sum_span(x + begin, n); });
}

// Losses are computed a block at a time, which stays in the level-1 cache, and then summed.
template <class T>
T loss_sum(const LossKernel<T>& loss, const T* x, const T* t, int64_t rows, int64_t columns, T parameter) {
  constexpr int64_t block = 8 * int64_t{Vec<T>::lanes};
  T losses[block];
  return sum_leaves<T>(rows, columns, [&](int64_t begin, int64_t n) {
    return sum_of_vectors<T>(n, [&](int64_t i, int count, Vec<T> sum) {
      if (i % block == 0) loss.forward(x + begin + i, t + begin + i, losses, smaller(block, n - i), parameter);
      return sum + load_lanes(losses + i % block, count);
    });
  });
}

// The lanes' sums of n squares in double, where no square of a float overflows.
template <class T>
void sum_squares(const T* x, int64_t n, double* lanes) {
  const Vec<double> sums = lanes_of_leaves<double>(n, 1, [&](int64_t begin, int64_t count) {
    double squares[kLeafRows];
    for (int64_t i = 0; i < count; ++i)
      squares[i] = static_cast<double>(x[begin + i]) * static_cast<double>(x[begin + i]);
    return sum_span(squares, count);
  });
  static_assert(Vec<double>::lanes == kDoubleLanes, "the lanes of the contract");
  sums.store(lanes);
}

// The first position of a row's largest value; NaN counts as the largest, as in NumPy and PyTorch. One pass finds the
// value, a second its position. v - v is 0 for finite v: a row with a NaN or an infinity takes the scalar loop.
template <class T>
int64_t find_max(const T* values, int64_t n) {
  using V = Vec<T>;
  V largest = -infinity<T>(), finite(T(0));
  for_vectors<T>(n, [&](int64_t i, int count) {
    const V v = load_lanes(values + i, count);
    largest = max(largest, count == V::lanes ? v : select(first_lanes<T>(count), v, -infinity<T>()));
    finite = finite + (v - v);
  });
  int64_t best = 0;
  if (any(finite != V(T(0)))) {
    for (int64_t j = 1; j < n && values[best] == values[best]; ++j)
      if (values[j] > values[best] || values[j] != values[j]) best = j;
    return best;
  }
  const T most = max_lanes(largest);
  const V value(most);
  while (best + V::lanes < n && !any(V::load(values + best) == value)) best += V::lanes;
  while (values[best] < most) ++best;
  return best;
}

template <class T>
void max_columns(const T* x, int64_t rows, int64_t columns, T* out, int64_t* argmax) {
  for (int64_t row = 0; row < rows; ++row) {
    argmax[row] = find_max(x + row * columns, columns);
    if (out != nullptr) out[row] = x[row * columns + argmax[row]];
  }
}

// The position of the first NaN or infinity, -1 if there is none. x - x is 0 for finite x and NaN otherwise, and a sum
// keeps a NaN: one branch per block of vectors. One read of the input.
template <class T>
int64_t first_nonfinite(const T* x, int64_t n) {
  using V = Vec<T>;
  constexpr int64_t block = 16 * V::lanes;
  for (int64_t begin = 0; begin < n; begin += block) {
    const int64_t count = smaller(block, n - begin);
    V sum(T(0));
    for_vectors<T>(count, [&](int64_t i, int lanes) {
      const V v = load_lanes(x + begin + i, lanes);
      sum = sum + (v - v);
    });
    if (!any(sum != V(T(0)))) continue;
    for (int64_t i = begin; i < begin + count; ++i)
      if (!(x[i] - x[i] == T(0))) return i;
  }
  return -1;
}
