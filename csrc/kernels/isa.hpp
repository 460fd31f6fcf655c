// The building blocks of all kernels, for the instruction set that NNLITE_SIMD_HEADER names. Included once by each of
// the two files that are compiled once per instruction set. All of it has internal linkage, so that code built for
// AVX-512 can never be linked into the baseline; a table at the end of each is the one symbol that leaves it.
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
// clang-format off: the order is the order of dependence
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
