// Sixteen floats, or eight doubles, in an array: the baseline for any processor, and the reference for the others.

#define NNLITE_INLINE inline

template <class T>
struct Mask {
  bool bits[64 / sizeof(T)];
};

// A small tile that stays in the level-1 cache.
struct TileShape {
  static constexpr int rows[] = {2}, double_rows[] = {2}, panel_vectors = 1;
  static constexpr bool masks_are_free = true;
};

inline float fma_of(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
inline double fma_of(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}
inline float sqrt_of(float a) {
  return __builtin_sqrtf(a);
}
inline double sqrt_of(double a) {
  return __builtin_sqrt(a);
}
inline float round_of(float a) {
  return __builtin_rintf(a);
}
inline double round_of(double a) {
  return __builtin_rint(a);
}
inline float floor_of(float a) {
  return __builtin_floorf(a);
}
inline double floor_of(double a) {
  return __builtin_floor(a);
}
inline float copysign_of(float a, float b) {
  return __builtin_copysignf(a, b);
}
inline double copysign_of(double a, double b) {
  return __builtin_copysign(a, b);
}

template <class T>
struct Vec {
  static constexpr int lanes = 64 / sizeof(T);
  T v[lanes];

  Vec() = default;
  // Not trivially copyable, so that arguments are passed by reference and not copied through the stack.
  Vec(const Vec& other) { *this = other; }
  Vec& operator=(const Vec& other) {
    __builtin_memcpy(v, other.v, sizeof(v));
    return *this;
  }
  explicit Vec(T value) {
    for (T& lane : v) lane = value;
  }

  static Vec load(const T* p) { return load(p, lanes); }
  static Vec load(const T* p, int n) {
    Vec x(T(0));
    for (int i = 0; i < n; ++i) x.v[i] = p[i];
    return x;
  }
  static Vec broadcast(const T* p) { return Vec(*p); }
  void store(T* p) const { store(p, lanes); }
  void store(T* p, int n) const {
    for (int i = 0; i < n; ++i) p[i] = v[i];
  }
};

using VecF = Vec<float>;
using VecD = Vec<double>;

// Applies f to each lane. Not inlined: otherwise every operation would repeat the loop over lanes.
template <class T, class F, class... Vs>
[[gnu::noinline]] Vec<T> each(F f, const Vec<T>& a, const Vs&... others) {
  Vec<T> y;
  for (int i = 0; i < Vec<T>::lanes; ++i) y.v[i] = f(a.v[i], others.v[i]...);
  return y;
}

template <class T, class F>
[[gnu::noinline]] Mask<T> compare(F f, const Vec<T>& a, const Vec<T>& b) {
  Mask<T> mask;
  for (int i = 0; i < Vec<T>::lanes; ++i) mask.bits[i] = f(a.v[i], b.v[i]);
  return mask;
}

template <class T>
Vec<T> operator+(const Vec<T>& a, const Vec<T>& b) {
  return each([](T x, T y) { return x + y; }, a, b);
}
template <class T>
Vec<T> operator-(const Vec<T>& a, const Vec<T>& b) {
  return each([](T x, T y) { return x - y; }, a, b);
}
template <class T>
Vec<T> operator*(const Vec<T>& a, const Vec<T>& b) {
  return each([](T x, T y) { return x * y; }, a, b);
}
template <class T>
Vec<T> operator/(const Vec<T>& a, const Vec<T>& b) {
  return each([](T x, T y) { return x / y; }, a, b);
}
template <class T>
Vec<T> operator-(const Vec<T>& a) {
  return each([](T x) { return -x; }, a);
}
template <class T>
Vec<T> fma(const Vec<T>& a, const Vec<T>& b, const Vec<T>& c) {
  return each([](T x, T y, T z) { return fma_of(x, y, z); }, a, b, c);
}
template <class T>
Vec<T> fnma(const Vec<T>& a, const Vec<T>& b, const Vec<T>& c) {
  return each([](T x, T y, T z) { return fma_of(-x, y, z); }, a, b, c);
}
template <class T>
Vec<T> min(const Vec<T>& a, const Vec<T>& b) {
  return each([](T x, T y) { return x < y ? x : y; }, a, b);
}
template <class T>
Vec<T> max(const Vec<T>& a, const Vec<T>& b) {
  return each([](T x, T y) { return x > y ? x : y; }, a, b);
}
template <class T>
Vec<T> abs(const Vec<T>& a) {
  return each([](T x) { return copysign_of(x, T(1)); }, a);
}
template <class T>
Vec<T> sqrt(const Vec<T>& a) {
  return each([](T x) { return sqrt_of(x); }, a);
}
template <class T>
Vec<T> round(const Vec<T>& a) {
  return each([](T x) { return round_of(x); }, a);
}
template <class T>
Vec<T> floor(const Vec<T>& a) {
  return each([](T x) { return floor_of(x); }, a);
}
template <class T>
Vec<T> copysign(const Vec<T>& magnitude, const Vec<T>& sign) {
  return each([](T x, T y) { return copysign_of(x, y); }, magnitude, sign);
}

template <class T>
Mask<T> operator<(const Vec<T>& a, const Vec<T>& b) {
  return compare([](T x, T y) { return x < y; }, a, b);
}
template <class T>
Mask<T> operator<=(const Vec<T>& a, const Vec<T>& b) {
  return compare([](T x, T y) { return x <= y; }, a, b);
}
template <class T>
Mask<T> operator==(const Vec<T>& a, const Vec<T>& b) {
  return compare([](T x, T y) { return x == y; }, a, b);
}
template <class T>
Mask<T> operator!=(const Vec<T>& a, const Vec<T>& b) {
  return compare([](T x, T y) { return x != y; }, a, b);
}
template <class T>
Mask<T> operator&(Mask<T> a, const Mask<T>& b) {
  for (int i = 0; i < Vec<T>::lanes; ++i) a.bits[i] = a.bits[i] && b.bits[i];
  return a;
}
template <class T>
Mask<T> operator|(Mask<T> a, const Mask<T>& b) {
  for (int i = 0; i < Vec<T>::lanes; ++i) a.bits[i] = a.bits[i] || b.bits[i];
  return a;
}
template <class T>
Mask<T> operator!(Mask<T> a) {
  for (bool& bit : a.bits) bit = !bit;
  return a;
}
template <class T>
bool any(const Mask<T>& a) {
  for (bool bit : a.bits)
    if (bit) return true;
  return false;
}
template <class T>
Vec<T> select(const Mask<T>& mask, Vec<T> a, Vec<T> b) {
  for (int i = 0; i < Vec<T>::lanes; ++i) b.v[i] = mask.bits[i] ? a.v[i] : b.v[i];
  return b;
}
template <class T>
Mask<T> first_lanes(int n) {
  Mask<T> mask;
  for (int i = 0; i < Vec<T>::lanes; ++i) mask.bits[i] = i < n;
  return mask;
}

template <class To, class From>
To bits_of(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof(to));
  return to;
}

