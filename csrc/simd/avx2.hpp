// Sixteen floats or eight doubles in two 256-bit registers. GCC 12 spills a 64-byte vector_size: 16 GFLOP/s, not 100.

template <class T>
struct Vec;
template <class T>
struct Mask;

// Rows of the register tile for 1 to 4 vectors of columns: 16 registers hold its sums, a row of B and a value of A.
struct TileShape {
  static constexpr int rows[] = {6, 2, 1, 1}, double_rows[] = {6, 2, 1, 1}, panel_vectors = 1;
  static constexpr bool masks_are_free = false;
};

template <>
struct Mask<float> {
  __m256 low, high;  // all ones where true
};

template <>
struct Mask<double> {
  __m256d low, high;  // all ones where true
};

// All ones in the lanes below n, for n of 0 ... 8 (floats) or 0 ... 4 (doubles).
inline __m256i lanes_below_32(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline __m256i lanes_below_64(int n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

template <>
struct Vec<float> {
  static constexpr int lanes = 16;
  __m256 low, high;

  Vec() = default;
  Vec(__m256 low_half, __m256 high_half) : low(low_half), high(high_half) {}
  explicit Vec(float value) : low(_mm256_set1_ps(value)), high(low) {}

  static Vec load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static Vec load(const float* p, int n) {
    return {_mm256_maskload_ps(p, lanes_below_32(n)),
            n > 8 ? _mm256_maskload_ps(p + 8, lanes_below_32(n - 8)) : _mm256_setzero_ps()};
  }
  static Vec broadcast(const float* p) {
    const __m256 value = _mm256_broadcast_ss(p);
    return {value, value};
  }
  void store(float* p) const {
    _mm256_storeu_ps(p, low);
    _mm256_storeu_ps(p + 8, high);
  }
  void store(float* p, int n) const {
    _mm256_maskstore_ps(p, lanes_below_32(n), low);
    if (n > 8) _mm256_maskstore_ps(p + 8, lanes_below_32(n - 8), high);
  }
};

template <>
struct Vec<double> {
  static constexpr int lanes = 8;
  __m256d low, high;

  Vec() = default;
  Vec(__m256d low_half, __m256d high_half) : low(low_half), high(high_half) {}
  explicit Vec(double value) : low(_mm256_set1_pd(value)), high(low) {}

  static Vec load(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
  static Vec load(const double* p, int n) {
    return {_mm256_maskload_pd(p, lanes_below_64(n)),
            n > 4 ? _mm256_maskload_pd(p + 4, lanes_below_64(n - 4)) : _mm256_setzero_pd()};
  }
  static Vec broadcast(const double* p) {
    const __m256d value = _mm256_broadcast_sd(p);
    return {value, value};
  }
  void store(double* p) const {
    _mm256_storeu_pd(p, low);
    _mm256_storeu_pd(p + 4, high);
  }
  void store(double* p, int n) const {
    _mm256_maskstore_pd(p, lanes_below_64(n), low);
    if (n > 4) _mm256_maskstore_pd(p + 4, lanes_below_64(n - 4), high);
  }
};

using VecF = Vec<float>;
using VecD = Vec<double>;
using MaskF = Mask<float>;
using MaskD = Mask<double>;

inline VecF operator+(VecF a, VecF b) {
  return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
inline VecD operator+(VecD a, VecD b) {
  return {_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
}
inline VecF operator-(VecF a, VecF b) {
  return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}
inline VecD operator-(VecD a, VecD b) {
  return {_mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high)};
}
inline VecF operator*(VecF a, VecF b) {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
inline VecD operator*(VecD a, VecD b) {
  return {_mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high)};
}
inline VecF operator/(VecF a, VecF b) {
  return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}
inline VecD operator/(VecD a, VecD b) {
  return {_mm256_div_pd(a.low, b.low), _mm256_div_pd(a.high, b.high)};
}
inline VecF operator-(VecF a) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_xor_ps(a.low, bit), _mm256_xor_ps(a.high, bit)};
}
inline VecD operator-(VecD a) {
  const __m256d bit = _mm256_set1_pd(-0.0);
  return {_mm256_xor_pd(a.low, bit), _mm256_xor_pd(a.high, bit)};
}

inline VecF fma(VecF a, VecF b, VecF c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline VecD fma(VecD a, VecD b, VecD c) {
  return {_mm256_fmadd_pd(a.low, b.low, c.low), _mm256_fmadd_pd(a.high, b.high, c.high)};
}
inline VecF fnma(VecF a, VecF b, VecF c) {
  return {_mm256_fnmadd_ps(a.low, b.low, c.low), _mm256_fnmadd_ps(a.high, b.high, c.high)};
}
inline VecD fnma(VecD a, VecD b, VecD c) {
  return {_mm256_fnmadd_pd(a.low, b.low, c.low), _mm256_fnmadd_pd(a.high, b.high, c.high)};
}
inline VecF min(VecF a, VecF b) {
  return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
inline VecD min(VecD a, VecD b) {
  return {_mm256_min_pd(a.low, b.low), _mm256_min_pd(a.high, b.high)};
}
inline VecF max(VecF a, VecF b) {
  return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
inline VecD max(VecD a, VecD b) {
  return {_mm256_max_pd(a.low, b.low), _mm256_max_pd(a.high, b.high)};
}
inline VecF abs(VecF a) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(bit, a.low), _mm256_andnot_ps(bit, a.high)};
}
inline VecD abs(VecD a) {
  const __m256d bit = _mm256_set1_pd(-0.0);
  return {_mm256_andnot_pd(bit, a.low), _mm256_andnot_pd(bit, a.high)};
}
inline VecF sqrt(VecF a) {
  return {_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)};
}
inline VecD sqrt(VecD a) {
  return {_mm256_sqrt_pd(a.low), _mm256_sqrt_pd(a.high)};
}
inline VecF round(VecF a) {
  constexpr int mode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.low, mode), _mm256_round_ps(a.high, mode)};
}
inline VecD round(VecD a) {
  constexpr int mode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_pd(a.low, mode), _mm256_round_pd(a.high, mode)};
}
inline VecF floor(VecF a) {
  constexpr int mode = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.low, mode), _mm256_round_ps(a.high, mode)};
}
inline VecD floor(VecD a) {
  constexpr int mode = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  return {_mm256_round_pd(a.low, mode), _mm256_round_pd(a.high, mode)};
}
inline __m256 copysign_half(__m256 magnitude, __m256 sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return _mm256_or_ps(_mm256_andnot_ps(bit, magnitude), _mm256_and_ps(bit, sign));
}
inline VecF copysign(VecF magnitude, VecF sign) {
  return {copysign_half(magnitude.low, sign.low), copysign_half(magnitude.high, sign.high)};
}
inline __m256d copysign_half(__m256d magnitude, __m256d sign) {
  const __m256d bit = _mm256_set1_pd(-0.0);
  return _mm256_or_pd(_mm256_andnot_pd(bit, magnitude), _mm256_and_pd(bit, sign));
}
inline VecD copysign(VecD magnitude, VecD sign) {
  return {copysign_half(magnitude.low, sign.low), copysign_half(magnitude.high, sign.high)};
}

