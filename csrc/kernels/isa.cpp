// Every kernel, compiled once per instruction set. All of it has internal linkage, so that code built for AVX-512 can
// never be linked into the baseline; the table at the end is the one symbol that leaves this file.
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "kernels/optimizers.hpp"
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
#include "kernels/activations.hpp"
#include "kernels/power.hpp"
#include "kernels/binary.hpp"
#include "kernels/leaf_tree.hpp"
#include "kernels/losses.hpp"
#include "kernels/update.hpp"
#include "kernels/transpose.hpp"
#include "kernels/ahead.hpp"
#include "kernels/gather.hpp"
#include "kernels/gemm_tile.hpp"
#include "kernels/gemm_pack.hpp"
#include "kernels/gemm_thin.hpp"
#include "kernels/gemm_turned.hpp"
#include "kernels/gemm.hpp"
#include "kernels/reductions.hpp"
#include "kernels/softmax.hpp"
#include "kernels/cross_entropy.hpp"
#include "kernels/normalization.hpp"
#include "kernels/random.hpp"
#include "kernels/peak.hpp"
// clang-format on

template <class Row, size_t Count>
constexpr int count_of(const Row (&)[Count]) {
  return Count;
}

template <class T>
constexpr Kernels<T> all_kernels() {
  Kernels<T> kernels{};
  kernels.gemm = gemm<T>;
  kernels.gemm_workspace = gemm_workspace<T>;
  kernels.unary = kUnaryKernels<T>;
  kernels.unary_count = count_of(kUnaryKernels<T>);
  kernels.binary = kBinaryKernels<T>;
  kernels.binary_count = count_of(kBinaryKernels<T>);
  kernels.losses = kLossKernels<T>;
  kernels.loss_count = count_of(kLossKernels<T>);
  kernels.plain_update = update_plainly<T>;
  kernels.updates = UpdateFunctions<T, Optimizers>::functions;
  kernels.sum_rows = sum_rows<T>;
  kernels.sum_columns = sum_columns<T>;
  kernels.sum_all = sum_all<T>;
  kernels.sum_squares = sum_squares<T>;
  kernels.loss_sum = loss_sum<T>;
  kernels.max_columns = max_columns<T>;
  kernels.first_nonfinite = first_nonfinite<T>;
  kernels.add = add_spans<T>;
  kernels.scale = scale_span<T>;
  kernels.softmax = softmax<T>;
  kernels.softmax_backward = softmax_backward<T>;
  kernels.log_softmax = log_softmax<T>;
  kernels.log_softmax_backward = log_softmax_backward<T>;
  kernels.cross_entropy = cross_entropy<T>;
  kernels.scale_rows = scale_rows<T>;
  kernels.layer_norm = layer_norm<T>;
  kernels.layer_norm_backward = layer_norm_backward<T>;
  kernels.normalize_columns = normalize_columns<T>;
  kernels.batch_norm_backward = batch_norm_backward<T>;
  kernels.transpose = transpose_matrix<T>;
  kernels.uniform = uniform<T>;
  kernels.normal = normal<T>;
  kernels.dropout_mask = dropout_mask<T>;
  kernels.fma_burst = fma_burst<T>;
  return kernels;
}
}  // namespace

extern const KernelTable NNLITE_TABLE;
const KernelTable NNLITE_TABLE = {NNLITE_ISA_NAME, all_kernels<float>(), all_kernels<double>(), permutation, kGather};

}  // namespace nnlite
