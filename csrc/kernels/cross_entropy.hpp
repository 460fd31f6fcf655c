// Softmax with cross-entropy, value and unit gradient in one pass over the logits, with PyTorch's options: s =
// label_smoothing, w = class weights; q = softmax(x), C classes.
//
// Class index y:
//   loss = (1 - s) w_y (-log q_y) + s/C sum_c w_c (-log q_c)
//   dloss/dx_c = ((1 - s) w_y + s/C sum w) q_c - (1 - s) w_y [c = y] - s/C w_c
// Class probabilities t, with t' = (1 - s) t + s/C:
//   loss = sum_c w_c t'_c (-log q_c)
//   dloss/dx_c = (sum_k w_k t'_k) q_c - w_c t'_c
// -log q_c = log(sum exp(x - max)) - (x_c - max) never overflows and keeps its digits where q is close to 0 or 1.

// One row after the softmax: `gradient` holds exp(x - maximum).
template <class T>
struct LogitsRow {
  const T* logits;
  T* gradient;
  int64_t classes;
  T maximum, sum, rest, log_sum;  // rest = sum - 1
};

template <class T>
T weight_of(const ClassTargets<T>& targets, int64_t c) {
  return targets.weight == nullptr ? T(1) : targets.weight[c];
}

template <class T>
T total_weight(const ClassTargets<T>& targets, int64_t classes) {
  return targets.weight == nullptr ? static_cast<T>(classes) : sum_lanes(sum_span(targets.weight, classes));
}

// Label smoothing's part of a row: subtracts share * w from the gradient and returns the sum of w (-log q).
template <class T>
T smooth_gradient(const LogitsRow<T>& row, const ClassTargets<T>& targets, T share) {
  using V = Vec<T>;
  const V maximum(row.maximum), log_sum(row.log_sum), v_share(share);
  return sum_lanes(sum_of_vectors<T>(row.classes, [&](int64_t i, int n, V sum) {
    const V w =
        targets.weight == nullptr ? select(first_lanes<T>(n), V(T(1)), V(T(0))) : load_lanes(targets.weight + i, n);
    store_lanes(fnma(v_share, w, load_lanes(row.gradient + i, n)), row.gradient + i, n);
    return fma(w, log_sum - (load_lanes(row.logits + i, n) - maximum), sum);
  }));
}

// A row with a class index: gradient = w (q - onehot), loss = w (-log q_y), plus the terms of label smoothing.
template <class T>
T cross_entropy_label(const LogitsRow<T>& row, const ClassTargets<T>& targets, int64_t label, T all_weights) {
  const T smoothing = targets.label_smoothing;
  const T share = smoothing / static_cast<T>(row.classes);
  const T on_label = (T(1) - smoothing) * weight_of(targets, label);
  scale_span(row.gradient, (share * all_weights + on_label) / row.sum, row.gradient, row.classes);
  const T smooth = smoothing == T(0) ? T(0) : share * smooth_gradient(row, targets, share);
  row.gradient[label] -= on_label;
  // For the largest logit, q - 1 would cancel; -rest / sum is equal and keeps its digits.
  if (row.logits[label] == row.maximum)
    row.gradient[label] =
        (share * all_weights / row.sum - share * weight_of(targets, label)) - on_label * (row.rest / row.sum);
  const T negative_log = row.log_sum - (row.logits[label] - row.maximum);
  // A class of weight 0 adds nothing, even where its logarithm is infinite.
  const T loss = on_label == T(0) ? T(0) : on_label * negative_log;
  return loss + smooth;
}

template <class T>
T cross_entropy_probabilities(const LogitsRow<T>& row, const ClassTargets<T>& targets, const T* probabilities) {
  using V = Vec<T>;
  const V keep(T(1) - targets.label_smoothing), share(targets.label_smoothing / static_cast<T>(row.classes));
  const V maximum(row.maximum), log_sum(row.log_sum), zero(T(0));
  const auto target = [&](int64_t i, int n) {
    const V w = targets.weight == nullptr ? V(T(1)) : load_lanes(targets.weight + i, n);
    return select(first_lanes<T>(n), w * fma(keep, load_lanes(probabilities + i, n), share), zero);
  };
  V sums[2];  // of the losses and of the targets
  sum_vectors<T>(row.classes, sums, [&](int64_t i, int n, V(&sum)[2]) {
    const V t = target(i, n);
    const V negative_log = log_sum - (load_lanes(row.logits + i, n) - maximum);
    sum[0] = select(t == zero, sum[0], fma(t, negative_log, sum[0]));
    sum[1] = sum[1] + t;
  });
  const T total = sum_lanes(sums[1]);
  const V all(total), factor(total / row.sum), others(total * (row.rest / row.sum));
  for_vectors<T>(row.classes, [&](int64_t i, int n) {
    const V t = target(i, n), g = fma(load_lanes(row.gradient + i, n), factor, -t);
    const auto largest = load_lanes(row.logits + i, n) == maximum;
    store_lanes(select(largest, (all - t) - others, g), row.gradient + i, n);
  });
  return sum_lanes(sums[0]);
}

template <class T>
void cross_entropy(const T* logits, const ClassTargets<T>& targets, T* loss, T* dlogits, T* row_weight, int64_t rows,
                   int64_t classes) {
  const T all_weights = total_weight(targets, classes);
  for_softmax_rows(logits, dlogits, rows, classes, [&](int64_t i, T maximum, T sum, T rest, T log_sum) {
    const LogitsRow<T> row{logits + i * classes, dlogits + i * classes, classes, maximum, sum, rest, log_sum};
    row_weight[i] = T(1);
    if (targets.labels == nullptr) {
      loss[i] = cross_entropy_probabilities(row, targets, targets.probabilities + i * classes);
    } else if (targets.labels[i] == targets.ignore_index) {
      loss[i] = row_weight[i] = T(0);
      for (int64_t c = 0; c < classes; ++c) row.gradient[c] = T(0);
    } else {
      loss[i] = cross_entropy_label(row, targets, targets.labels[i], all_weights);
      row_weight[i] = weight_of(targets, targets.labels[i]);
    }
  });
}
