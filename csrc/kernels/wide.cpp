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
#include "kernels/softmax.hpp"
#include "kernels/cross_entropy.hpp"
#include "kernels/elements.hpp"
#include "kernels/prefetch.hpp"
#include "kernels/gemm_tile.hpp"
#include "kernels/gemm_plan.hpp"
#include "kernels/gemm_pack.hpp"
#include "kernels/gemm_thin.hpp"
#include "kernels/gemm_transposed.hpp"
#include "kernels/gemm_operands.hpp"
#include "kernels/gemm_sums.hpp"
#include "kernels/gemm.hpp"
#include "kernels/peak.hpp"
// clang-format on

template <class T>
constexpr ProductKernels<T> product_kernels() {
  return {gemm<T>, gemm_workspace<T>, fma_burst<T>};
}
}  // namespace

extern const WideTable NNLITE_WIDE;
const WideTable NNLITE_WIDE = {NNLITE_ISA_NAME, product_kernels<float>(), product_kernels<double>(),
                               element_kernels<float>()};

}  // namespace nnlite
