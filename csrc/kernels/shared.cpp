#include "kernels/shared.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace nnlite {
namespace {

__extension__ using Wide = __int128;
__extension__ using WideUnsigned = unsigned __int128;

template <int Count>
double polynomial(double x, const double (&terms)[Count]) {
  double y = terms[Count - 1];
  for (int i = Count - 2; i >= 0; --i) y = y * x + terms[i];
  return y;
}

constexpr double kHalfPi = 1.5707963267948966, kHalfPiLow = 6.123233995736766e-17;

// x = quarter pi/2 + high + low
struct QuarterTurns {
  int quarter;  // modulo 4
  double high, low;
};

// The bits of 2 / pi, after 64 zeros.
constexpr uint64_t kTwoOverPi[] = {
    0x0000000000000000, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561,
    0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41,
    0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7,
    0x4f463f669e5fea2d, 0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab,
};

// Payne and Hanek 1983, for x >= 2^19: bits of 2 / pi whose products with x's mantissa are multiples of 4 are skipped;
// 192 of the others suffice.
QuarterTurns reduce_large(double x) {
  uint64_t bits = 0;
  std::memcpy(&bits, &x, sizeof(bits));
  const int first = static_cast<int>(bits >> 52) - 1013, shift = first % 64;
  const uint64_t mantissa = (bits & 0x000fffffffffffff) | 0x0010000000000000, *word = kTwoOverPi + first / 64;
  uint64_t part[3];
  for (int k = 0; k < 3; ++k) part[k] = word[k] << shift | word[k + 1] >> 1 >> (63 - shift);
  const WideUnsigned lowest = WideUnsigned{mantissa} * part[2];
  const WideUnsigned middle = WideUnsigned{mantissa} * part[1] + (lowest >> 64);
  const WideUnsigned turn = (WideUnsigned{mantissa * part[0]} << 64) + middle;  // quarters times 2^126
  const auto quarter = static_cast<unsigned>((turn + (WideUnsigned{1} << 125)) >> 126);
  const auto rest = static_cast<Wide>(turn - (WideUnsigned{quarter} << 126));
  const auto a = static_cast<double>(rest), b = static_cast<double>(rest - static_cast<Wide>(a));
  const double high = a * kHalfPi, low = std::fma(a, kHalfPi, -high) + (a * kHalfPiLow + b * kHalfPi);
  return {static_cast<int>(quarter & 3), high * 0x1p-126, low * 0x1p-126};
}

// Cody and Waite: pi/2 in parts of 33 bits, whose products with n are exact.
QuarterTurns reduce(double x) {
  if (std::fabs(x) >= 0x1p19) {
    const QuarterTurns turns = reduce_large(std::fabs(x));
    return x > 0 ? turns : QuarterTurns{-turns.quarter & 3, -turns.high, -turns.low};
  }
  const double n = std::rint(x * 0.6366197723675814);
  const double first = x - n * 1.5707963267341256, step2 = n * 6.077100506303966e-11,
               step3 = n * 2.0222662487111665e-21;
  const double second = first - step2, third = second - step3;
  const double rest = n * 8.4784276603689e-32 - ((second - third) - step3) - ((first - second) - step2);
  const double high = third - rest;
  return {static_cast<int>(n) & 3, high, (third - high) - rest};
}

// (sin r - r) / r^3 and (cos r - 1 + r^2 / 2) / r^4 for |r| <= pi/4, by Chebyshev interpolation, relative errors of
// the results 2e-17 and 5e-19
constexpr double kSineTerms[] = {
    -0.16666666666666665,  0.0083333333333309246,  -0.00019841269836722418,
    2.7557316083816359e-6, -2.5051127944014188e-8, 1.5917848524808261e-10,
};
constexpr double kCosineTerms[] = {
    0.041666666666666665,   -0.0013888888888887382, 2.4801587298743069e-5,
    -2.7557317260008838e-7, 2.0876143827993132e-9,  -1.1382456778061306e-11,
};

double sine_of(double x, int quarters) {
  if (!(std::fabs(x) < std::numeric_limits<double>::infinity())) return x - x;
  const QuarterTurns turns = reduce(x);
  const int quarter = (turns.quarter + quarters) & 3;
  const double r = turns.high, z = r * r, half = 0.5 * z, rest = 1 - half;
  double y = x;  // keeps the sign of 0
  if ((quarter & 1) != 0)
    y = rest + (((1 - rest) - half) + (z * z * polynomial(z, kCosineTerms) - r * turns.low));
  else if (r != 0)
    y = r + (r * z * polynomial(z, kSineTerms) + turns.low * rest);
  return quarter >= 2 ? -y : y;
}

// (atan t - t) / t^3 for |t| <= tan(pi/8), by Chebyshev interpolation, relative error of the result 5e-18
constexpr double kArctangentTerms[] = {
    -0.3333333333333333,   0.19999999999995437,  -0.14285714284649174,  0.11111111013860688,
    -0.090909045214716907, 0.076921818760368455, -0.06664492945806264,  0.058579883502457622,
    -0.050846103576317651, 0.039207433212611961, -0.019147248964611765,
};

// atan of t, the smaller side over the larger; for large t, pi/4 + atan((t - 1) / (t + 1)).
double angle_of(double y, double x) {
  if (x != x || y != y) return x + y;
  double small = std::fabs(y), large = std::fabs(x), angle = 0, low = 0, t = 0;
  const bool steep = small > large;
  if (steep) std::swap(small, large);
  if (large > 1e300) small *= 0x1p-60, large *= 0x1p-60;  // their sum is finite
  if (small > large * 0.41421356237309503 || (small == large && large > 0)) {
    angle = 0.5 * kHalfPi, low = 0.5 * kHalfPiLow;
    if (small != large) t = (small - large) / (small + large);
  } else if (large > 0) {
    t = small / large;
  }
  angle += t + (t * (t * t) * polynomial(t * t, kArctangentTerms) + low);
  if (steep) angle = (kHalfPi - angle) + kHalfPiLow;
  if (std::signbit(x)) angle = (2 * kHalfPi - angle) + 2 * kHalfPiLow;
  return std::copysign(angle, y);
}

// 1 / (a^2 + b^2); 0 at the origin, as in PyTorch
double inverse_square(double a, double b) {
  const double square = a * a + b * b;
  return square == 0 ? 0 : 1 / square;
}

// A function of an element, a second operand or option, and the result's gradient, if any.
using Function = double (*)(double x, double other, double dy);

double sine_value(double x, double quarters, double) {
  return sine_of(x, static_cast<int>(quarters));
}
double sine_slope(double x, double quarters, double dy) {
  return dy * sine_of(x, static_cast<int>(quarters) + 1);
}
double step_value(double x, double kind, double) {
  return kind == 0 ? std::rint(x) : kind == 1 ? std::floor(x) : static_cast<double>((x > 0) - (x < 0));
}
double angle_value(double a, double b, double) {
  return angle_of(a, b);
}
double angle_slope_a(double a, double b, double dy) {
  return dy * b * inverse_square(a, b);
}
double angle_slope_b(double a, double b, double dy) {
  return dy * -a * inverse_square(a, b);
}
double remainder_value(double a, double b, double) {
  return std::fmod(a, b);
}
template <class T>
double remainder_slope_b(double a, double b, double dy) {
  return -dy * std::trunc(static_cast<T>(a / b));
}

// One loop for all functions, not inlined. dy may be null.
template <class T>
[[gnu::noinline]] void map(Function f, const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* dy, T* y,
                           int64_t n) {
  for (int64_t i = 0; i < n; ++i, a += a_stride, b += b_stride)
    y[i] = static_cast<T>(f(*a, *b, dy == nullptr ? 0.0 : static_cast<double>(dy[i])));
}

}  // namespace

