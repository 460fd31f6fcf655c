// The kernels' interface: tables of function pointers, of one type for all instruction sets.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/types.hpp"

namespace nnlite {

// Rows of a batch whose sums form one leaf of the fixed summation tree (the arithmetic contract, rule 3). Any
// batch-wise sum adds the rows of a leaf in order and then combines leaves 2i and 2i+1, level by level.
constexpr int64_t kLeafRows = 128;

// Lanes in which doubles are summed on every instruction set (rule 4).
constexpr int kDoubleLanes = 8;

// The arrays a derivative reads: bits of UnaryKernel::reads.
constexpr int kReadsInput = 1, kReadsOutput = 2;

template <class T>
struct UnaryKernel {
  const char* name;
  void (*forward)(const T* x, T* y, int64_t n, T alpha, T beta);
  void (*backward)(const T* x, const T* y, const T* dy, T* dx, int64_t n, T alpha, T beta);
  int reads;
  const char* options[2];  // PyTorch's names for alpha and beta; null if the function has none
};

// The stride of a and b is 1, or 0 for a single value.
template <class T>
struct BinaryKernel {
  const char* name;
  void (*forward)(const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n);
  void (*backward_a)(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* y, const T* dy, T* da,
                     int64_t n);
  void (*backward_b)(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* y, const T* dy, T* db,
                     int64_t n);
};

template <class T>
struct LossKernel {
  const char* name;
  void (*forward)(const T* x, const T* t, T* loss, int64_t n, T parameter);
  void (*backward)(const T* x, const T* t, const T* dloss, int64_t dloss_stride, T* dx, int64_t n, T parameter);
  // Null where the derivative with respect to t is minus that with respect to x.
  void (*target_backward)(const T* x, const T* t, const T* dloss, int64_t dloss_stride, T* dt, int64_t n, T parameter);
  const char* option;  // PyTorch's name for the parameter; null if the loss has none
};

// Element (i, j) is data[i * row_stride + j * column_stride].
template <class T>
struct MatrixView {
  const T* data;
  int64_t row_stride;
  int64_t column_stride;
};

constexpr int kMostOptions = 9, kMostBuffers = 3, kRuleBytes = 80;  // of an optimizer

// The callers' view of an optimizer; see optimizers.hpp.
struct OptimizerRow {
  const char* name;
  int option_count;
  const char* const* options;
  int buffer_count;
  const char* const* buffers;
  bool counts_steps;
  const char* scalar;
  double (*next_scalar)(const double* options, int64_t steps, double scalar);
  unsigned (*in_use)(const double* options);
  double (*initial)(const double* options);
  bool (*is_plain)(const double* options);
  double (*plain_rate)(const double* options);
  int64_t steady_after;
  void (*make_float_rule)(const double* options, int64_t steps, double scalar, void* rule);
  void (*make_double_rule)(const double* options, int64_t steps, double scalar, void* rule);
};

template <class T>
struct Update;
template <class T>
using UpdateFunction = void (*)(T* weight, const T* gradient, const Update<T>& update, int64_t at, int64_t n);

// How one parameter is updated in the current step.
template <class T>
struct Update {
  UpdateFunction<T> apply;
  const void* rule;          // made by the row's make_..._rule; not read by a plain update
  T* buffers[kMostBuffers];  // state, laid out like the parameter
  bool is_plain;             // w = w - plain_rate * gradient and nothing else
  T plain_rate;
};

// Applied to a finished sum of a matrix product, in this order.
template <class T>
struct GemmEpilogue {
  const T* bias = nullptr;            // (n): C = sum + bias
  const Update<T>* update = nullptr;  // C is a parameter and the sum its gradient
};

// C (m, n) = A (m, k) B (k, n); C is row-major with rows `c_stride` apart.
template <class T>
struct GemmTask {
  int64_t m, n, k;
  MatrixView<T> a, b;
  T* c;
  int64_t c_stride;
  bool leaves;  // true: k counts batch rows, summed in leaves; false: one chain over k
  GemmEpilogue<T> epilogue;
};

struct TileRange {
  int64_t row_begin, row_end, column_begin, column_end;
};

// Targets of cross-entropy, with PyTorch's options; a null weight is all ones.
template <class T>
struct ClassTargets {
  const int64_t* labels;   // (rows); null if probabilities are given
  const T* probabilities;  // (rows, classes)
  const T* weight;         // (classes)
  int64_t ignore_index;
  T label_smoothing;
};

// Matrix products.
template <class T>
struct ProductKernels {
  // Computes the tiles of C in `range`; `workspace` holds gemm_workspace(...) elements, aligned to 64 bytes.
  // Prefetches rows of the next batch meanwhile, if there are any (`ahead` may be null).
  void (*gemm)(const GemmTask<T>& task, const TileRange& range, T* workspace, RowsAhead* ahead);
  int64_t (*gemm_workspace)(const GemmTask<T>& task, const TileRange& range);

  // `rounds` of fma in registers alone; returns the number of flops. `sink` holds two numbers, read and written.
  int64_t (*fma_burst)(int64_t rounds, T* sink);
};

// Functions of elements and of rows of logits. AVX-512 has those of float32 alone and uses AVX2's for float64: its own
// would take 0.6 of their time (tanh and exp, Sapphire Rapids) and add 15 kB to the wheel.
template <class T>
struct ElementKernels {
  const UnaryKernel<T>* unary;
  int unary_count;
  const BinaryKernel<T>* binary;
  int binary_count;
  const UpdateFunction<T>* updates;  // in the order of optimizers.hpp
  UpdateFunction<T> plain_update;    // of any optimizer, if it is plain