// 2^n for integer n in the normal range of exponents. Adding 1.5 * 2^23 (2^52) leaves a small integer in the low bits,
// without a conversion, which would be undefined for NaN.
inline VecF power_of_two(VecF n) {
  return each([](float x) { return bits_of<float>(bits_of<uint32_t>(x + (12582912.0f + 127.0f)) << 23); }, n);
}
inline VecD power_of_two(VecD n) {
  return each([](double x) { return bits_of<double>(bits_of<uint64_t>(x + (6755399441055744.0 + 1023.0)) << 52); }, n);
}

// x = mantissa * 2^e for positive normal x, mantissa in [1, 2); returns e.
inline VecF split_exponent(VecF x, VecF* mantissa) {
  VecF exponent;
  for (int i = 0; i < VecF::lanes; ++i) {
    const auto bits = bits_of<uint32_t>(x.v[i]);
    mantissa->v[i] = bits_of<float>((bits & 0x007fffffu) | 0x3f800000u);
    exponent.v[i] = static_cast<float>(static_cast<int32_t>(bits >> 23) - 127);
  }
  return exponent;
}
inline VecD split_exponent(VecD x, VecD* mantissa) {
  VecD exponent;
  for (int i = 0; i < VecD::lanes; ++i) {
    const auto bits = bits_of<uint64_t>(x.v[i]);
    mantissa->v[i] = bits_of<double>((bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull);
    exponent.v[i] = static_cast<double>(static_cast<int64_t>(bits >> 52) - 1023);
  }
  return exponent;
}

// The lanes' tree: lane j with j + 8, then + 4, + 2, + 1.
template <class T, class Fold>
T fold_lanes(Vec<T> x, Fold fold) {
  for (int half = Vec<T>::lanes / 2; half > 0; half /= 2) {
    Vec<T> upper = x;
    for (int i = 0; i < half; ++i) upper.v[i] = x.v[i + half];
    x = fold(x, upper);
  }
  return x.v[0];
}

// to[j][i] = from[i][j] for a square of whole vectors.
template <class T>
void transpose(const T* from, int64_t from_stride, T* to, int64_t to_stride) {
  for (int j = 0; j < Vec<T>::lanes; ++j)
    for (int i = 0; i < Vec<T>::lanes; ++i) to[j * to_stride + i] = from[i * from_stride + j];
}
