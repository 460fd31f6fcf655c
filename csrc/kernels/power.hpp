// a^b with the special values of C's pow. For floats it is e^(b log|a|) in double, whose error |b log a| 2^-53 is far
// below a float's. For doubles it is 2^(b log2|a|) with the logarithm as a sum of two doubles: the error before the
// last rounding is below a sixth of an ulp, so a result that a double can hold is exact.

// A sum of two doubles, the second far smaller.
struct Pair {
  VecD high, low;
};

// a + b for |a| >= |b|, or a = 0
inline Pair sum_of_ordered(VecD a, Pair b) {
  const VecD high = a + b.high;
  return {high, ((a - high) + b.high) + b.low};
}

inline Pair product(Pair a, Pair b) {
  const VecD high = a.high * b.high;
  return {high, fma(a.high, b.high, -high) + fma(a.high, b.low, a.low * b.high)};
}

constexpr double kLog2Terms[] = {
    // 2 / (7 ln 2), 2 / (9 ln 2), ...
    0.4121985831111324,  0.3205988979753252,  0.2623081892525388, 0.22195308321368668, 0.19235933878519512,
    0.16972882833987805, 0.15186263588304878, 0.1373995277037108, 0.12545174268599682, 0.11541560327111707,
};
constexpr double kLog2Heads[][2] = {
    // 2 / ln 2, 2 / (3 ln 2), 2 / (5 ln 2), in two parts
    {2.8853900817779268, 4.0710547481862064e-17},
    {0.96179669392597555, 5.0577616648125906e-17},
    {0.57707801635558531, 5.2551030481378674e-17},
};
constexpr double kExp2Square[] = {
    // (2^r - 1 - r ln 2) / r^2 for |r| <= 1/2, by Chebyshev interpolation, error 8e-21
    0.24022650695910071,    0.05550410866482158,    0.0096181291076284795,  0.0013333558146428445,
    0.00015403530393370725, 1.5252733804054811e-5,  1.3215486808716707e-6,  1.0178086017820572e-7,
    7.0548972984244241e-9,  4.4455316544945871e-10, 2.5729334365063257e-11, 1.3715006298329686e-12,
};

// log2(a) for positive finite a: a = 2^e (1 + f), and log2(1 + f) = s (c1 + z (c3 + z (c5 + ...))), s = f / (2 + f), z
// = s^2.
inline Pair log2_pair(VecD a) {
  using C = Constants<double>;
  const VecD one(1.0), two(2.0);
  const auto small = a < VecD(C::smallest_normal);
  VecD mantissa;
  VecD e = split_exponent(select(small, a * VecD(C::subnormal_scale), a), &mantissa);
  e = select(small, e - VecD(C::subnormal_shift), e);
  const auto upper = mantissa > VecD(1.41421356237309515);
  mantissa = select(upper, mantissa * VecD(0.5), mantissa);
  e = select(upper, e + one, e);

  const VecD f = mantissa - one, sum = f + two, sum_low = f - (sum - two), inverse = one / sum;
  Pair s{f * inverse, VecD(0.0)};
  s.low = fnma(s.high, sum_low, fnma(s.high, sum, f)) * inverse;
  const Pair z = product(s, s);
  Pair series{z.high * polynomial(z.high, kLog2Terms), VecD(0.0)};
  for (int k = 2; k >= 0; --k) {
    series.low = series.low + VecD(kLog2Heads[k][1]);
    series = product(k == 0 ? s : z, sum_of_ordered(VecD(kLog2Heads[k][0]), series));
  }
  return sum_of_ordered(e, series);
}

// 2^(x.high + x.low)
inline VecD exp2_pair(Pair x) {
  const VecD one(1.0), limit(1100.0), ln2(0.69314718055994529), ln2_low(2.3190468138462996e-17);
  const VecD bounded = min(limit, max(-limit, x.high));
  const VecD n = round(bounded), rough = bounded - n, low = select(abs(x.high) < limit, x.low, VecD(0.0));
  const VecD r = rough + low, r_low = (rough - r) + low;
  const VecD high = fma(r, ln2, one), lost = fma(r, ln2, one - high);
  const VecD rest = fma(r * r, polynomial(r, kExp2Square), fma(r_low, ln2, fma(r, ln2_low, lost)));
  return scale_exponent(high + rest, n);
}

// |a|^b for finite b and positive finite |a|
template <class T>
VecD finite_power(VecD a, VecD b) {
  if constexpr (sizeof(T) == sizeof(float)) return exp(b * log(a));
  const Pair logarithm = log2_pair(a);
  const VecD high = b * logarithm.high;
  return exp2_pair({high, fma(b, logarithm.low, fma(b, logarithm.high, -high))});
}

// |a|^b with infinities and zeros
template <class T>
VecD magnitude_of_power(VecD a, VecD b) {
  const VecD zero(0.0), one(1.0), infinite = infinity<double>();
  const VecD y = finite_power<T>(a, b);
  const auto extreme = (a == zero) | (a == infinite) | (abs(b) == infinite);
  const auto grows = ((a > one) & (b > zero)) | ((a < one) & (b < zero));
  return select(extreme, select(a == one, one, select(grows, infinite, zero)), y);
}

template <class T>
VecD general_power(VecD a, VecD b) {
  const VecD zero(0.0), one(1.0), two(2.0), infinite = infinity<double>();
  const auto whole = floor(b) == b;
  const auto odd = whole & (floor(b / two) * two != b) & (abs(b) < infinite);
  const VecD magnitude = magnitude_of_power<T>(abs(a), b);
  VecD y = select((a < zero) & odd, -magnitude, magnitude);
  y = select((a < zero) & !whole & (abs(b) < infinite) & (abs(a) < infinite), VecD(__builtin_nan("")), y);
  y = select(odd & (a == zero), select(b > zero, a, one / a), y);
  return select((a == a) & (b == b), y, a + b);
}

// The exponents 2, 3, 1, -1 and 1/2 become products, a quotient or a root, as in PyTorch.
template <class T>
VecD power(VecD a, VecD b) {
  const VecD zero(0.0), one(1.0), half(0.5);
  const auto square = b == VecD(2.0), cube = b == VecD(3.0), same = b == one, root = (b == half) & (a > zero);
  auto known = square | cube | same | (b == -one);
  VecD y = select(square, a * a, select(cube, a * a * a, select(same, a, one / a)));
  if (any(root)) y = select(root, sqrt(a), y), known = known | root;
  if (any(!known)) y = select(known, y, general_power<T>(a, b));
  return select((b == zero) | (a == one), one, y);
}