inline MaskF operator<(VecF a, VecF b) {
  return {_mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ)};
}
inline MaskD operator<(VecD a, VecD b) {
  return {_mm256_cmp_pd(a.low, b.low, _CMP_LT_OQ), _mm256_cmp_pd(a.high, b.high, _CMP_LT_OQ)};
}
inline MaskF operator<=(VecF a, VecF b) {
  return {_mm256_cmp_ps(a.low, b.low, _CMP_LE_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_LE_OQ)};
}
inline MaskD operator<=(VecD a, VecD b) {
  return {_mm256_cmp_pd(a.low, b.low, _CMP_LE_OQ), _mm256_cmp_pd(a.high, b.high, _CMP_LE_OQ)};
}
inline MaskF operator==(VecF a, VecF b) {
  return {_mm256_cmp_ps(a.low, b.low, _CMP_EQ_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_EQ_OQ)};
}
inline MaskD operator==(VecD a, VecD b) {
  return {_mm256_cmp_pd(a.low, b.low, _CMP_EQ_OQ), _mm256_cmp_pd(a.high, b.high, _CMP_EQ_OQ)};
}
inline MaskF operator!=(VecF a, VecF b) {
  return {_mm256_cmp_ps(a.low, b.low, _CMP_NEQ_UQ), _mm256_cmp_ps(a.high, b.high, _CMP_NEQ_UQ)};
}
inline MaskD operator!=(VecD a, VecD b) {
  return {_mm256_cmp_pd(a.low, b.low, _CMP_NEQ_UQ), _mm256_cmp_pd(a.high, b.high, _CMP_NEQ_UQ)};
}
inline MaskF operator&(MaskF a, MaskF b) {
  return {_mm256_and_ps(a.low, b.low), _mm256_and_ps(a.high, b.high)};
}
inline MaskD operator&(MaskD a, MaskD b) {
  return {_mm256_and_pd(a.low, b.low), _mm256_and_pd(a.high, b.high)};
}
inline MaskF operator|(MaskF a, MaskF b) {
  return {_mm256_or_ps(a.low, b.low), _mm256_or_ps(a.high, b.high)};
}
inline MaskD operator|(MaskD a, MaskD b) {
  return {_mm256_or_pd(a.low, b.low), _mm256_or_pd(a.high, b.high)};
}
inline MaskF operator!(MaskF a) {
  const __m256 ones = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
  return {_mm256_xor_ps(a.low, ones), _mm256_xor_ps(a.high, ones)};
}
inline MaskD operator!(MaskD a) {
  const __m256d ones = _mm256_castsi256_pd(_mm256_set1_epi32(-1));
  return {_mm256_xor_pd(a.low, ones), _mm256_xor_pd(a.high, ones)};
}
inline bool any(MaskF a) {
  return (_mm256_movemask_ps(a.low) | _mm256_movemask_ps(a.high)) != 0;
}
inline bool any(MaskD a) {
  return (_mm256_movemask_pd(a.low) | _mm256_movemask_pd(a.high)) != 0;
}
inline VecF select(MaskF m, VecF a, VecF b) {
  return {_mm256_blendv_ps(b.low, a.low, m.low), _mm256_blendv_ps(b.high, a.high, m.high)};
}
inline VecD select(MaskD m, VecD a, VecD b) {
  return {_mm256_blendv_pd(b.low, a.low, m.low), _mm256_blendv_pd(b.high, a.high, m.high)};
}

