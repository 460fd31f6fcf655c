// Elementwise functions of two operands, with both derivatives. A new one is a struct and a row below.

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

// Ties split the gradient, as in PyTorch. If either operand is NaN, so is the result, and both get all of dy.
struct Maximum {
  template <class V>
  static V forward(V a, V b) {
    return select(a != a, a, select(a > b, a, b));
  }
  template <class V>
  static V backward_a(V a, V b, V, V dy) {
    return share(a < b, a == b, dy);
  }
  template <class V>
  static V backward_b(V a, V b, V, V dy) {
    return share(b < a, a == b, dy);
  }
  template <class M, class V>
  static V share(M loses, M ties, V dy) {
    return select(loses, V(0.0f), select(ties, dy * V(0.5f), dy));
  }
};

struct Minimum {
  template <class V>
  static V forward(V a, V b) {
    return select(a != a, a, select(a < b, a, b));
  }
  template <class V>
  static V backward_a(V a, V b, V, V dy) {
    return Maximum::share(a > b, a == b, dy);
  }
  template <class V>
  static V backward_b(V a, V b, V, V dy) {
    return Maximum::share(b > a, a == b, dy);
  }
};

// Powers of floats are computed in double; see power.hpp.
struct Power : ManyOperations {
  template <class T>
  static VecD power_a(VecD a, VecD b, VecD, VecD dy) {
    return select(b == VecD(0.0), VecD(0.0), dy * (b * power<T>(a, b - VecD(1.0))));
  }
  static VecD power_b(VecD a, VecD b, VecD y, VecD dy) {
    return dy * select((a == VecD(0.0)) & (b >= VecD(0.0)), VecD(0.0), y * log(a));
  }

  // Applies f in double, one vector of doubles at a time.
  template <class F, class... Operands>
  static VecF in_double(F f, Operands... operands) {
    constexpr int count = sizeof...(Operands);
    const VecF inputs[count] = {operands...};
    alignas(64) float narrow[VecF::lanes];
    alignas(64) double wide[4][VecF::lanes] = {}, result[VecF::lanes];
    for (int k = 0; k < count; ++k) {
      inputs[k].store(narrow);
      for (int i = 0; i < VecF::lanes; ++i) wide[k][i] = narrow[i];
    }
    for (int i = 0; i < VecF::lanes; i += VecD::lanes)
      f(VecD::load(wide[0] + i), VecD::load(wide[1] + i), VecD::load(wide[2] + i), VecD::load(wide[3] + i))
          .store(result + i);
    for (int i = 0; i < VecF::lanes; ++i) narrow[i] = static_cast<float>(result[i]);
    return VecF::load(narrow);
  }

  static VecD forward(VecD a, VecD b) { return power<double>(a, b); }
  static VecF forward(VecF a, VecF b) {
    return in_double([](VecD x, VecD y, VecD, VecD) { return power<float>(x, y); }, a, b);
  }
  static VecD backward_a(VecD a, VecD b, VecD y, VecD dy) { return power_a<double>(a, b, y, dy); }
  static VecF backward_a(VecF a, VecF b, VecF y, VecF dy) { return in_double(power_a<float>, a, b, y, dy); }
  static VecD backward_b(VecD a, VecD b, VecD y, VecD dy) { return power_b(a, b, y, dy); }
  static VecF backward_b(VecF a, VecF b, VecF y, VecF dy) { return in_double(power_b, a, b, y, dy); }
};

template <class T>
[[gnu::always_inline]] inline Vec<T> load_operand(const T* p, int64_t stride, int64_t i, int count) {
  return stride == 0 ? Vec<T>(*p) : load_lanes(p + i, count);
}

template <class F, class T>
void binary_forward(const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n) {
  for_vectors_of<F, T>(n, [&](int64_t i, int count) {
    store_lanes(F::forward(load_operand(a, a_stride, i, count), load_operand(b, b_stride, i, count)), y + i, count);
  });
}

template <class F, class T, bool OfA>
void binary_backward(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* y, const T* dy, T* dx,
                     int64_t n) {
  for_vectors_of<F, T>(n, [&](int64_t i, int count) {
    const Vec<T> first = load_operand(a, a_stride, i, count), second = load_operand(b, b_stride, i, count);
    const Vec<T> result = load_lanes(y + i, count), scale = load_lanes(dy + i, count);
    if constexpr (OfA)
      store_lanes(F::backward_a(first, second, result, scale), dx + i, count);
    else
      store_lanes(F::backward_b(first, second, result, scale), dx + i, count);
  });
}

template <class F, class T>
constexpr BinaryKernel<T> binary_row(const char* name) {
  return {name, binary_forward<F, T>, binary_backward<F, T, true>, binary_backward<F, T, false>};
}

template <class T>
constexpr BinaryKernel<T> kBinaryKernels[] = {
    binary_row<Add, T>("add"),
    binary_row<Subtract, T>("sub"),
    binary_row<Multiply, T>("mul"),
    binary_row<Divide, T>("div"),
    binary_row<Maximum, T>("maximum"),
    binary_row<Minimum, T>("minimum"),
    binary_row<Power, T>("pow"),
    {"atan2", arctangent<T>, arctangent_gradient_a<T>, arctangent_gradient_b<T>},
    {"fmod", remainder<T>, binary_backward<Add, T, true>, remainder_gradient_b<T>},
};
