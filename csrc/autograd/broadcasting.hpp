// NumPy's broadcasting of two operands as runs of contiguous output, and the sums that reverse it for gradients.
#pragma once

#include <array>
#include <vector>

#include "autograd/shape.hpp"
#include "runtime/memory.hpp"

namespace nnlite {

// `count` outputs starting at `out`; the operands are at a, a + a_stride, ... and b, b + b_stride, ... (strides 0 or
// 1).
struct BroadcastRun {
  int64_t out, a, b, count, a_stride, b_stride;
};

class Broadcast {
 public:
  Broadcast() = default;
  Broadcast(const Shape& out, const Shape& a, const Shape& b);

  template <class F>
  void for_runs(const F& f) const {
    if (size_ == 0) return;
    BroadcastRun run{0, 0, 0, inner_.count, inner_.a_stride, inner_.b_stride};
    visit(outer_.size(), run, f);
  }

 private:
  struct Loop {
    int64_t count, a_stride, b_stride;
  };

  // outer_ is ordered from the innermost loop to the outermost.
  template <class F>
  void visit(size_t loops, BroadcastRun& run, const F& f) const {
    if (loops == 0) {
      f(run);
      run.out += run.count;
      return;
    }
    const Loop& loop = outer_[loops - 1];
    for (int64_t i = 0; i < loop.count; ++i) {
      visit(loops - 1, run, f);
      run.a += loop.a_stride;
      run.b += loop.b_stride;
    }
    run.a -= loop.count * loop.a_stride;
    run.b -= loop.count * loop.b_stride;
  }

  int64_t size_ = 0;
  Loop inner_{1, 0, 0};
  std::vector<Loop> outer_;
};

// Sums `full` over the dimensions that broadcasting repeated: (full_shape) -> (shape). Over rows in leaves, along rows
// in lanes. Intermediate sums are in `scratch`.
template <class T>
void sum_to_shape(const T* full, const Shape& full_shape, T* out, const Shape& shape, std::array<Scratch, 2>& scratch);

// (rows, columns) -> (columns), a sum over the batch: rule 3 of the contract, even for a single column.
template <class T>
void sum_batch(const T* x, int64_t rows, int64_t columns, T* out);

// (outer, axis, inner) -> (outer, inner): along rows if inner is 1 (rule 4), else over rows (rule 3).
template <class T>
void sum_axis(const T* x, int64_t outer, int64_t axis, int64_t inner, T* out);

}  // namespace nnlite
