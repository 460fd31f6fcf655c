// C = A B for row-major C, the operands in any orientation: NN, NT and TN differ only in their strides.
//
// Cost 2 m n k flops. Loops: blocks of k, panels of columns (packed, or read in place where they are few), tiles of
// rows. Every sum is the chain fma(a[i][k], b[k][j], sum) over k = 0, 1, 2, ..., whatever the tile: a chain cut at a
// block of k is parked in memory and taken up again, which is exact. Where k counts batch rows the sums of kLeafRows
// rows are combined by the tree of leaf_tree.hpp instead.

constexpr int64_t kBlockLeaves = 4;
constexpr int64_t kBlockDepth =
    kBlockLeaves * kLeafRows;    // a packed panel of 512 x 64 floats takes 128 KB of a level-2 cache
constexpr int kBlockLevels = 2;  // tree levels inside a block; the higher ones live in the workspace

constexpr int64_t round_up(int64_t n, int64_t step) {
  return (n + step - 1) / step * step;
}
constexpr int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

// The block structure of one call and where its parts stand in the workspace, all in elements.
template <class T>
struct GemmPlan {
  static constexpr int64_t kTileSize = kMaxTileRows * kPanelColumns<T>;

  int64_t rows, columns;
  bool leaves, pack_a, pack_b;
  int64_t block;   // k per block
  int64_t levels;  // of the tree above a block
  int64_t packed_b, packed_a, parked, size;

  GemmPlan(const GemmTask<T>& task, const TileRange& range)
      : rows(range.row_end - range.row_begin), columns(range.column_end - range.column_begin) {
    leaves = task.leaves && task.k > kLeafRows;
    const bool sums_fit_c = !task.epilogue.accumulate && task.epilogue.update == nullptr;
    block = smaller(leaves || sums_fit_c ? kBlockDepth : task.k, task.k);
    // A panel is read once per row tile: packing pays from a handful of them on, and always where it has to be turned.
    pack_b = task.b.column_stride != 1 || (rows > 8 * kMaxTileRows && block * kPanelColumns<T> > 4096);
    pack_a = task.a.column_stride != 1 && block * columns > 4096 && columns > kPanelColumns<T>;
    levels = 0;
    if (leaves)
      while ((kBlockDepth << levels) < task.k) ++levels;
    int64_t at = (kBlockLevels + 1) * kTileSize;
    packed_b = at, at += pack_b ? block * kPanelColumns<T> : 0;
    packed_a = at, at += pack_a ? block * rows : 0;
    parked = at, at += levels * rows * columns;
    size = round_up(at, 64);
  }
};

// One call: the plan, the operands and the position in the loops.
template <class T>
class GemmCall {
 public:
  GemmCall(const GemmTask<T>& task, const TileRange& range, T* workspace)
      : task_(task), range_(range), plan_(task, range), workspace_(workspace) {}

  void run() {
    if (task_.k == 0) return finish_empty();
    for (k_begin_ = 0; k_begin_ < task_.k; k_begin_ += plan_.block) {
      k_end_ = smaller(k_begin_ + plan_.block, task_.k);
      if (plan_.pack_a) pack_rows();
      for (int64_t column = range_.column_begin; column < range_.column_end; column += kPanelColumns<T>)
        run_panel(column, smaller(kPanelColumns<T>, range_.column_end - column));
    }
  }

 private:
  struct Sums {
    T* data;
    int64_t stride;
  };

  bool last_block() const { return k_end_ == task_.k; }

  static int64_t tile_rows(int64_t vectors) { return TileShape::rows[vectors - 1]; }

  // Groups of the tallest tile; narrower panels with taller tiles read the same groups whole, since they are cut the
  // same way.
  int64_t packed_group() const { return TileShape::rows[kTileVectors<T> - 1]; }

  void pack_rows() {
    T* out = workspace_ + plan_.packed_a;
    for (int64_t row = 0; row < plan_.rows; row += packed_group()) {
      const int64_t rows = smaller(packed_group(), plan_.rows - row);
      pack_tile_rows(task_.a, range_.row_begin + row, rows, k_begin_, k_end_, out);
      out += rows * (k_end_ - k_begin_);
    }
  }

  void run_panel(int64_t column, int64_t count) {
    constexpr int64_t lanes = Vec<T>::lanes;
    const int64_t vectors = (count + lanes - 1) / lanes;
    tile_.columns = static_cast<int>(count - (vectors - 1) * lanes);
    const T* b = task_.b.data + k_begin_ * task_.b.row_stride + column * task_.b.column_stride;
    tile_.b_stride = task_.b.row_stride;
    if (plan_.pack_b) {
      T* packed = workspace_ + plan_.packed_b;
      if (task_.b.column_stride == 1)
        pack_panel_rows(task_.b, k_begin_, k_end_, column, count, packed);
      else
        pack_panel_columns(task_.b, k_begin_, k_end_, column, count, packed);
      b = packed;
      tile_.b_stride = vectors * lanes;
    }
    const bool masked = !plan_.pack_b && tile_.columns < lanes;
    const auto& functions = kTileFunctions<T>.functions[masked][vectors - 1];
    const int64_t step = plan_.pack_a ? packed_group() : tile_rows(vectors);
    for (int64_t row = 0; row < plan_.rows; row += step) {
      const int64_t rows = smaller(step, plan_.rows - row);
      set_a(row, rows);
      if (plan_.leaves)
        run_leaves(functions[rows - 1], b, row, rows, column, count);
      else
        run_chain(functions[rows - 1], b, row, rows, column, count);
    }
  }

