// Operations built in the same way on every instruction set.

// For functions whose vectors must stay in registers; scalar.hpp keeps its vectors in memory and calls them.
#ifndef NNLITE_INLINE
#define NNLITE_INLINE [[gnu::always_inline]] inline
#endif

template <class T>
Mask<T> operator>(Vec<T> a, Vec<T> b) {
  return b < a;
}

template <class T>
Mask<T> operator>=(Vec<T> a, Vec<T> b) {
  return b <= a;
}

template <class T>
T sum_lanes(Vec<T> x) {
  return fold_lanes(x, [](Vec<T> a, Vec<T> b) { return a + b; });
}

template <class T>
T max_lanes(Vec<T> x) {
  return fold_lanes(x, [](Vec<T> a, Vec<T> b) { return max(a, b); });
}

// v * 2^n for integer n, in two steps of half the exponent: only the second can round, into the subnormal range.
template <class T>
NNLITE_INLINE Vec<T> scale_exponent(Vec<T> v, Vec<T> n) {
  const Vec<T> half = floor(n * Vec<T>(T(0.5)));
  return (v * power_of_two(half)) * power_of_two(n - half);
}
