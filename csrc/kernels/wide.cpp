// Kernels that gain from the widest vectors, compiled once per instruction set.
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
#include "kernels/prefetch.hpp"
#include "kernels/gemm_tile.hpp"
#include "kernels/gemm_plan.hpp"
#include "kernels/gemm_pack.hpp"
#include "kernels/gemm_thin.hpp"
#include "kernels/gemm_transposed.hpp"
#include "kernels/gemm_operands.hpp"
#include "kernels/gemm_sums.hpp"
#include "kernels/gemm.hpp"
#include "kernels/softmax.hpp"
#include "kernels/cross_entropy.hpp"
#include "kernels/peak.hpp"
// clang-format on

template <class T>
constexpr WideKernels<T> wide_kernels() {
  WideKernels<T> kernels{};
  kernels.gemm = gemm<T>;
  kernels.gemm_workspace = gemm_workspace<T>;
  kernels.unary = kUnaryKernels<T>;
  kernels.unary_count = count_of(kUnaryKernels<T>);
  kernels.binary = kBinaryKernels<T>;
  kernels.binary_count = count_of(kBinaryKernels<T>);
  kernels.updates = UpdateFunctions<T, Optimizers>::functions;
  kernels.plain_update = update_plainly<T>;
  kernels.softmax = softmax<T>;
  kernels.softmax_backward = softmax_backward<T>;
  kernels.log_softmax = log_softmax<T>;
  kernels.log_softmax_backward = log_softmax_backward<T>;
  kernels.cross_entropy = cross_entropy<T>;
  kernels.scale_rows = scale_rows<T>;
  kernels.fma_burst = fma_burst<T>;
  return kernels;
}
}  // namespace

extern const WideTable NNLITE_WIDE;
const WideTable NNLITE_WIDE = {NNLITE_ISA_NAME, wide_kernels<float>(), wide_kernels<double>()};

}  // namespace nnlite
