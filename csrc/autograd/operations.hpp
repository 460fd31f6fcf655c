// The operations of the tape. Each checks its inputs (std::invalid_argument, std::out_of_range, TypeError, naming the
// operation and the shapes) and returns a tensor. Operands of different types are converted to their common_type.
#pragma once

#include <string>
#include <vector>

#include "autograd/tensor.hpp"
#include "runtime/generator.hpp"

namespace nnlite {

// elementwise.cpp; names are those of the kernels' tables
TensorPtr unary(const std::string& name, const TensorPtr& x, double alpha = 0, double beta = 0);
TensorPtr unary(int index, const TensorPtr& x, double alpha = 0, double beta = 0);
TensorPtr binary(int index, const TensorPtr& a, const TensorPtr& b);
// PyTorch's promotion: the wider type, but a single value changes an array's type only to another kind.
DType common_type(const TensorPtr& a, const TensorPtr& b);
TensorPtr where(const TensorPtr& condition, const TensorPtr& a, const TensorPtr& b);
TensorPtr broadcast_to(const TensorPtr& x, const Shape& shape);  // x + 0 of that shape
TensorPtr cast(const TensorPtr& x, DType dtype);
int unary_index(const std::string& name);  // throws std::invalid_argument
int binary_index(const std::string& name);

// clamp.cpp; low, high: bounds that broadcast with x, or null
TensorPtr clamp(const TensorPtr& x, const TensorPtr& low, const TensorPtr& high);

// matmul.cpp
TensorPtr linear(const TensorPtr& x, const TensorPtr& weight, const TensorPtr& bias);
TensorPtr matmul(const TensorPtr& a, const TensorPtr& b);

// reductions.cpp; dim < rank, or kAllDims
constexpr int64_t kAllDims = INT64_MIN;
TensorPtr sum(const TensorPtr& x, int64_t dim, bool keepdim);
TensorPtr mean(const TensorPtr& x, int64_t dim, bool keepdim);
TensorPtr max(const TensorPtr& x, int64_t dim, bool keepdim);
TensorPtr min(const TensorPtr& x, int64_t dim, bool keepdim);
TensorPtr amax(const TensorPtr& x, int64_t dim, bool keepdim);  // ties split the gradient
TensorPtr amin(const TensorPtr& x, int64_t dim, bool keepdim);

// shaping.cpp
TensorPtr reshape(const TensorPtr& x, const Shape& shape);  // one size may be -1
TensorPtr detach(const TensorPtr& x);                       // the same memory, detached from the tape
TensorPtr permute(const TensorPtr& x, const std::vector<int>& dims);
struct Slice {
  int64_t start, step, count;
};
TensorPtr view(const TensorPtr& x, int64_t offset, const Shape& shape);  // of x's memory
// One slice per dimension; `shape` holds the same elements and may add or drop dimensions of size 1.
TensorPtr slice(const TensorPtr& x, const std::vector<Slice>& slices, const Shape& shape);
TensorPtr take(const TensorPtr& x, const TensorPtr& indices, int dim, int64_t padding_index = -1,
               const char* name = "index");
TensorPtr concatenate(const std::vector<TensorPtr>& tensors, int64_t dim);

// selecting.cpp

// The positions in a tensor of the elements of `shape`: from each start, a run of adjacent elements.
struct Selection {
  Shape shape;
  std::vector<int64_t> starts;
  int64_t run = 1;

  explicit Selection(int64_t offset) : starts{offset} {}
  void add_dim(int64_t size, int64_t stride);
  void add_offsets(const std::vector<int64_t>& offsets, const Shape& shape);
};
TensorPtr gather(const TensorPtr& x, Selection selection);
TensorPtr expand(const TensorPtr& x, const Shape& shape);  // repeats dimensions of size 1 and adds leading ones
// Writes `value`, of the selection's shape and x's type, into x's memory at the selection. See assign().
TensorPtr assigned(const TensorPtr& x, const TensorPtr& value, Selection selection);

// softmax.cpp
TensorPtr softmax(const TensorPtr& x, int64_t dim);
TensorPtr log_softmax(const TensorPtr& x, int64_t dim);

// losses.cpp, class_losses.cpp; common base: reduced_loss.hpp
enum class Reduction { none, mean, sum, batchmean };  // batchmean: sum / number of rows, for divergences
Reduction reduction_of(const std::string& name, bool of_divergence = false);
const char* name_of(Reduction reduction);
int loss_index(const std::string& name);
TensorPtr elementwise_loss(int index, const TensorPtr& x, const TensorPtr& target, Reduction reduction,
                           double parameter);
struct ClassLossSettings {
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0;
};
TensorPtr cross_entropy(const TensorPtr& logits, const TensorPtr& target, const TensorPtr& weight,
                        const ClassLossSettings& settings);
TensorPtr nll_loss(const TensorPtr& log_probabilities, const TensorPtr& target, const TensorPtr& weight,
                   const ClassLossSettings& settings);

// normalization.cpp
TensorPtr layer_norm(const TensorPtr& x, int normalized_rank, const TensorPtr& weight, const TensorPtr& bias,
                     double eps);
struct BatchNormSettings {
  bool training;
  double momentum, eps;  // momentum < 0: cumulative average
};
struct BatchNormState {
  TensorPtr running_mean, running_var, batches;  // each may be null; batches is an int64 count
};
TensorPtr batch_norm(const TensorPtr& x, const BatchNormState& state, const TensorPtr& weight, const TensorPtr& bias,
                     const BatchNormSettings& settings);

// dropout.cpp
TensorPtr dropout(const TensorPtr& x, double p);  // draws from the default generator

}  // namespace nnlite
