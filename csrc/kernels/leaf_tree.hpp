// The fixed binary tree of the arithmetic contract's rule 3, as a binary counter: leaf i folds in one stored sum for
// each trailing one bit of i, so that leaves 2j and 2j+1 are added first, then pairs of pairs. At the end the stored
// sums that are left are folded from newest to oldest, which gives the same tree without its missing right branches.

// Calls fold(level) for every stored sum that leaf `leaf` folds in, in order, and returns the level at which to store
// the result. `last` folds all that are left.
template <class Fold>
[[gnu::always_inline]] inline int climb(int64_t leaf, bool last, Fold fold) {
  int level = 0;
  for (; (leaf >> level) & 1; ++level) fold(level);
  if (!last) return level;
  for (int above = level + 1; (leaf >> above) != 0; ++above)
    if ((leaf >> above) & 1) fold(above);
  return level;
}

constexpr int kTreeLevels = 48;

// Sums of `Count` vectors, leaf by leaf.
template <class V, int Count>
struct LeafTree {
  V stored[kTreeLevels][Count];

  void add(int64_t leaf, bool last, V (&sum)[Count]) {
    const int level = climb(leaf, last, [&](int below) {
#pragma GCC unroll 4
      for (int j = 0; j < Count; ++j) sum[j] = stored[below][j] + sum[j];
    });
    if (!last)
#pragma GCC unroll 4
      for (int j = 0; j < Count; ++j) stored[level][j] = sum[j];
  }
};

// Sums along a row, the contract's rule 4: body(offset, count, sum) adds one vector after the other to sum[k], lane by
// lane. Beyond kLongestChain vectors these sums are split into leaves and combined by the tree, since the rounding
// error of a chain grows with its length.
constexpr int64_t kLongestChain = 512;

template <class T, class F = void, int Count, class Body>
[[gnu::always_inline]] inline void sum_vectors(int64_t n, Vec<T> (&sum)[Count], Body body) {
  constexpr int lanes = Vec<T>::lanes;
#pragma GCC unroll 4
  for (int k = 0; k < Count; ++k) sum[k] = Vec<T>(T(0));
  int64_t begin = 0, end = n <= kLongestChain * lanes ? n : kLeafRows * lanes;
  LeafTree<Vec<T>, Count> tree;
  for (int64_t leaf = 0;; ++leaf) {
    for_vectors_of<F, T>(end - begin, [&](int64_t i, int count) { body(begin + i, count, sum); });
    if (end == n && leaf == 0) return;
    tree.add(leaf, end == n, sum);
    if (end == n) return;
    begin = end, end = smaller(begin + kLeafRows * lanes, n);
#pragma GCC unroll 4
    for (int k = 0; k < Count; ++k) sum[k] = Vec<T>(T(0));
  }
}

template <class T, class F = void, class Body>
[[gnu::always_inline]] inline Vec<T> sum_of_vectors(int64_t n, Body body) {
  Vec<T> sum[1];
  sum_vectors<T, F>(n, sum, [&](int64_t i, int count, Vec<T>(&to)[1]) { to[0] = body(i, count, to[0]); });
  return sum[0];
}

template <class T>
Vec<T> sum_span(const T* x, int64_t n) {
  return sum_of_vectors<T>(n, [&](int64_t i, int count, Vec<T> sum) { return sum + load_lanes(x + i, count); });
}