  // Rows of logits.
  void (*softmax)(const T* x, T* y, int64_t rows, int64_t columns);
  void (*softmax_backward)(const T* y, const T* dy, T* dx, int64_t rows, int64_t columns);
  void (*log_softmax)(const T* x, T* y, int64_t rows, int64_t columns);
  void (*log_softmax_backward)(const T* y, const T* dy, T* dx, int64_t rows, int64_t columns);
  // Writes loss (rows), the unit gradient dlogits (rows, classes) of each row's loss, and row weights (rows) for the
  // mean.
  void (*cross_entropy)(const T* logits, const ClassTargets<T>& targets, T* loss, T* dlogits, T* row_weight,
                        int64_t rows, int64_t classes);
  // dx = dy[row] * x, dy's stride 0 or 1.
  void (*scale_rows)(const T* x, const T* dy, int64_t dy_stride, T* dx, int64_t rows, int64_t columns);
};

// Kernels that are bound by memory or take a small part of a step. AVX-512 uses AVX2's: on a Zen 4 core, vectors twice
// as wide save 0 to 10 % of their time (sums, norms and squared errors take 0.9 to 1.0 of it, where exp takes 0.57),
// and they would add 30 kB to the wheel.
template <class T>
struct CommonKernels {
  const LossKernel<T>* losses;
  int loss_count;
  T (*loss_sum)(const LossKernel<T>& loss, const T* x, const T* t, int64_t rows, int64_t columns, T parameter);

  void (*transpose)(const T* x, int64_t rows, int64_t columns, T* out);  // out (columns, rows)

  // Sums. (rows, columns) row-major.
  void (*sum_rows)(const T* x, int64_t rows, int64_t columns, int64_t row_stride,
                   T* out);                                                // over rows: leaves and tree
  void (*sum_columns)(const T* x, int64_t rows, int64_t columns, T* out);  // along each row: lanes
  T (*sum_all)(const T* x, int64_t rows, int64_t columns);                 // everything: leaves of rows
  void (*sum_squares)(const T* x, int64_t n, double* lanes);               // kDoubleLanes sums, in leaves of elements
  void (*max_columns)(const T* x, int64_t rows, int64_t columns, T* out, int64_t* argmax);
  int64_t (*first_nonfinite)(const T* x, int64_t n);
  void (*add)(const T* a, const T* b, T* y, int64_t n);
  void (*scale)(const T* x, T factor, T* y, int64_t n);

  // Normalisation: layer_norm along rows, also saving 1 / sqrt(variance + eps); batch_norm along columns.
  void (*layer_norm)(const T* x, const T* weight, const T* bias, T eps, T* y, T* normalized, T* inverse_std,
                     int64_t rows, int64_t columns);
  void (*layer_norm_backward)(const T* normalized, const T* inverse_std, const T* weight, const T* dy, T* dx,
                              int64_t rows, int64_t columns);
  void (*normalize_columns)(const T* x, const T* mean, const T* inverse_std, const T* weight, const T* bias, T* y,
                            T* normalized, int64_t rows, int64_t columns);
  void (*batch_norm_backward)(const T* normalized, const T* inverse_std, const T* weight, const T* dy, const T* mean_dy,
                              const T* mean_dy_normalized, T* dx, int64_t rows, int64_t columns);

  void (*uniform)(T* out, int64_t begin, int64_t n, RandomStream stream, T low, T high);
  void (*normal)(T* out, int64_t begin, int64_t n, RandomStream stream, T mean, T standard_deviation);
  void (*dropout_mask)(T* out, int64_t begin, int64_t n, RandomStream stream, T keep, T scale);
};

template <class T>
struct Kernels : ProductKernels<T>, ElementKernels<T>, CommonKernels<T> {};

struct WideTable {
  const char* isa;
  ProductKernels<float> products32;
  ProductKernels<double> products64;
  ElementKernels<float> elements32;
};

struct CommonTable {
  ElementKernels<double> elements64;
  CommonKernels<float> float32;
  CommonKernels<double> float64;
  void (*permutation)(int64_t* out, int64_t n, RandomStream stream);
  const GatherFunction (*gather)[kTargetTypes];  // [source][target]
};

struct KernelTable {
  const char* isa;
  Kernels<float> float32;
  Kernels<double> float64;
  void (*permutation)(int64_t* out, int64_t n, RandomStream stream);
  const GatherFunction (*gather)[kTargetTypes];

  KernelTable(const WideTable& wide, const CommonTable& common)
      : isa(wide.isa),
        float32{wide.products32, wide.elements32, common.float32},
        float64{wide.products64, common.elements64, common.float64},
        permutation(common.permutation),
        gather(common.gather) {}
};

// Defined by kernels/wide.cpp and kernels/common.cpp, once per instruction set.
extern const WideTable kScalarWide, kAvx2Wide, kAvx512Wide, kNeonWide;
extern const CommonTable kScalarCommon, kAvx2Common, kNeonCommon;

}  // namespace nnlite
