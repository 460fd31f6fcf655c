// Elementwise functions of two operands, forward and both derivatives side by side. A new one is a struct and a row
// below.

struct Add {
  template <class V>
  static V forward(V a, V b) {
    return a + b;
  }
  template <class V>
  static V backward_a(V, V, V, V dy) {
    return dy;
  }
  template <class V>
  static V backward_b(V, V, V, V dy) {
    return dy;
  }
};

struct Subtract {
  template <class V>
  static V forward(V a, V b) {
    return a - b;
  }
  template <class V>
  static V backward_a(V, V, V, V dy) {
    return dy;
  }
  template <class V>
  static V backward_b(V, V, V, V dy) {
    return -dy;
  }
};

struct Multiply {
  template <class V>
  static V forward(V a, V b) {
    return a * b;
  }
  template <class V>
  static V backward_a(V, V b, V, V dy) {
    return dy * b;
  }
  template <class V>
  static V backward_b(V a, V, V, V dy) {
    return dy * a;
  }
};

struct Divide {
  template <class V>
  static V forward(V a, V b) {
    return a / b;
  }
  template <class V>
  static V backward_a(V, V b, V, V dy) {
    return dy / b;
  }
  template <class V>
  static V backward_b(V a, V b, V, V dy) {
    return -dy * ((a / b) / b);
  }
};

// Ties share the gradient, as in PyTorch. A NaN on either side is the result.
struct Maximum {
  template <class V>
  static V forward(V a, V b) {
    return select(a != a, a, select(a > b, a, b));
  }
  template <class V>
  static V backward_a(V a, V b, V, V dy) {
    return share(a > b, a == b, dy);
  }
  template <class V>
  static V backward_b(V a, V b, V, V dy) {
    return share(b > a, a == b, dy);
  }
  template <class M, class V>
  static V share(M wins, M ties, V dy) {
    return select(wins, dy, select(ties, dy * V(0.5f), V(0.0f)));
  }
};

struct Minimum {
  template <class V>
  static V forward(V a, V b) {
    return select(a != a, a, select(a < b, a, b));
  }
  template <class V>
  static V backward_a(V a, V b, V, V dy) {
    return Maximum::share(a < b, a == b, dy);
  }
  template <class V>
  static V backward_b(V a, V b, V, V dy) {
    return Maximum::share(b < a, a == b, dy);
  }
};

// a^b = exp(b log|a|) in double, whose error |b log a| 2^-53 is far below a float's; the sign and the special values
// follow C's pow.
struct Power {
  using D = Vec<double>;

  static D power(D a, D b) {
    const D zero(0.0), one(1.0), two(2.0), infinity(__builtin_huge_val());
    // |a| = 1: log is 0, and 0 times an infinite b would be no number.
    const D magnitude = exp(select((abs(a) == one) & (b == b), zero, b * log(abs(a))));
    const auto whole = floor(b) == b;
    const auto odd = whole & (floor(b / two) * two != b) & (abs(b) < infinity);
    const D signed_magnitude = select((a < zero) & odd, -magnitude, magnitude);
    const D undefined = signed_magnitude * D(__builtin_nan(""));
    D y = select((a < zero) & !whole & (abs(b) < infinity) & (abs(a) < infinity), undefined, signed_magnitude);
    y = select(odd & (a == zero), select(b > zero, a, one / a), y);
    // Small whole exponents are products, exact to half an ulp each; they are what models use.
    y = select(b == two, a * a, y);
    y = select(b == one, a, y);
    return select((b == zero) | (a == one), one, y);
  }
  static D power_a(D a, D b, D, D dy) { return select(b == D(0.0), D(0.0), dy * (b * power(a, b - D(1.0)))); }
  static D power_b(D a, D b, D y, D dy) { return select((a == D(0.0)) & (b >= D(0.0)), D(0.0), dy * (y * log(a))); }

  // Through double, a register's worth of lanes at a time.
  template <class V, class F, class... Vs>
  static V in_double(F f, Vs... operands) {
    using T = decltype(sum_lanes(V()));
    constexpr int count = sizeof...(Vs);
    const V inputs[count] = {operands...};
    alignas(64) T narrow[V::lanes];
    alignas(64) double wide[count + 1][V::lanes];
    for (int k = 0; k < count; ++k) {
      inputs[k].store(narrow);
      for (int i = 0; i < V::lanes; ++i) wide[k][i] = narrow[i];
    }
    for (int i = 0; i < V::lanes; i += D::lanes) {
      if constexpr (count == 2)
        f(D::load(wide[0] + i), D::load(wide[1] + i)).store(wide[count] + i);
      else
        f(D::load(wide[0] + i), D::load(wide[1] + i), D::load(wide[2] + i), D::load(wide[3] + i))
            .store(wide[count] + i);
    }
    for (int i = 0; i < V::lanes; ++i) narrow[i] = static_cast<T>(wide[count][i]);
    return V::load(narrow);
  }

  template <class V>
  static V forward(V a, V b) {
    return in_double<V>(power, a, b);
  }
  template <class V>
  static V backward_a(V a, V b, V y, V dy) {
    return in_double<V>(power_a, a, b, y, dy);
  }
  template <class V>
  static V backward_b(V a, V b, V y, V dy) {
    return in_double<V>(power_b, a, b, y, dy);
  }
};

template <class T>
[[gnu::always_inline]] inline Vec<T> load_operand(const T* p, int64_t stride, int64_t i, int count) {
  return stride == 0 ? Vec<T>(*p) : load_lanes(p + i, count);
}

template <class F, class T>
void binary_forward(const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n) {
  for_vectors<T>(n, [&](int64_t i, int count) {
    store_lanes(F::forward(load_operand(a, a_stride, i, count), load_operand(b, b_stride, i, count)), y + i, count);
  });
}

template <class F, class T>
void binary_backward_a(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* y, const T* dy, T* da,
                       int64_t n) {
  for_vectors<T>(n, [&](int64_t i, int count) {
    store_lanes(F::backward_a(load_operand(a, a_stride, i, count), load_operand(b, b_stride, i, count),
                              load_lanes(y + i, count), load_lanes(dy + i, count)),
                da + i, count);
  });
}

template <class F, class T>
void binary_backward_b(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* y, const T* dy, T* db,
                       int64_t n) {
  for_vectors<T>(n, [&](int64_t i, int count) {
    store_lanes(F::backward_b(load_operand(a, a_stride, i, count), load_operand(b, b_stride, i, count),
                              load_lanes(y + i, count), load_lanes(dy + i, count)),
                db + i, count);
  });
}

template <class F, class T>
constexpr BinaryKernel<T> binary_row(const char* name) {
  return {name, binary_forward<F, T>, binary_backward_a<F, T>, binary_backward_b<F, T>};
}

template <class T>
constexpr BinaryKernel<T> kBinaryKernels[] = {
    binary_row<Add, T>("add"),    binary_row<Subtract, T>("sub"),    binary_row<Multiply, T>("mul"),
    binary_row<Divide, T>("div"), binary_row<Maximum, T>("maximum"), binary_row<Minimum, T>("minimum"),
    binary_row<Power, T>("pow"),
};