template <class T>
void sine(const T* x, T* y, int64_t n, T quarters, T) {
  map<T>(sine_value, x, 1, &quarters, 0, nullptr, y, n);
}

template <class T>
void sine_gradient(const T* x, const T*, const T* dy, T* dx, int64_t n, T quarters, T) {
  map(sine_slope, x, 1, &quarters, 0, dy, dx, n);
}

template <class T>
void step(const T* x, T* y, int64_t n, T kind, T) {
  map<T>(step_value, x, 1, &kind, 0, nullptr, y, n);
}

template <class T>
void step_gradient(const T*, const T*, const T*, T* dx, int64_t n, T, T) {
  std::fill_n(dx, n, T(0));
}

template <class T>
void arctangent(const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n) {
  map<T>(angle_value, a, a_stride, b, b_stride, nullptr, y, n);
}

template <class T>
void arctangent_gradient_a(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T*, const T* dy, T* da,
                           int64_t n) {
  map(angle_slope_a, a, a_stride, b, b_stride, dy, da, n);
}

template <class T>
void arctangent_gradient_b(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T*, const T* dy, T* db,
                           int64_t n) {
  map(angle_slope_b, a, a_stride, b, b_stride, dy, db, n);
}

template <class T>
void remainder(const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n) {
  map<T>(remainder_value, a, a_stride, b, b_stride, nullptr, y, n);
}

template <class T>
void remainder_gradient_b(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T*, const T* dy, T* db,
                          int64_t n) {
  map(remainder_slope_b<T>, a, a_stride, b, b_stride, dy, db, n);
}

#define NNLITE_FOR_TYPE(T)                                                                                    \
  template void sine(const T*, T*, int64_t, T, T);                                                            \
  template void sine_gradient(const T*, const T*, const T*, T*, int64_t, T, T);                               \
  template void step(const T*, T*, int64_t, T, T);                                                            \
  template void step_gradient(const T*, const T*, const T*, T*, int64_t, T, T);                               \
  template void arctangent(const T*, int64_t, const T*, int64_t, T*, int64_t);                                \
  template void arctangent_gradient_a(const T*, int64_t, const T*, int64_t, const T*, const T*, T*, int64_t); \
  template void arctangent_gradient_b(const T*, int64_t, const T*, int64_t, const T*, const T*, T*, int64_t); \
  template void remainder(const T*, int64_t, const T*, int64_t, T*, int64_t);                                 \
  template void remainder_gradient_b(const T*, int64_t, const T*, int64_t, const T*, const T*, T*, int64_t);
NNLITE_FOR_TYPE(float)
NNLITE_FOR_TYPE(double)

}  // namespace nnlite