  void set_a(int64_t row, int64_t rows) {
    if (plan_.pack_a) {
      a_ = workspace_ + plan_.packed_a + row * (k_end_ - k_begin_);
      tile_.a_row_stride = 1;
      tile_.a_k_stride = rows;
    } else {
      a_ = task_.a.data + (range_.row_begin + row) * task_.a.row_stride + k_begin_ * task_.a.column_stride;
      tile_.a_row_stride = task_.a.row_stride;
      tile_.a_k_stride = task_.a.column_stride;
    }
  }

  void run_chain(TileFunction<T> multiply, const T* b, int64_t row, int64_t rows, int64_t column, int64_t count) {
    const GemmEpilogue<T>& epilogue = task_.epilogue;
    const bool in_place = !epilogue.accumulate && epilogue.update == nullptr;
    T* c = c_at(row, column);
    const Sums sums = in_place ? Sums{c, task_.c_stride} : Sums{workspace_, kPanelColumns<T>};
    tile_.bias = in_place && last_block() && epilogue.bias != nullptr ? epilogue.bias + column : nullptr;
    tile_.resume = k_begin_ > 0;
    multiply_into(multiply, b, k_begin_, k_end_, sums);
    if (!last_block()) return;
    if (!in_place) store(sums, row, rows, column, count);
    activate(row, rows, column, count);
  }

  void run_leaves(TileFunction<T> multiply, const T* b, int64_t row, int64_t rows, int64_t column, int64_t count) {
    tile_.bias = nullptr;
    tile_.resume = false;
    for (int64_t k = k_begin_; k < k_end_; k += kLeafRows) {
      const int64_t leaf = k / kLeafRows;
      const bool last = k + kLeafRows >= task_.k;
      // The level is known before the sums are: they are made where they will be parked.
      const int level = climb(leaf, last, [](int) {});
      const Sums sums = last ? Sums{workspace_, kPanelColumns<T>} : parked(level, row, column);
      multiply_into(multiply, b, k, smaller(k + kLeafRows, k_end_), sums);
      climb(leaf, last, [&](int below) { add_sums(parked(below, row, column), sums, rows, count); });
      if (!last) continue;
      store(sums, row, rows, column, count);
      activate(row, rows, column, count);
    }
  }

  void multiply_into(TileFunction<T> multiply, const T* b, int64_t k, int64_t k_end, const Sums& sums) {
    tile_.k = k_end - k;
    tile_.a = a_ + (k - k_begin_) * tile_.a_k_stride;
    tile_.b = b + (k - k_begin_) * tile_.b_stride;
    tile_.out = sums.data;
    tile_.out_stride = sums.stride;
    multiply(tile_);
  }

  Sums parked(int level, int64_t row, int64_t column) const {
    if (level < kBlockLevels) return {workspace_ + (level + 1) * GemmPlan<T>::kTileSize, kPanelColumns<T>};
    T* matrix = workspace_ + plan_.parked + (level - kBlockLevels) * plan_.rows * plan_.columns;
    return {matrix + row * plan_.columns + (column - range_.column_begin), plan_.columns};
  }

  static void add_sums(const Sums& left, const Sums& right, int64_t rows, int64_t count) {
    for (int64_t i = 0; i < rows; ++i)
      add_spans(left.data + i * left.stride, right.data + i * right.stride, right.data + i * right.stride, count);
  }

  T* c_at(int64_t row, int64_t column) const { return task_.c + (range_.row_begin + row) * task_.c_stride + column; }

  void store(const Sums& sums, int64_t row, int64_t rows, int64_t column, int64_t count) {
    const GemmEpilogue<T>& epilogue = task_.epilogue;
    for (int64_t i = 0; i < rows; ++i) {
      T* c = c_at(row + i, column);
      T* sum = sums.data + i * sums.stride;
      if (epilogue.bias != nullptr) add_spans(sum, epilogue.bias + column, sum, count);
      if (epilogue.update != nullptr)
        sgd_span(c, sum, epilogue.velocity == nullptr ? nullptr : epilogue.velocity + (c - task_.c), count,
                 *epilogue.update);
      else if (epilogue.accumulate)
        add_spans(c, sum, c, count);
      else
        copy_span(sum, c, count);
    }
  }

  // The tile has just been written and is read again from the nearest cache, by the very function of a separate pass.
  void activate(int64_t row, int64_t rows, int64_t column, int64_t count) {
    const GemmEpilogue<T>& epilogue = task_.epilogue;
    if (epilogue.activation == nullptr) return;
    for (int64_t i = 0; i < rows; ++i) {
      const T* c = c_at(row + i, column);
      epilogue.activation->forward(c, epilogue.activated + (c - task_.c), count, epilogue.alpha, epilogue.beta);
    }
  }

  // An empty sum is zero, and still gets its bias, update and activation.
  void finish_empty() {
    for (int64_t column = range_.column_begin; column < range_.column_end; column += kPanelColumns<T>) {
      const int64_t count = smaller(kPanelColumns<T>, range_.column_end - column);
      for (int64_t row = 0; row < plan_.rows; ++row) {
        for (int64_t j = 0; j < count; ++j) workspace_[j] = T(0);
        store({workspace_, kPanelColumns<T>}, row, 1, column, count);
        activate(row, 1, column, count);
      }
    }
  }

  const GemmTask<T>& task_;
  const TileRange& range_;
  GemmPlan<T> plan_;
  T* workspace_;
  Tile<T> tile_{};
  const T* a_ = nullptr;
  int64_t k_begin_ = 0, k_end_ = 0;
};

template <class T>
void gemm(const GemmTask<T>& task, const TileRange& range, T* workspace) {
  GemmCall<T>(task, range, workspace).run();
}

template <class T>
int64_t gemm_workspace(const GemmTask<T>& task, const TileRange& range) {
  return GemmPlan<T>(task, range).size;
}