template <class T>
Mask<T> first_lanes(int n);
template <>
inline MaskF first_lanes<float>(int n) {
  return {_mm256_castsi256_ps(lanes_below_32(n)), _mm256_castsi256_ps(lanes_below_32(n - 8))};
}
template <>
inline MaskD first_lanes<double>(int n) {
  return {_mm256_castsi256_pd(lanes_below_64(n)), _mm256_castsi256_pd(lanes_below_64(n - 4))};
}

// 2^n for integer n in the normal range of exponents. AVX2 does not convert between doubles and 64-bit integers: adding
// 1.5 * 2^52 leaves a small integer in the low bits.
inline __m256 power_of_two_half(__m256 n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
inline __m256d power_of_two_half(__m256d n) {
  const __m256i bits = _mm256_castpd_si256(_mm256_add_pd(n, _mm256_set1_pd(6755399441055744.0 + 1023.0)));
  return _mm256_castsi256_pd(_mm256_slli_epi64(bits, 52));
}
inline VecF power_of_two(VecF n) {
  return {power_of_two_half(n.low), power_of_two_half(n.high)};
}
inline VecD power_of_two(VecD n) {
  return {power_of_two_half(n.low), power_of_two_half(n.high)};
}

// x = mantissa * 2^e for positive normal x, mantissa in [1, 2); returns e.
inline __m256 split_half(__m256 x, __m256* mantissa) {
  const __m256i bits = _mm256_castps_si256(x);
  *mantissa = _mm256_castsi256_ps(
      _mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi32(0x007fffff)), _mm256_set1_epi32(0x3f800000)));
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(127)));
}
inline __m256d split_half(__m256d x, __m256d* mantissa) {
  const __m256i bits = _mm256_castpd_si256(x);
  *mantissa = _mm256_castsi256_pd(_mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi64x(0x000fffffffffffffll)),
                                                  _mm256_set1_epi64x(0x3ff0000000000000ll)));
  // Puts the exponent into the low bits of 2^52, then subtracts 2^52.
  const __m256i exponent = _mm256_or_si256(_mm256_srli_epi64(bits, 52), _mm256_set1_epi64x(0x4330000000000000ll));
  return _mm256_sub_pd(_mm256_castsi256_pd(exponent), _mm256_set1_pd(4503599627370496.0 + 1023.0));
}
inline VecF split_exponent(VecF x, VecF* mantissa) {
  const __m256 low = split_half(x.low, &mantissa->low);
  return {low, split_half(x.high, &mantissa->high)};
}
inline VecD split_exponent(VecD x, VecD* mantissa) {
  const __m256d low = split_half(x.low, &mantissa->low);
  return {low, split_half(x.high, &mantissa->high)};
}

