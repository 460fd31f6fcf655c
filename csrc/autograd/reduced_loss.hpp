// Losses reduced to one number, and the losses before the reduction.
//
// Over any set of rows the loss is one thing: the sum of the single losses ("sum"), divided by the sum of their weights
// ("mean"). A batch whose weights sum to 0 has the loss NaN and the gradient 0.
#pragma once

#include <cmath>
#include <vector>

#include "autograd/operations.hpp"

namespace nnlite {

// Weights may be absent (all 1), or fewer than the losses: then each stands for as many losses in a row.
struct SingleLosses {
  TensorPtr losses, weights;
  Reduction reduction = Reduction::mean;
};

class ReducedLoss : public Operation {
 public:
  explicit ReducedLoss(Reduction reduction) : reduction_(reduction) {}

  Reduction reduction() const { return reduction_; }
  // Of the last forward pass; without weights it is the number of rows.
  double weight() const { return weight_; }
  // The same loss before its reduction, from the inputs of its node.
  virtual SingleLosses single(const std::vector<TensorPtr>& inputs) const = 0;
  virtual int64_t count(const Arrays& inputs) const = 0;  // of the single losses

 protected:
  // The loss from the sum of its parts, `each` of which share one weight.
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

// The weight of a batch's loss in the loss over a whole data set. Of a loss that no operation here has made, or that
// is not made of the batch's rows, little is known: it counts by the rows, unless it is a sum, or unless it is NaN
// because a mean that it is computed from has no weight.
class BatchShare {
 public:
  BatchShare() = default;
  BatchShare(const Tensor& loss, int64_t rows);

  double weight(double loss) const;        // of the last forward pass, whose loss this is
  bool is_sum() const { return is_sum_; }  // the losses of batches are added, without weights
  // A batch without weight is like one without rows.
  bool is_empty(double loss) const { return weight(loss) == 0 && (!is_sum_ || loss == 0); }

 private:
  const ReducedLoss* operation_ = nullptr;
  std::vector<const ReducedLoss*> means_;  // that a loss of the user's own is computed from
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

// Null losses where `loss` is not made of single losses of the batch's rows.
SingleLosses single_losses(const Tensor& loss, int64_t rows);

// Each row's losses and weights times the weight of the row.
SingleLosses weighted_rows(const SingleLosses& single, const TensorPtr& row_weights);

TensorPtr reduced(const SingleLosses& single);

}  // namespace nnlite
