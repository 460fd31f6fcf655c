// Elementary functions on Vec<T>: fma polynomials with the same operations, hence the same bits, on every instruction
// set. Special values follow IEEE 754 and C: NaN in, NaN out; overflow to infinity; gradual underflow. Largest errors
// over all float32 inputs (pytest -m stress tests/kernels/test_math.py), in ulp: exp 1.033 (above 1 in 32
// of the 2^32), log 0.835, expm1 1.281, log1p 1.437, tanh 1.331, sigmoid 1.983, erf 1.349.
//
// All are always inlined: a call passes a Vec of two registers through memory, which doubled softmax's time.

template <class T>
struct Constants;

template <>
struct Constants<float> {
  static constexpr float log2_e = 1.44269504f;
  // ln 2 in two parts: n times the first is exact for every exponent n.
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float exp_min = -104.0f, exp_max = 89.0f;  // beyond: 0 and infinity
  static constexpr float expm1_min = -20.0f, expm1_max = 88.9f;
  static constexpr float smallest_normal = 1.17549435e-38f, subnormal_scale = 33554432.0f, subnormal_shift = 25.0f;
  static constexpr float erfc_max = 10.5f;
  static constexpr float logistic_max = 112.0f, gauss_max = 14.8f, gelu_tanh_max = 11.5f;  // tails beyond: 0
  static constexpr float normal_tail_middle = 4.125f;
  static constexpr float gelu_linear_low = 4.50385645e-4f, gelu_cubic = 0.102943242f, gelu_cubic_low = -2.01619854e-9f;
  static constexpr float half_log2_e = 0.721347511f, half_log2_e_low = 9.62981495e-9f;
};

template <>
struct Constants<double> {
  static constexpr double log2_e = 1.4426950408889634;
  static constexpr double ln2_high = 0.693147180369123816490, ln2_low = 1.90821492927058770002e-10;
  static constexpr double exp_min = -746.0, exp_max = 710.0;
  static constexpr double expm1_min = -40.0, expm1_max = 709.9;
  static constexpr double smallest_normal = 2.2250738585072014e-308, subnormal_scale = 18014398509481984.0,
                          subnormal_shift = 54.0;
  static constexpr double erfc_max = 27.5;
  static constexpr double logistic_max = 755.0, gauss_max = 39.0, gelu_tanh_max = 22.0;
  static constexpr double normal_tail_middle = 5.5;
  static constexpr double gelu_linear_low = 4.5038564432488916e-4, gelu_cubic = 0.10294323958002350,
                          gelu_cubic_low = -5.9781774007187440e-18;
  static constexpr double half_log2_e = 0.72134752044448170, half_log2_e_low = 1.0177636870465517e-17;
};

template <class T>
Vec<T> infinity() {
  return Vec<T>(static_cast<T>(__builtin_huge_val()));
}

template <class T, int Count>
[[gnu::always_inline]] inline Vec<T> polynomial(Vec<T> x, const T (&terms)[Count]) {
  Vec<T> y(terms[Count - 1]);
#pragma GCC unroll 32
  for (int i = Count - 2; i >= 0; --i) y = fma(y, x, Vec<T>(terms[i]));
  return y;
}

// x = n ln 2 + r with |r| <= ln 2 / 2, and e^r - 1 = r + rest by its Taylor series (remainder below 2^-27, 2^-60).
template <class T>
struct ExpParts {
  Vec<T> n, r, rest;

  NNLITE_INLINE explicit ExpParts(Vec<T> x) {
    using C = Constants<T>;
    n = round(x * Vec<T>(C::log2_e));
    r = fnma(n, Vec<T>(C::ln2_low), fnma(n, Vec<T>(C::ln2_high), x));
    rest = r * r * polynomial(r, kExpTerms<T>);
  }
};

// m 2^n as two factors, so that a product keeps its digits even where m 2^n itself is subnormal.
template <class T>
struct Exponential {
  Vec<T> m, n;

