#include "autograd/clipping.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/operations.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

// Elements per task: a power-of-two number of leaves, so that a task's sum is a node of the contract's tree.
constexpr int64_t kTaskElements = 64 * kLeafRows;

int64_t tasks_for(int64_t n) {
  return (n + kTaskElements - 1) / kTaskElements;
}

// `lanes` has room for kDoubleLanes sums per task.
template <class T>
double norm_of(const T* x, int64_t n, double* lanes) {
  if (n == 0) return 0;
  const int64_t tasks = tasks_for(n);
  parallel_for(tasks, 2.0 * static_cast<double>(n), [&](int64_t task) {
    const int64_t begin = task * kTaskElements;
    kernels<T>().sum_squares(x + begin, std::min(kTaskElements, n - begin), lanes + task * kDoubleLanes);
  });
  for (int64_t stride = 1; stride < tasks; stride *= 2)
    for (int64_t task = 0; task + stride < tasks; task += 2 * stride)
      kernels<double>().add(lanes + task * kDoubleLanes, lanes + (task + stride) * kDoubleLanes,
                            lanes + task * kDoubleLanes, kDoubleLanes);
  for (int width = kDoubleLanes / 2; width > 0; width /= 2)
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  return std::sqrt(lanes[0]);
}

}  // namespace

GradientNorm::GradientNorm(const Arrays& gradients) : norms_(gradients.size()) {
  int64_t tasks = tasks_for(static_cast<int64_t>(gradients.size()));
  for (const Array& gradient : gradients) tasks = std::max(tasks, tasks_for(gradient.size()));
  lanes_.resize(static_cast<size_t>(tasks * kDoubleLanes));
}

double GradientNorm::operator()(const Arrays& gradients) {
  for (size_t i = 0; i < gradients.size(); ++i)
    norms_[i] = dispatch(gradients[i].dtype, [&](auto zero) {
      return norm_of(gradients[i].as<decltype(zero)>(), gradients[i].size(), lanes_.data());
    });
  return norm_of(norms_.data(), static_cast<int64_t>(norms_.size()), lanes_.data());
}

void clip_to_norm(const Arrays& gradients, double norm, double max_norm) {
  const double factor = max_norm / (norm + 1e-6);
  if (factor >= 1) return;
  for (const Array& gradient : gradients)
    dispatch(gradient.dtype, [&](auto zero) {
      using T = decltype(zero);
      parallel_spans(gradient.size(), 4096, 1, [&](int64_t begin, int64_t end) {
        T* values = gradient.as<T>() + begin;
        kernels<T>().scale(values, static_cast<T>(factor), values, end - begin);
      });
    });
}

void clip_to_value(const Arrays& gradients, double bound) {
  static const int clip = unary_index("clip");
  for (const Array& gradient : gradients)
    dispatch(gradient.dtype, [&](auto zero) {
      using T = decltype(zero);
      parallel_spans(gradient.size(), 4096, 1, [&](int64_t begin, int64_t end) {
        T* values = gradient.as<T>() + begin;
        kernels<T>().unary[clip].forward(values, values, end - begin, static_cast<T>(-bound), static_cast<T>(bound));
      });
    });
}

}  // namespace nnlite
