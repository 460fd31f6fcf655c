// The fixed binary tree of the arithmetic contract's rule 3, as a binary counter: after leaf i, as many parked sums are
// folded in as i has trailing one bits, so that leaves 2i and 2i+1 meet first, then pairs of pairs. Whatever is parked
// at the end is folded from the youngest to the oldest, which is the same tree with its missing right branches left
// out.

// Calls fold(level) for every parked sum that the sum of leaf `leaf` takes in, in order, and returns the level at which
// the result belongs. `last` folds all that is left.
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
  V parked[kTreeLevels][Count];

  void add(int64_t leaf, bool last, V (&sum)[Count]) {
    const int level = climb(leaf, last, [&](int below) {
      for (int j = 0; j < Count; ++j) sum[j] = parked[below][j] + sum[j];
    });
    if (!last)
      for (int j = 0; j < Count; ++j) parked[level][j] = sum[j];
  }
};