  NNLITE_INLINE Vec<T> value() const { return scale_exponent(m, n); }
  NNLITE_INLINE Vec<T> times(Vec<T> factor) const { return scale_exponent(m * factor, n); }
};

// e^x, without the bounds that keep the power's exponent in range.
template <class T>
NNLITE_INLINE Exponential<T> natural_exponential(Vec<T> x) {
  const ExpParts<T> parts(x);
  return {Vec<T>(T(1)) + (parts.r + parts.rest), parts.n};
}

// 2^(x + low), also without bounds; 2^r = 1 + r p(r) for |r| <= 1/2 (p by Chebyshev interpolation, error 8e-9 and
// 2e-19).
template <class T>
NNLITE_INLINE Exponential<T> binary_exponential(Vec<T> x, Vec<T> low) {
  const Vec<T> n = round(x), r = (x - n) + low;
  return {fma(r, polynomial(r, kExp2Terms<T>), Vec<T>(T(1))), n};
}

template <class T>
NNLITE_INLINE Vec<T> exp(Vec<T> x) {
  using C = Constants<T>;
  return natural_exponential(min(Vec<T>(C::exp_max), max(Vec<T>(C::exp_min), x))).value();
}

// 2^n (r + rest) + (2^n - 1), through 2^(n-1) so that the largest exponent does not overflow. The rounding error of the
// sum of the two large terms is added back: |2^n - 1| >= |2^n r| wherever n is not 0, and at n = 0 the sum is exact.
template <class T>
NNLITE_INLINE Vec<T> expm1(Vec<T> x) {
  using C = Constants<T>;
  const Vec<T> one(T(1)), half(T(0.5)), two(T(2));
  const ExpParts<T> parts(min(Vec<T>(C::expm1_max), max(Vec<T>(C::expm1_min), x)));
  const Vec<T> power = power_of_two(parts.n - one), whole = power - half;
  const Vec<T> sum = fma(power, parts.r, whole), lost = fma(power, parts.r, whole - sum);
  const Vec<T> y = two * (sum + fma(power, parts.rest, lost));
  return select(x > Vec<T>(C::expm1_max), infinity<T>(), select(x == Vec<T>(T(0)), x, y));
}

// x = 2^e (1 + f) with 1 + f in [sqrt 1/2, sqrt 2); log(1 + f) = 2 atanh(s), s = f / (2 + f), as
// f - (f^2/2 - s (f^2/2 + R(s^2))): the leading term is exact. Remainder of the series below 2^-28, 2^-59.
template <class T>
NNLITE_INLINE Vec<T> log(Vec<T> x) {
  using C = Constants<T>;
  const Vec<T> zero(T(0)), one(T(1)), half(T(0.5));
  const auto small = x < Vec<T>(C::smallest_normal);
  Vec<T> mantissa;
  Vec<T> e = split_exponent(select(small, x * Vec<T>(C::subnormal_scale), x), &mantissa);
  e = select(small, e - Vec<T>(C::subnormal_shift), e);
  const auto upper = mantissa > Vec<T>(T(1.41421356237309515));
  mantissa = select(upper, mantissa * half, mantissa);
  e = select(upper, e + one, e);
  const Vec<T> f = mantissa - one, s = f / (f + Vec<T>(T(2))), z = s * s;
  const Vec<T> half_square = half * f * f;
  const Vec<T> rest = z * polynomial(z, kLogTerms<T>);
  const Vec<T> low = fma(s, half_square + rest, e * Vec<T>(C::ln2_low));
  Vec<T> y = fma(e, Vec<T>(C::ln2_high), f - (half_square - low));
  y = select(x == infinity<T>(), x, y);
  y = select(x == zero, -infinity<T>(), y);
  return select((x >= zero), y, Vec<T>(static_cast<T>(__builtin_nan(""))));
}

