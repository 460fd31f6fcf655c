// Loops over contiguous elements: whole vectors, then the tail through the same code with a partial load and store.

constexpr int64_t kCacheLine = 64;  // bytes

constexpr int64_t round_up(int64_t n, int64_t step) {
  return (n + step - 1) / step * step;
}
constexpr int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

// Calls body(offset, count), where count is the number of valid lanes.
template <class T, class Body>
[[gnu::always_inline]] inline void for_vectors(int64_t n, Body body) {
  constexpr int lanes = Vec<T>::lanes;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) body(i, lanes);
  if (i < n) body(i, static_cast<int>(n - i));
}

// Base of long functions: one copy in the loop serves whole vectors and the tail, which halves the code. Testing each
// vector for being whole costs such a function at most a few percent.
struct ManyOperations {};

template <class F, class T, class Body>
[[gnu::always_inline]] inline void for_vectors_of(int64_t n, Body body) {
  constexpr int lanes = Vec<T>::lanes;
  if constexpr (__is_base_of(ManyOperations, F))
    for (int64_t i = 0; i < n; i += lanes) body(i, static_cast<int>(smaller(lanes, n - i)));
  else
    for_vectors<T>(n, body);
}

template <class T>
[[gnu::always_inline]] inline Vec<T> load_lanes(const T* p, int count) {
  return count == Vec<T>::lanes ? Vec<T>::load(p) : Vec<T>::load(p, count);
}

template <class T>
[[gnu::always_inline]] inline void store_lanes(Vec<T> v, T* p, int count) {
  if (count == Vec<T>::lanes)
    v.store(p);
  else
    v.store(p, count);
}

template <class T>
void add_spans(const T* a, const T* b, T* y, int64_t n) {
  for_vectors<T>(
      n, [&](int64_t i, int count) { store_lanes(load_lanes(a + i, count) + load_lanes(b + i, count), y + i, count); });
}

template <class T>
void copy_span(const T* x, T* y, int64_t n) {
  for_vectors<T>(n, [&](int64_t i, int count) { store_lanes(load_lanes(x + i, count), y + i, count); });
}

template <class T>
[[gnu::always_inline]] inline void scale_span(const T* x, T factor, T* y, int64_t n) {
  const Vec<T> scale(factor);
  for_vectors<T>(n, [&](int64_t i, int count) { store_lanes(load_lanes(x + i, count) * scale, y + i, count); });
}
