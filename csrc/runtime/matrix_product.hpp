// The matrix product on the team: C cut into a grid of tiles, each computed whole by one thread.
#pragma once

#include <algorithm>
#include <cmath>

#include "runtime/dispatch.hpp"
#include "runtime/gather.hpp"
#include "runtime/memory.hpp"
#include "runtime/team.hpp"

namespace nnlite {

// Columns are cut first: every part then packs its own columns of B, and none is packed twice. Rows follow where
// columns are few.
struct Grid {
  int64_t rows, columns;          // parts
  int64_t row_step, column_step;  // elements of a part

  static constexpr int64_t kColumnGrain = 64,
                           kRowGrain = 96;     // whole panels; enough rows to pay for packing a panel again
  static constexpr double kWorkPerPart = 2e9;  // at most, some 20 ms: between parts a loop can be interrupted

  Grid(int64_t m, int64_t n, double work) {
    const double threads =
        std::floor(std::max(1.0, std::min(static_cast<double>(num_threads()), work / kWorkPerThread)));
    const double interruptible = work / kWorkPerPart;
    split(n, kColumnGrain, std::max(threads < 2 ? 1 : 4 * threads, interruptible), columns, column_step);
    const auto made = static_cast<double>(columns);
    const double shared_out = made < threads ? 2 * threads / made : 1;
    split(m, threads < 2 ? kRowGrain : kRowGrain / 4, std::max(shared_out, interruptible / made), rows, row_step);
  }

 private:
  static void split(int64_t size, int64_t grain, double wanted, int64_t& parts, int64_t& step) {
    const int64_t grains = std::max<int64_t>(1, (size + grain - 1) / grain);
    const int64_t pieces = std::min(static_cast<int64_t>(std::ceil(wanted)), grains);
    step = (grains + pieces - 1) / pieces * grain;
    parts = std::max<int64_t>(1, (size + step - 1) / step);
  }
};

template <class T>
void matrix_product(const GemmTask<T>& task) {
  if (task.m == 0 || task.n == 0) return;
  const double work = 2.0 * static_cast<double>(task.m) * static_cast<double>(task.n) * static_cast<double>(task.k);
  const Grid grid(task.m, task.n, work);
  const Kernels<T>& table = kernels<T>();
  parallel_for(grid.rows * grid.columns, work, [&](int64_t part) {
    const int64_t row = part / grid.columns * grid.row_step, column = part % grid.columns * grid.column_step;
    const TileRange range{row, std::min(row + grid.row_step, task.m), column,
                          std::min(column + grid.column_step, task.n)};
    const auto bytes = static_cast<size_t>(table.gemm_workspace(task, range)) * sizeof(T);
    table.gemm(task, range, static_cast<T*>(thread_scratch(bytes)), rows_ahead());
  });
}

}  // namespace nnlite
