#include "autograd/broadcasting.hpp"

#include <algorithm>

#include "runtime/dispatch.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

// Size of dimension i after padding `shape` with leading ones to `rank` dimensions.
int64_t aligned_dim(const Shape& shape, int i, int rank) {
  const int at = i - (rank - shape.rank());
  return at < 0 ? 1 : shape[at];
}

}  // namespace

Broadcast::Broadcast(const Shape& out, const Shape& a, const Shape& b) : size_(out.size()) {
  std::vector<Loop> loops;
  int64_t a_size = 1, b_size = 1;
  for (int i = out.rank() - 1; i >= 0; --i) {
    const int64_t a_dim = aligned_dim(a, i, out.rank()), b_dim = aligned_dim(b, i, out.rank());
    if (out[i] == 1) continue;
    const Loop loop{out[i], a_dim == 1 ? 0 : a_size, b_dim == 1 ? 0 : b_size};
    a_size *= a_dim, b_size *= b_dim;
    Loop* last = loops.empty() ? nullptr : &loops.back();
    if (last != nullptr && loop.a_stride == last->a_stride * last->count &&
        loop.b_stride == last->b_stride * last->count)
      last->count *= loop.count;
    else
      loops.push_back(loop);
  }
  if (loops.empty()) return;
  inner_ = loops.front();
  outer_.assign(loops.begin() + 1, loops.end());
}

template <class T>
void sum_batch(const T* x, int64_t rows, int64_t columns, T* out) {
  if (columns == 1)
    *out = kernels<T>().sum_all(x, rows, 1);
  else
    sum_axis(x, 1, rows, columns, out);
}

template <class T>
void sum_axis(const T* x, int64_t outer, int64_t axis, int64_t inner, T* out) {
  const Kernels<T>& table = kernels<T>();
  if (inner == 1) {
    parallel_spans(outer, 1, static_cast<double>(axis), [&](int64_t begin, int64_t end) {
      table.sum_columns(x + begin * axis, end - begin, axis, out + begin);
    });
    return;
  }
  for (int64_t i = 0; i < outer; ++i)
    parallel_spans(inner, 64, static_cast<double>(axis), [&](int64_t begin, int64_t end) {
      table.sum_rows(x + i * axis * inner + begin, axis, end - begin, inner, out + i * inner + begin);
    });
}

template <class T>
void sum_to_shape(const T* full, const Shape& full_shape, T* out, const Shape& shape, std::array<Scratch, 2>& scratch) {
  const int rank = full_shape.rank();
  Shape current = full_shape;
  const T* from = full;
  size_t turn = 0;
  for (int begin = 0; begin < rank;) {
    // Adjacent repeated dimensions are summed as one.
    int end = begin;
    while (end < rank && aligned_dim(shape, end, rank) == 1 && full_shape[end] != 1) ++end;
    if (end == begin) {
      ++begin;
      continue;
    }
    const int64_t outer = current.count(0, begin), axis = current.count(begin, end), inner = current.count(end, rank);
    T* to = scratch[turn].of<T>(outer * inner);
    if (begin == 0)
      sum_batch(from, axis, inner, to);
    else
      sum_axis(from, outer, axis, inner, to);
    for (int i = begin; i < end; ++i) current[i] = 1;
    from = to;
    turn = 1 - turn;
    begin = end;
  }
  std::copy_n(from, shape.size(), out);
}

template void sum_batch(const float*, int64_t, int64_t, float*);
template void sum_batch(const double*, int64_t, int64_t, double*);
template void sum_axis(const float*, int64_t, int64_t, int64_t, float*);
template void sum_axis(const double*, int64_t, int64_t, int64_t, double*);
template void sum_to_shape(const float*, const Shape&, float*, const Shape&, std::array<Scratch, 2>&);
template void sum_to_shape(const double*, const Shape&, double*, const Shape&, std::array<Scratch, 2>&);

}  // namespace nnlite
