// The matrix product on several threads: C is split into a grid of parts, each computed by one thread.
#pragma once

#include <algorithm>
#include <cmath>

#include "runtime/dispatch.hpp"
#include "runtime/gather.hpp"
#include "runtime/memory.hpp"
#include "runtime/team.hpp"

namespace nnlite {

// How C is split: along its columns or along its rows, whichever is expected to finish first. Each part packs its own
// rows of A and columns of B, so splitting columns packs A once per part, and splitting rows packs B once per part.
struct Grid {
  int64_t row_step, column_step;  // elements of a part
  int64_t rows, columns;          // parts

  static constexpr int64_t kColumnGrain = 64, kRowGrain = 24;  // whole panels, whole tiles
  static constexpr double kPackingWork = 16;                   // cost of packing an element, in flops
  static constexpr double kWorkPerPart = 2e9;  // at most, about 20 ms: a loop can be interrupted between parts

  Grid(int64_t m, int64_t n, int64_t row_step_, int64_t column_step_)
      : row_step(row_step_),
        column_step(column_step_),
        rows((m + row_step - 1) / row_step),
        columns((n + column_step - 1) / column_step) {}

  static Grid best(int64_t m, int64_t n, int64_t k, int threads) {
    const double work = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    const auto least = static_cast<int64_t>(std::ceil(work / kWorkPerPart));
    Grid best(m, n, m, n);
    double best_time = HUGE_VAL;
    for (const int64_t turns : {1, 2, 4}) {
      const int64_t parts = std::max(turns * threads, least);
      for (const Grid& grid :
           {Grid(m, n, m, step_of(n, kColumnGrain, parts)), Grid(m, n, step_of(m, kRowGrain, parts), n)}) {
        const double time = grid.time(k, threads);
        if (time < best_time) best = grid, best_time = time;
      }
    }
    return best;
  }

  template <class T>
  TileRange range(int64_t part, const GemmTask<T>& task) const {
    const int64_t row = part / columns * row_step, column = part % columns * column_step;
    return {row, std::min(row + row_step, task.m), column, std::min(column + column_step, task.n)};
  }

 private:
  static int64_t step_of(int64_t size, int64_t grain, int64_t parts) {
    const int64_t grains = (size + grain - 1) / grain;
    return std::max<int64_t>(1, (grains + parts - 1) / parts) * grain;
  }

  // Flops until the last thread finishes. Smaller parts lose less time to a thread that the system delays.
  double time(int64_t k, int threads) const {
    const auto m = static_cast<double>(row_step), n = static_cast<double>(column_step);
    const double turns = std::ceil(static_cast<double>(rows * columns) / threads);
    return turns * (1 + 0.1 / turns) * static_cast<double>(k) * (2 * m * n + kPackingWork * (m + n));
  }
};

template <class T>
T* scratch(int64_t size) {
  return size == 0 ? nullptr : static_cast<T*>(thread_scratch(static_cast<size_t>(size) * sizeof(T)));
}

template <class T>
void matrix_product(const GemmTask<T>& task) {
  if (task.m == 0 || task.n == 0) return;
  const Kernels<T>& table = kernels<T>();
  const double work = 2.0 * static_cast<double>(task.m) * static_cast<double>(task.n) * static_cast<double>(task.k);
  const int threads = threads_for(work);
  if (threads < 2 && work <= Grid::kWorkPerPart) {
    const TileRange whole{0, task.m, 0, task.n};
    T* workspace = scratch<T>(table.gemm_workspace(task, whole));
    return parallel_for(1, work, [&](int64_t) { table.gemm(task, whole, workspace, rows_ahead()); });
  }
  const Grid grid = Grid::best(task.m, task.n, task.k, threads);
  const int64_t parts = grid.rows * grid.columns;
  // The caller allocates for all threads, so that no allocation can fail after parts of C are computed.
  int64_t size = 0;
  for (int64_t part = 0; part < parts; ++part)
    size = std::max(size, table.gemm_workspace(task, grid.range(part, task)));
  T* workspace = scratch<T>(size * threads);
  parallel_for(parts, work, threads, [&](int64_t part) {
    table.gemm(task, grid.range(part, task), workspace + team_thread() * size, rows_ahead());
  });
}

}  // namespace nnlite
