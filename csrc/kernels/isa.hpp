// The building blocks of all kernels, for the instruction set that NNLITE_SIMD_HEADER names. Included by the two files
// that are compiled once per instruction set. Everything has internal linkage, so that code built for AVX-512 can never
// be linked into the baseline; the only symbol a file exports is the table at its end.
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "kernels/table.hpp"
#include "kernels/types.hpp"

namespace nnlite {
namespace {
// clang-format off: a file uses those before it
#include NNLITE_SIMD_HEADER
#include "simd/portable.hpp"
#include "kernels/spans.hpp"
#include "kernels/coefficients.hpp"
#include "kernels/math.hpp"
#include "kernels/leaf_tree.hpp"
// clang-format on

template <class Row, size_t Count>
constexpr int count_of(const Row (&)[Count]) {
  return Count;
}
}  // namespace
}  // namespace nnlite
