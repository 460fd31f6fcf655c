// Elementwise functions compiled once for all instruction sets. Their rows are in the same tables as the vectorised
// ones; they take a third of the space in the wheel, but are slower, which shows if a model does little else. Floats
// are computed in double.
#pragma once

#include <cstdint>

namespace nnlite {

// sin(x + quarters pi/2), within 1 ulp for any x
template <class T>
void sine(const T* x, T* y, int64_t n, T quarters, T);
template <class T>
void sine_gradient(const T* x, const T* y, const T* dy, T* dx, int64_t n, T quarters, T);

// kind 0: the nearest integer, half to even; 1: the next integer below; 2: the sign, which is 0 for NaN
template <class T>
void step(const T* x, T* y, int64_t n, T kind, T);
template <class T>
void step_gradient(const T* x, const T* y, const T* dy, T* dx, int64_t n, T kind, T);

// atan2(a, b), within 2 ulp
template <class T>
void arctangent(const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n);
template <class T>
void arctangent_gradient_a(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* y, const T* dy, T* da,
                           int64_t n);
template <class T>
void arctangent_gradient_b(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* y, const T* dy, T* db,
                           int64_t n);

// fmod(a, b), which is exact
template <class T>
void remainder(const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n);
template <class T>
void remainder_gradient_b(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* y, const T* dy, T* db,
                          int64_t n);

}  // namespace nnlite
