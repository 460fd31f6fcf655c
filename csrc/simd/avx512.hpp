// Sixteen floats, or eight doubles, in one 512-bit register.

template <class T>
struct Vec;
template <class T>
struct Mask;

// Rows of the register tile for 1, 2, 3, 4 vectors of columns: 32 registers hold the sums, a row of B and one value of
// A.
struct TileShape {
  static constexpr int rows[] = {12, 8, 8, 6}, double_rows[] = {8, 4, 4, 4}, panel_vectors = 4;
  static constexpr bool masks_are_free = true;
};

template <>
struct Mask<float> {
  __mmask16 bits;
};

template <>
struct Mask<double> {
  __mmask8 bits;
};

template <>
struct Vec<float> {
  static constexpr int lanes = 16;
  __m512 v;

  Vec() = default;
  Vec(__m512 value) : v(value) {}
  explicit Vec(float value) : v(_mm512_set1_ps(value)) {}

  static __mmask16 first(int n) { return static_cast<__mmask16>((1u << n) - 1u); }
  static Vec load(const float* p) { return _mm512_loadu_ps(p); }
  static Vec load(const float* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static Vec broadcast(const float* p) { return _mm512_set1_ps(*p); }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store(float* p, int n) const { _mm512_mask_storeu_ps(p, first(n), v); }
};

template <>
struct Vec<double> {
  static constexpr int lanes = 8;
  __m512d v;

  Vec() = default;
  Vec(__m512d value) : v(value) {}
  explicit Vec(double value) : v(_mm512_set1_pd(value)) {}

  static __mmask8 first(int n) { return static_cast<__mmask8>((1u << n) - 1u); }
  static Vec load(const double* p) { return _mm512_loadu_pd(p); }
  static Vec load(const double* p, int n) { return _mm512_maskz_loadu_pd(first(n), p); }
  static Vec broadcast(const double* p) { return _mm512_set1_pd(*p); }
  void store(double* p) const { _mm512_storeu_pd(p, v); }
  void store(double* p, int n) const { _mm512_mask_storeu_pd(p, first(n), v); }
};

using VecF = Vec<float>;
using VecD = Vec<double>;
using MaskF = Mask<float>;
using MaskD = Mask<double>;

inline VecF operator+(VecF a, VecF b) {
  return _mm512_add_ps(a.v, b.v);
}
inline VecD operator+(VecD a, VecD b) {
  return _mm512_add_pd(a.v, b.v);
}
inline VecF operator-(VecF a, VecF b) {
  return _mm512_sub_ps(a.v, b.v);
}
inline VecD operator-(VecD a, VecD b) {
  return _mm512_sub_pd(a.v, b.v);
}
inline VecF operator*(VecF a, VecF b) {
  return _mm512_mul_ps(a.v, b.v);
}
inline VecD operator*(VecD a, VecD b) {
  return _mm512_mul_pd(a.v, b.v);
}
inline VecF operator/(VecF a, VecF b) {
  return _mm512_div_ps(a.v, b.v);
}
inline VecD operator/(VecD a, VecD b) {
  return _mm512_div_pd(a.v, b.v);
}
inline VecF operator-(VecF a) {
  return _mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f));
}
inline VecD operator-(VecD a) {
  return _mm512_xor_pd(a.v, _mm512_set1_pd(-0.0));
}

