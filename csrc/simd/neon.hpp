// Sixteen floats, or eight doubles, in four 128-bit registers.

template <class T>
struct Vec;
template <class T>
struct Mask;

// Rows of the register tile for 1, 2, 3, 4 vectors of columns: 32 registers hold the sums and a row of B, four per
// vector, and one value of A.
struct TileShape {
  static constexpr int rows[] = {6, 3, 1, 1}, double_rows[] = {6, 3, 1, 1}, panel_vectors = 1;
  static constexpr bool masks_are_free = false;
};

constexpr int kParts = 4;

template <>
struct Mask<float> {
  uint32x4_t part[kParts];  // all ones where true
};

template <>
struct Mask<double> {
  uint64x2_t part[kParts];
};

template <>
struct Vec<float> {
  static constexpr int lanes = 16, part_lanes = 4;
  float32x4_t part[kParts];

  Vec() = default;
  explicit Vec(float value) {
    for (auto& p : part) p = vdupq_n_f32(value);
  }

  static Vec load(const float* p) {
    Vec x;
    for (int i = 0; i < kParts; ++i) x.part[i] = vld1q_f32(p + i * part_lanes);
    return x;
  }
  static Vec load(const float* p, int n) {
    float values[lanes] = {};
    for (int i = 0; i < n; ++i) values[i] = p[i];
    return load(values);
  }
  static Vec broadcast(const float* p) {
    Vec x;
    for (auto& part : x.part) part = vld1q_dup_f32(p);
    return x;
  }
  void store(float* p) const {
    for (int i = 0; i < kParts; ++i) vst1q_f32(p + i * part_lanes, part[i]);
  }
  void store(float* p, int n) const {
    float values[lanes];
    store(values);
    for (int i = 0; i < n; ++i) p[i] = values[i];
  }
};

template <>
struct Vec<double> {
  static constexpr int lanes = 8, part_lanes = 2;
  float64x2_t part[kParts];

  Vec() = default;
  explicit Vec(double value) {
    for (auto& p : part) p = vdupq_n_f64(value);
  }

  static Vec load(const double* p) {
    Vec x;
    for (int i = 0; i < kParts; ++i) x.part[i] = vld1q_f64(p + i * part_lanes);
    return x;
  }
  static Vec load(const double* p, int n) {
    double values[lanes] = {};
    for (int i = 0; i < n; ++i) values[i] = p[i];
    return load(values);
  }
  static Vec broadcast(const double* p) {
    Vec x;
    for (auto& part : x.part) part = vld1q_dup_f64(p);
    return x;
  }
  void store(double* p) const {
    for (int i = 0; i < kParts; ++i) vst1q_f64(p + i * part_lanes, part[i]);
  }
  void store(double* p, int n) const {
    double values[lanes];
    store(values);
    for (int i = 0; i < n; ++i) p[i] = values[i];
  }
};

using VecF = Vec<float>;
using VecD = Vec<double>;
using MaskF = Mask<float>;
using MaskD = Mask<double>;

// Applies f to each register; Out is a Vec or a Mask, whichever f returns registers of.
template <class Out, class F, class... In>
[[gnu::always_inline]] inline Out each(F f, const In&... in) {
  Out out;
  for (int i = 0; i < kParts; ++i) out.part[i] = f(in.part[i]...);
  return out;
}

inline VecF operator+(VecF a, VecF b) {
  return each<VecF>([](auto x, auto y) { return vaddq_f32(x, y); }, a, b);
}
inline VecD operator+(VecD a, VecD b) {
  return each<VecD>([](auto x, auto y) { return vaddq_f64(x, y); }, a, b);
}
inline VecF operator-(VecF a, VecF b) {
  return each<VecF>([](auto x, auto y) { return vsubq_f32(x, y); }, a, b);
}
inline VecD operator-(VecD a, VecD b) {
  return each<VecD>([](auto x, auto y) { return vsubq_f64(x, y); }, a, b);
}
inline VecF operator*(VecF a, VecF b) {
  return each<VecF>([](auto x, auto y) { return vmulq_f32(x, y); }, a, b);
}
inline VecD operator*(VecD a, VecD b) {
  return each<VecD>([](auto x, auto y) { return vmulq_f64(x, y); }, a, b);
}
inline VecF operator/(VecF a, VecF b) {
  return each<VecF>([](auto x, auto y) { return vdivq_f32(x, y); }, a, b);
}
inline VecD operator/(VecD a, VecD b) {
  return each<VecD>([](auto x, auto y) { return vdivq_f64(x, y); }, a, b);
}
inline VecF operator-(VecF a) {
  return each<VecF>([](auto x) { return vnegq_f32(x); }, a);
}
inline VecD operator-(VecD a) {
  return each<VecD>([](auto x) { return vnegq_f64(x); }, a);
}

