// Losses reduced to one number, and the losses before the reduction.
//
// Over any set of rows, the loss is the sum of the single losses ("sum"), divided by the sum of their weights ("mean").
// A batch whose weights sum to 0 has the loss NaN and the gradient 0.
#pragma once

#include <cmath>
#include <vector>

#include "autograd/operations.hpp"

namespace nnlite {

// Weights may be absent (all 1) or fewer than the losses: each then applies to several consecutive losses.
struct SingleLosses {
  TensorPtr losses, weights;
  Reduction reduction = Reduction::mean;
};

class ReducedLoss : public Operation {
 public:
  explicit ReducedLoss(Reduction reduction) : reduction_(reduction) {}

  Reduction reduction() const { return reduction_; }
  // Of the last forward pass; the number of rows if there are no weights.
  double weight() const { return weight_; }
  // The same loss before its reduction, from the inputs of its node.
  virtual SingleLosses single(const std::vector<TensorPtr>& inputs) const = 0;
  virtual int64_t count(const Arrays& inputs) const = 0;  // the number of single losses

 protected:
  // The loss from the sum of the single losses, of which groups of `each` share one weight.
  template <class T>
  T divided(T total, int64_t each) const {
    if (reduction_ == Reduction::sum) return total;
    return weight_ == 0 ? static_cast<T>(NAN) : total / divisor<T>(each);
  }
  template <class T>
  T gradient_share(T gradient, int64_t each) const {
    if (reduction_ == Reduction::sum) return gradient;
    return weight_ == 0 ? T(0) : gradient / divisor<T>(each);
  }

  Reduction reduction_;
  double weight_ = 0;

 private:
  template <class T>
  T divisor(int64_t each) const {
    return static_cast<T>(reduction_ == Reduction::batchmean ? weight_ : weight_ * static_cast<double>(each));
  }
};

// The weight of a batch's loss in the loss over a whole data set. A loss that is not a ReducedLoss of the batch's rows
// is weighted by their number, unless it is a sum, or is NaN because a mean that it was computed from has weight 0.
class BatchShare {
 public:
  BatchShare() = default;
  BatchShare(const Tensor& loss, int64_t rows);

  double weight(double loss) const;        // of the last forward pass, whose loss this is
  bool is_sum() const { return is_sum_; }  // the losses of batches are added, without weights
  // A batch of weight 0 counts like one without rows.
  bool is_empty(double loss) const { return weight(loss) == 0 && (!is_sum_ || loss == 0); }

 private:
  const ReducedLoss* operation_ = nullptr;
  std::vector<const ReducedLoss*> means_;  // from which a user-defined loss is computed
  double rows_ = 0;
  bool is_sum_ = false;
};

// The loss over the batches so far.
struct LossTotal {
  double sum = 0, weight = 0;

  void add(double loss, const BatchShare& share) {
    const double own = share.weight(loss);
    weight += own;
    sum += share.is_sum() ? loss : loss * own;
  }
  double value(bool is_sum) const { return is_sum ? sum : sum / weight; }
};

// The losses are null if `loss` does not reduce single losses of the batch's rows.
SingleLosses single_losses(const Tensor& loss, int64_t rows);

// Multiplies each row's losses and weights by the row's weight.
SingleLosses weighted_rows(const SingleLosses& single, const TensorPtr& row_weights);

TensorPtr reduced(const SingleLosses& single);

}  // namespace nnlite