// The lanes' tree: lane j with j + 8, then + 4, + 2, + 1.
template <class Fold>
[[gnu::always_inline]] inline float fold_lanes(VecF x, Fold fold) {
  const auto step = [&](__m256 a, __m256 b) { return fold(VecF(a, a), VecF(b, b)).low; };
  __m256 s = step(x.low, x.high);
  s = step(s, _mm256_permute2f128_ps(s, s, 1));
  s = step(s, _mm256_permute_ps(s, 0x4e));
  s = step(s, _mm256_permute_ps(s, 0xb1));
  return _mm256_cvtss_f32(s);
}
template <class Fold>
[[gnu::always_inline]] inline double fold_lanes(VecD x, Fold fold) {
  const auto step = [&](__m256d a, __m256d b) { return fold(VecD(a, a), VecD(b, b)).low; };
  __m256d s = step(x.low, x.high);
  s = step(s, _mm256_permute2f128_pd(s, s, 1));
  s = step(s, _mm256_permute_pd(s, 0x5));
  return _mm256_cvtsd_f64(s);
}

// Transposes a square of half-width rows.
inline void transpose_square(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  __m256 t[8], u[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    const __m256 a = _mm256_loadu_ps(from + i * from_stride), b = _mm256_loadu_ps(from + (i + 1) * from_stride);
    t[i] = _mm256_unpacklo_ps(a, b);
    t[i + 1] = _mm256_unpackhi_ps(a, b);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      const __m256d a = _mm256_castps_pd(t[i + j]), b = _mm256_castps_pd(t[i + 2 + j]);
      u[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
      u[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
    }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    _mm256_storeu_ps(to + j * to_stride, _mm256_permute2f128_ps(u[j], u[4 + j], 0x20));
    _mm256_storeu_ps(to + (4 + j) * to_stride, _mm256_permute2f128_ps(u[j], u[4 + j], 0x31));
  }
}
inline void transpose_square(const double* from, int64_t from_stride, double* to, int64_t to_stride) {
  const __m256d row0 = _mm256_loadu_pd(from), row1 = _mm256_loadu_pd(from + from_stride),
                row2 = _mm256_loadu_pd(from + 2 * from_stride), row3 = _mm256_loadu_pd(from + 3 * from_stride);
  const __m256d a = _mm256_unpacklo_pd(row0, row1), b = _mm256_unpackhi_pd(row0, row1);
  const __m256d c = _mm256_unpacklo_pd(row2, row3), d = _mm256_unpackhi_pd(row2, row3);
  _mm256_storeu_pd(to, _mm256_permute2f128_pd(a, c, 0x20));
  _mm256_storeu_pd(to + to_stride, _mm256_permute2f128_pd(b, d, 0x20));
  _mm256_storeu_pd(to + 2 * to_stride, _mm256_permute2f128_pd(a, c, 0x31));
  _mm256_storeu_pd(to + 3 * to_stride, _mm256_permute2f128_pd(b, d, 0x31));
}

// to[j][i] = from[i][j] for a square of whole vectors, quarter by quarter.
template <class T>
void transpose(const T* from, int64_t from_stride, T* to, int64_t to_stride) {
  constexpr int half = Vec<T>::lanes / 2;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j)
      transpose_square(from + half * (i * from_stride + j), from_stride, to + half * (j * to_stride + i), to_stride);
}