inline VecF fma(VecF a, VecF b, VecF c) {
  return _mm512_fmadd_ps(a.v, b.v, c.v);
}
inline VecD fma(VecD a, VecD b, VecD c) {
  return _mm512_fmadd_pd(a.v, b.v, c.v);
}
inline VecF fnma(VecF a, VecF b, VecF c) {
  return _mm512_fnmadd_ps(a.v, b.v, c.v);
}
inline VecD fnma(VecD a, VecD b, VecD c) {
  return _mm512_fnmadd_pd(a.v, b.v, c.v);
}
inline VecF min(VecF a, VecF b) {
  return _mm512_min_ps(a.v, b.v);
}
inline VecD min(VecD a, VecD b) {
  return _mm512_min_pd(a.v, b.v);
}
inline VecF max(VecF a, VecF b) {
  return _mm512_max_ps(a.v, b.v);
}
inline VecD max(VecD a, VecD b) {
  return _mm512_max_pd(a.v, b.v);
}
inline VecF abs(VecF a) {
  return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v);
}
inline VecD abs(VecD a) {
  return _mm512_andnot_pd(_mm512_set1_pd(-0.0), a.v);
}
inline VecF sqrt(VecF a) {
  return _mm512_sqrt_ps(a.v);
}
inline VecD sqrt(VecD a) {
  return _mm512_sqrt_pd(a.v);
}
inline VecF round(VecF a) {
  return _mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline VecD round(VecD a) {
  return _mm512_roundscale_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline VecF floor(VecF a) {
  return _mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
inline VecD floor(VecD a) {
  return _mm512_roundscale_pd(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
inline VecF copysign(VecF magnitude, VecF sign) {
  const __m512 bit = _mm512_set1_ps(-0.0f);
  return _mm512_or_ps(_mm512_andnot_ps(bit, magnitude.v), _mm512_and_ps(bit, sign.v));
}
inline VecD copysign(VecD magnitude, VecD sign) {
  const __m512d bit = _mm512_set1_pd(-0.0);
  return _mm512_or_pd(_mm512_andnot_pd(bit, magnitude.v), _mm512_and_pd(bit, sign.v));
}

inline MaskF operator<(VecF a, VecF b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)};
}
inline MaskD operator<(VecD a, VecD b) {
  return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ)};
}
inline MaskF operator<=(VecF a, VecF b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)};
}
inline MaskD operator<=(VecD a, VecD b) {
  return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LE_OQ)};
}
inline MaskF operator==(VecF a, VecF b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)};
}
inline MaskD operator==(VecD a, VecD b) {
  return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ)};
}
inline MaskF operator!=(VecF a, VecF b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)};
}
inline MaskD operator!=(VecD a, VecD b) {
  return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_NEQ_UQ)};
}
inline MaskF operator&(MaskF a, MaskF b) {
  return {static_cast<__mmask16>(a.bits & b.bits)};
}
inline MaskD operator&(MaskD a, MaskD b) {
  return {static_cast<__mmask8>(a.bits & b.bits)};
}
inline MaskF operator|(MaskF a, MaskF b) {
  return {static_cast<__mmask16>(a.bits | b.bits)};
}
inline MaskD operator|(MaskD a, MaskD b) {
  return {static_cast<__mmask8>(a.bits | b.bits)};
}
inline MaskF operator!(MaskF a) {
  return {static_cast<__mmask16>(~a.bits)};
}
inline MaskD operator!(MaskD a) {
  return {static_cast<__mmask8>(~a.bits)};
}
inline bool any(MaskF a) {
  return a.bits != 0;
}
inline bool any(MaskD a) {
  return a.bits != 0;
}
inline VecF select(MaskF m, VecF a, VecF b) {
  return _mm512_mask_blend_ps(m.bits, b.v, a.v);
}
inline VecD select(MaskD m, VecD a, VecD b) {
  return _mm512_mask_blend_pd(m.bits, b.v, a.v);
}

template <class T>
Mask<T> first_lanes(int n) {
  return {Vec<T>::first(n)};
}

// 2^n for integer n in the normal range of exponents.
inline VecF power_of_two(VecF n) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127)), 23));
}
inline VecD power_of_two(VecD n) {
  return _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_add_epi64(_mm512_cvtpd_epi64(n.v), _mm512_set1_epi64(1023)), 52));
}

// v * 2^n for integer n, rounded once, as by the portable version in two steps.
inline VecF scale_exponent(VecF v, VecF n) {
  return _mm512_scalef_ps(v.v, n.v);
}
inline VecD scale_exponent(VecD v, VecD n) {
  return _mm512_scalef_pd(v.v, n.v);
}

// x = mantissa * 2^e for positive normal x, mantissa in [1, 2); returns e.
inline VecF split_exponent(VecF x, VecF* mantissa) {
  const __m512i bits = _mm512_castps_si512(x.v);
  *mantissa = _mm512_castsi512_ps(
      _mm512_or_epi32(_mm512_and_epi32(bits, _mm512_set1_epi32(0x007fffff)), _mm512_set1_epi32(0x3f800000)));
  return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_srli_epi32(bits, 23), _mm512_set1_epi32(127)));
}
inline VecD split_exponent(VecD x, VecD* mantissa) {
  const __m512i bits = _mm512_castpd_si512(x.v);
  *mantissa = _mm512_castsi512_pd(_mm512_or_epi64(_mm512_and_epi64(bits, _mm512_set1_epi64(0x000fffffffffffffll)),
                                                  _mm512_set1_epi64(0x3ff0000000000000ll)));
  return _mm512_cvtepi64_pd(_mm512_sub_epi64(_mm512_srli_epi64(bits, 52), _mm512_set1_epi64(1023)));
}