// log(u) + (x - (u - 1)) / u with u = 1 + x rounded: the second term restores what the rounding lost.
template <class T>
NNLITE_INLINE Vec<T> log1p(Vec<T> x) {
  const Vec<T> one(T(1)), u = one + x;
  const Vec<T> lost = x - (u - one);
  const Vec<T> y = log(u) + lost / u;
  return select((u == one) | (x == infinity<T>()), x, select(u == Vec<T>(T(0)), -infinity<T>(), y));
}

// x + x^3 p(x^2) for |x| < 0.61 (p by Chebyshev interpolation, error 1e-9 and 1e-18), else 1 - 2 / (e^(2|x|) + 1).
template <class T>
NNLITE_INLINE Vec<T> tanh(Vec<T> x) {
  const Vec<T> one(T(1)), two(T(2)), a = abs(x), square = a * a;
  const Vec<T> small = fma(a * square, polynomial(square, kTanhTerms<T>), a);
  const Vec<T> large = one - two / (exp(two * a) + one);
  return select(x == x, copysign(select(a < Vec<T>(T(0.61)), small, large), x), x);
}

// 1 / (1 + e^-|x|), times e^-|x| for negative x, so that the tail keeps its digits. One Newton step corrects the
// inverse for the rounding of the sum.
template <class T>
NNLITE_INLINE Vec<T> sigmoid(Vec<T> x) {
  const Vec<T> one(T(1)), e = exp(-abs(x)), sum = one + e, lost = e - (sum - one);
  const Vec<T> rough = one / sum;
  const Vec<T> inverse = fma(rough, fnma(rough, lost, fnma(rough, sum, one)), rough);
  return select(x < Vec<T>(T(0)), e * inverse, inverse);
}

// x sigmoid(v) and its derivative, sigmoid(v) (1 + x v' sigmoid(-v)), where v has the sign of x and e = e^-|v|. The
// power of two is applied last, so that the tail keeps its digits until it is subnormal itself. a is |x|, bounded where
// the tail becomes 0. x - x, 0 for finite x, gives NaN at infinities where PyTorch computes 0 times infinity.
template <class T>
struct Gated {
  Vec<T> x, a;
  Exponential<T> e;

  NNLITE_INLINE Vec<T> value() const {
    const Vec<T> zero(T(0)), sum = Vec<T>(T(1)) + e.value();
    const auto negative = x < zero;
    return scale_exponent(select(negative, fnma(a, e.m, x - x), x) / sum, select(negative, e.n, zero));
  }

  NNLITE_INLINE Vec<T> derivative(Vec<T> slope) const {
    const Vec<T> zero(T(0)), one(T(1)), small = e.value(), inverse = one / (one + small);
    const Vec<T> share = fma(a * slope, inverse, x - x);
    const auto negative = x < zero;
    const Vec<T> factor = inverse * fma(share, select(negative, -one, small), one);
    return scale_exponent(select(negative, e.m * factor, factor), select(negative, e.n, zero));
  }
};

// log(1 + e^x)
template <class T>
NNLITE_INLINE Vec<T> softplus(Vec<T> x) {
  return max(Vec<T>(T(0)), x) + log1p(exp(-abs(x)));
}

// erfc(x) for x >= 0.95: e^(-x^2) / (1 + 2x) times a polynomial in (x - 3) / (x + 3), fitted by Chebyshev interpolation
// to erfcx(x) (1 + 2x) (relative error 3e-9 and 4e-18). The exponential would amplify the rounding error of x^2, which
// is corrected.
template <class T>
NNLITE_INLINE Vec<T> erfc_tail(Vec<T> x) {
  const Vec<T> one(T(1)), three(T(3));
  const Vec<T> bounded = min(Vec<T>(Constants<T>::erfc_max), x);
  const Vec<T> square = bounded * bounded, lost = fma(bounded, bounded, -square);
  const Vec<T> scale =
      polynomial((bounded - three) / (bounded + three), kErfcTerms<T>) / fma(Vec<T>(T(2)), bounded, one);
  const Vec<T> e = exp(-square);
  return fnma(lost, e, e) * scale;
}

