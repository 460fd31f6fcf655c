// Measures the peak rate of fma: as many independent chains as the tallest register tile has rows, which hides the
// latency of fma on every instruction set, and no memory access.

// Returns the number of flops; `sink` keeps the sums from being optimised away.
template <class T>
int64_t fma_burst(int64_t rounds, T* sink) {
  using V = Vec<T>;
  constexpr int chains = TileShape::rows[0];
  V sum[chains];
  for (int i = 0; i < chains; ++i) sum[i] = V(static_cast<T>(i));
  // Read from memory, so that the compiler cannot fold the constants.
  const V factor(sink[0]), term(sink[1]);
  for (int64_t round = 0; round < rounds; ++round)
#pragma GCC unroll 16
    for (int i = 0; i < chains; ++i) sum[i] = fma(sum[i], factor, term);
  for (int i = 1; i < chains; ++i) sum[0] = sum[0] + sum[i];
  sink[0] = sum_lanes(sum[0]);
  return rounds * chains * V::lanes * 2;
}