// The lanes' tree: lane j with j + 8, then + 4, + 2, + 1.
template <class Fold>
[[gnu::always_inline]] inline float fold_lanes(VecF x, Fold fold) {
  VecF s = fold(x, VecF(_mm512_shuffle_f32x4(x.v, x.v, 0x4e)));
  s = fold(s, VecF(_mm512_shuffle_f32x4(s.v, s.v, 0xb1)));
  s = fold(s, VecF(_mm512_permute_ps(s.v, 0x4e)));
  s = fold(s, VecF(_mm512_permute_ps(s.v, 0xb1)));
  return _mm512_cvtss_f32(s.v);
}
template <class Fold>
[[gnu::always_inline]] inline double fold_lanes(VecD x, Fold fold) {
  VecD s = fold(x, VecD(_mm512_shuffle_f64x2(x.v, x.v, 0x4e)));
  s = fold(s, VecD(_mm512_shuffle_f64x2(s.v, s.v, 0xb1)));
  s = fold(s, VecD(_mm512_permute_pd(s.v, 0x55)));
  return _mm512_cvtsd_f64(s.v);
}

// to[j][i] = from[i][j] for a square of whole vectors: exchanges pairs, then fours, then 128-bit quarters.
inline void transpose(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  __m512 t[16], u[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    const __m512 a = _mm512_loadu_ps(from + i * from_stride), b = _mm512_loadu_ps(from + (i + 1) * from_stride);
    t[i] = _mm512_unpacklo_ps(a, b);
    t[i + 1] = _mm512_unpackhi_ps(a, b);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      const __m512d a = _mm512_castps_pd(t[i + j]), b = _mm512_castps_pd(t[i + 2 + j]);
      u[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      u[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512 low01 = _mm512_shuffle_f32x4(u[j], u[4 + j], 0x88),
                 high01 = _mm512_shuffle_f32x4(u[j], u[4 + j], 0xdd);
    const __m512 low23 = _mm512_shuffle_f32x4(u[8 + j], u[12 + j], 0x88),
                 high23 = _mm512_shuffle_f32x4(u[8 + j], u[12 + j], 0xdd);
    _mm512_storeu_ps(to + j * to_stride, _mm512_shuffle_f32x4(low01, low23, 0x88));
    _mm512_storeu_ps(to + (4 + j) * to_stride, _mm512_shuffle_f32x4(high01, high23, 0x88));
    _mm512_storeu_ps(to + (8 + j) * to_stride, _mm512_shuffle_f32x4(low01, low23, 0xdd));
    _mm512_storeu_ps(to + (12 + j) * to_stride, _mm512_shuffle_f32x4(high01, high23, 0xdd));
  }
}
inline void transpose(const double* from, int64_t from_stride, double* to, int64_t to_stride) {
  __m512d t[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    const __m512d a = _mm512_loadu_pd(from + i * from_stride), b = _mm512_loadu_pd(from + (i + 1) * from_stride);
    t[i] = _mm512_unpacklo_pd(a, b);
    t[i + 1] = _mm512_unpackhi_pd(a, b);
  }
#pragma GCC unroll 2
  for (int j = 0; j < 2; ++j) {
    const __m512d low01 = _mm512_shuffle_f64x2(t[j], t[2 + j], 0x88),
                  high01 = _mm512_shuffle_f64x2(t[j], t[2 + j], 0xdd);
    const __m512d low23 = _mm512_shuffle_f64x2(t[4 + j], t[6 + j], 0x88),
                  high23 = _mm512_shuffle_f64x2(t[4 + j], t[6 + j], 0xdd);
    _mm512_storeu_pd(to + j * to_stride, _mm512_shuffle_f64x2(low01, low23, 0x88));
    _mm512_storeu_pd(to + (2 + j) * to_stride, _mm512_shuffle_f64x2(high01, high23, 0x88));
    _mm512_storeu_pd(to + (4 + j) * to_stride, _mm512_shuffle_f64x2(low01, low23, 0xdd));
    _mm512_storeu_pd(to + (6 + j) * to_stride, _mm512_shuffle_f64x2(high01, high23, 0xdd));
  }
}