// Taylor series for |x| < 1; its first coefficient, 2 / sqrt(pi), is split into 1.125 and the rest so that its rounding
// does not matter. With `complement`, 1 - erf(x), whose series keeps its digits because 1 - 1.125 x is nearly exact.
template <class T>
NNLITE_INLINE Vec<T> erf(Vec<T> x, Mask<T> complement) {
  const Vec<T> zero(T(0)), one(T(1)), two(T(2)), first(T(1.125)), a = abs(x);
  const Vec<T> tail = erfc_tail(max(one, a)), rest = x * polynomial(x * x, kErfTerms<T>);
  const Vec<T> series = select(complement, fnma(x, first, one) - rest, fma(x, first, rest));
  const Vec<T> far = select(complement, select(x < zero, two - tail, tail), copysign(one - tail, x));
  return select(a < one, series, select(x == x, far, x));
}

// e^(-scale a^2 / 2) (1 + change) for a scale of 1 or 2 and a small change. The exponential would amplify the rounding
// error of a^2, which is corrected.
template <class T>
NNLITE_INLINE Exponential<T> gauss(Vec<T> a, T scale, Vec<T> change) {
  const Vec<T> factor(-scale * Constants<T>::half_log2_e), factor_low(-scale * Constants<T>::half_log2_e_low);
  const Vec<T> square = a * a, square_low = fma(a, a, -square), y = square * factor;
  const Vec<T> y_low = fma(square_low, factor, fma(square, factor_low, fma(square, factor, -y)));
  return binary_exponential(y, fma(change, Vec<T>(Constants<T>::log2_e), y_low));
}

// The normal distribution's tail: with a = |x|, Phi(-a) = e ratio, e close to e^(-a^2 / 2). The ratio is t = 1 / (a +
// k) times a polynomial in (a - k) / (a + k) = 1 - 2 k t, by Chebyshev interpolation up to where the tail is 0
// (relative error 2e-8 and 1e-16). It is sensitive to the rounding of t: `wrong`, the relative error of t, corrects
// both the polynomial's argument and e.
template <class T>
struct NormalTail {
  Vec<T> a, ratio, wrong;

  NNLITE_INLINE explicit NormalTail(Vec<T> x) : a(min(Vec<T>(Constants<T>::gauss_max), abs(x))) {
    const Vec<T> one(T(1)), k(Constants<T>::normal_tail_middle), minus_twice_k(-2 * Constants<T>::normal_tail_middle);
    const Vec<T> sum = a + k, sum_low = a - (sum - k), t = one / sum;
    wrong = fnma(t, sum_low, fnma(t, sum, one));
    ratio = t * polynomial(fma(minus_twice_k, t * wrong, fma(minus_twice_k, t, one)), kNormalTailTerms<T>);
  }

  NNLITE_INLINE Exponential<T> e() const { return gauss(a, T(1), wrong); }
};

// sin and cos of 2 pi u for u in [0, 1): Taylor series up to an eighth of a turn, the rest by symmetry.
template <class T>
void sine_cosine_of_turn(Vec<T> u, Vec<T>* sine, Vec<T>* cosine) {
  const Vec<T> quarter = round(u * Vec<T>(T(4)));  // 0 ... 4
  const Vec<T> r = fnma(quarter, Vec<T>(T(0.25)), u), square = r * r;
  const Vec<T> s = r * polynomial(square, kSinTerms<T>), c = polynomial(square, kCosTerms<T>);
  const auto odd = (quarter == Vec<T>(T(1))) | (quarter == Vec<T>(T(3)));
  const auto sine_negative = (quarter == Vec<T>(T(2))) | (quarter == Vec<T>(T(3)));
  const auto cosine_negative = (quarter == Vec<T>(T(1))) | (quarter == Vec<T>(T(2)));
  const Vec<T> sine_part = select(odd, c, s), cosine_part = select(odd, s, c);
  *sine = select(sine_negative, -sine_part, sine_part);
  *cosine = select(cosine_negative, -cosine_part, cosine_part);
}