inline VecF fma(VecF a, VecF b, VecF c) {
  return each<VecF>([](auto x, auto y, auto z) { return vfmaq_f32(z, x, y); }, a, b, c);
}
inline VecD fma(VecD a, VecD b, VecD c) {
  return each<VecD>([](auto x, auto y, auto z) { return vfmaq_f64(z, x, y); }, a, b, c);
}
inline VecF fnma(VecF a, VecF b, VecF c) {
  return each<VecF>([](auto x, auto y, auto z) { return vfmsq_f32(z, x, y); }, a, b, c);
}
inline VecD fnma(VecD a, VecD b, VecD c) {
  return each<VecD>([](auto x, auto y, auto z) { return vfmsq_f64(z, x, y); }, a, b, c);
}
inline VecF abs(VecF a) {
  return each<VecF>([](auto x) { return vabsq_f32(x); }, a);
}
inline VecD abs(VecD a) {
  return each<VecD>([](auto x) { return vabsq_f64(x); }, a);
}
inline VecF sqrt(VecF a) {
  return each<VecF>([](auto x) { return vsqrtq_f32(x); }, a);
}
inline VecD sqrt(VecD a) {
  return each<VecD>([](auto x) { return vsqrtq_f64(x); }, a);
}
inline VecF round(VecF a) {
  return each<VecF>([](auto x) { return vrndnq_f32(x); }, a);
}
inline VecD round(VecD a) {
  return each<VecD>([](auto x) { return vrndnq_f64(x); }, a);
}
inline VecF floor(VecF a) {
  return each<VecF>([](auto x) { return vrndmq_f32(x); }, a);
}
inline VecD floor(VecD a) {
  return each<VecD>([](auto x) { return vrndmq_f64(x); }, a);
}
inline VecF copysign(VecF magnitude, VecF sign) {
  return each<VecF>([](auto x, auto y) { return vbslq_f32(vdupq_n_u32(0x80000000u), y, x); }, magnitude, sign);
}
inline VecD copysign(VecD magnitude, VecD sign) {
  return each<VecD>([](auto x, auto y) { return vbslq_f64(vdupq_n_u64(0x8000000000000000ull), y, x); }, magnitude,
                    sign);
}

inline MaskF operator<(VecF a, VecF b) {
  return each<MaskF>([](auto x, auto y) { return vcltq_f32(x, y); }, a, b);
}
inline MaskD operator<(VecD a, VecD b) {
  return each<MaskD>([](auto x, auto y) { return vcltq_f64(x, y); }, a, b);
}
inline MaskF operator<=(VecF a, VecF b) {
  return each<MaskF>([](auto x, auto y) { return vcleq_f32(x, y); }, a, b);
}
inline MaskD operator<=(VecD a, VecD b) {
  return each<MaskD>([](auto x, auto y) { return vcleq_f64(x, y); }, a, b);
}
inline MaskF operator==(VecF a, VecF b) {
  return each<MaskF>([](auto x, auto y) { return vceqq_f32(x, y); }, a, b);
}
inline MaskD operator==(VecD a, VecD b) {
  return each<MaskD>([](auto x, auto y) { return vceqq_f64(x, y); }, a, b);
}
inline MaskF operator!(MaskF a) {
  return each<MaskF>([](auto x) { return vmvnq_u32(x); }, a);
}
inline MaskD operator!(MaskD a) {
  return each<MaskD>([](auto x) { return veorq_u64(x, vdupq_n_u64(~0ull)); }, a);
}
inline MaskF operator!=(VecF a, VecF b) {
  return !(a == b);
}
inline MaskD operator!=(VecD a, VecD b) {
  return !(a == b);
}
inline MaskF operator&(MaskF a, MaskF b) {
  return each<MaskF>([](auto x, auto y) { return vandq_u32(x, y); }, a, b);
}
inline MaskD operator&(MaskD a, MaskD b) {
  return each<MaskD>([](auto x, auto y) { return vandq_u64(x, y); }, a, b);
}
inline MaskF operator|(MaskF a, MaskF b) {
  return each<MaskF>([](auto x, auto y) { return vorrq_u32(x, y); }, a, b);
}
inline MaskD operator|(MaskD a, MaskD b) {
  return each<MaskD>([](auto x, auto y) { return vorrq_u64(x, y); }, a, b);
}
inline bool any(MaskF a) {
  return vmaxvq_u32(vorrq_u32(vorrq_u32(a.part[0], a.part[1]), vorrq_u32(a.part[2], a.part[3]))) != 0;
}
inline bool any(MaskD a) {
  const uint64x2_t all = vorrq_u64(vorrq_u64(a.part[0], a.part[1]), vorrq_u64(a.part[2], a.part[3]));
  return (vgetq_lane_u64(all, 0) | vgetq_lane_u64(all, 1)) != 0;
}
inline VecF select(MaskF m, VecF a, VecF b) {
  return each<VecF>([](auto c, auto x, auto y) { return vbslq_f32(c, x, y); }, m, a, b);
}
inline VecD select(MaskD m, VecD a, VecD b) {
  return each<VecD>([](auto c, auto x, auto y) { return vbslq_f64(c, x, y); }, m, a, b);
}

