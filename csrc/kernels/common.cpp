// Kernels that gain little from vectors wider than AVX2's, or that few need: compiled once per instruction set except
// AVX-512.
#include "kernels/isa.hpp"
#include "kernels/optimizers.hpp"
#include "kernels/shared.hpp"

namespace nnlite {
namespace {
// clang-format off: a file uses those before it
#include "kernels/activations.hpp"
#include "kernels/power.hpp"
#include "kernels/binary.hpp"
#include "kernels/update.hpp"
#include "kernels/softmax.hpp"
#include "kernels/cross_entropy.hpp"
#include "kernels/elements.hpp"
#include "kernels/losses.hpp"
#include "kernels/transpose.hpp"
#include "kernels/gather.hpp"
#include "kernels/reductions.hpp"
#include "kernels/normalization.hpp"
#include "kernels/random.hpp"
// clang-format on

template <class T>
constexpr CommonKernels<T> common_kernels() {
  CommonKernels<T> kernels{};
  kernels.losses = kLossKernels<T>;
  kernels.loss_count = count_of(kLossKernels<T>);
  kernels.loss_sum = loss_sum<T>;
  kernels.transpose = transpose_matrix<T>;
  kernels.sum_rows = sum_rows<T>;
  kernels.sum_columns = sum_columns<T>;
  kernels.sum_all = sum_all<T>;
  kernels.sum_squares = sum_squares<T>;
  kernels.max_columns = max_columns<T>;
  kernels.first_nonfinite = first_nonfinite<T>;
  kernels.add = add_spans<T>;
  kernels.scale = scale_span<T>;
  kernels.layer_norm = layer_norm<T>;
  kernels.layer_norm_backward = layer_norm_backward<T>;
  kernels.normalize_columns = normalize_columns<T>;
  kernels.batch_norm_backward = batch_norm_backward<T>;
  kernels.uniform = uniform<T>;
  kernels.normal = normal<T>;
  kernels.dropout_mask = dropout_mask<T>;
  return kernels;
}
}  // namespace

extern const CommonTable NNLITE_COMMON;
const CommonTable NNLITE_COMMON = {element_kernels<double>(), common_kernels<float>(), common_kernels<double>(),
                                   permutation, kGather};

}  // namespace nnlite