// NEON's instructions return NaN if either operand is NaN; every instruction set follows x86's rule, which returns b.
template <class T>
Vec<T> min(Vec<T> a, Vec<T> b) {
  return select(a < b, a, b);
}
template <class T>
Vec<T> max(Vec<T> a, Vec<T> b) {
  return select(a > b, a, b);
}

template <class T>
Mask<T> first_lanes(int n) {
  T position[Vec<T>::lanes];
  for (int i = 0; i < Vec<T>::lanes; ++i) position[i] = static_cast<T>(i);
  return Vec<T>::load(position) < Vec<T>(static_cast<T>(n));
}

// 2^n for integer n in the normal range of exponents.
inline VecF power_of_two(VecF n) {
  return each<VecF>(
      [](auto x) { return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(x), vdupq_n_s32(127)), 23)); }, n);
}
inline VecD power_of_two(VecD n) {
  return each<VecD>(
      [](auto x) { return vreinterpretq_f64_s64(vshlq_n_s64(vaddq_s64(vcvtq_s64_f64(x), vdupq_n_s64(1023)), 52)); }, n);
}

// x = mantissa * 2^e for positive normal x, mantissa in [1, 2); returns e.
inline VecF split_exponent(VecF x, VecF* mantissa) {
  *mantissa = each<VecF>(
      [](auto v) {
        const uint32x4_t bits = vandq_u32(vreinterpretq_u32_f32(v), vdupq_n_u32(0x007fffffu));
        return vreinterpretq_f32_u32(vorrq_u32(bits, vdupq_n_u32(0x3f800000u)));
      },
      x);
  return each<VecF>(
      [](auto v) {
        const uint32x4_t exponent = vshrq_n_u32(vreinterpretq_u32_f32(v), 23);
        return vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(exponent), vdupq_n_s32(127)));
      },
      x);
}
inline VecD split_exponent(VecD x, VecD* mantissa) {
  *mantissa = each<VecD>(
      [](auto v) {
        const uint64x2_t bits = vandq_u64(vreinterpretq_u64_f64(v), vdupq_n_u64(0x000fffffffffffffull));
        return vreinterpretq_f64_u64(vorrq_u64(bits, vdupq_n_u64(0x3ff0000000000000ull)));
      },
      x);
  return each<VecD>(
      [](auto v) {
        const uint64x2_t exponent = vshrq_n_u64(vreinterpretq_u64_f64(v), 52);
        return vcvtq_f64_s64(vsubq_s64(vreinterpretq_s64_u64(exponent), vdupq_n_s64(1023)));
      },
      x);
}

// The lanes' tree: lane j with j + 8, then + 4, + 2, + 1 (for doubles j + 4, + 2, + 1).
template <class T, class Fold>
T fold_lanes(Vec<T> x, Fold fold) {
  T values[Vec<T>::lanes];
  for (int half = Vec<T>::lanes / 2; half > 0; half /= 2) {
    x.store(values);
    Vec<T> upper = x;
    T shifted[Vec<T>::lanes] = {};
    for (int i = 0; i < half; ++i) shifted[i] = values[i + half];
    upper = Vec<T>::load(shifted);
    x = fold(x, upper);
  }
  x.store(values);
  return values[0];
}

// to[j][i] = from[i][j] for a square of whole vectors.
template <class T>
void transpose(const T* from, int64_t from_stride, T* to, int64_t to_stride) {
  for (int j = 0; j < Vec<T>::lanes; ++j)
    for (int i = 0; i < Vec<T>::lanes; ++i) to[j * to_stride + i] = from[i * from_stride + j];
}
