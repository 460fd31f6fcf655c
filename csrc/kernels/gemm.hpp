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

// Rows of A in a block, which is read from the level-2 cache once per panel: a multiple of every tile's rows.
constexpr int64_t kBlockRows = 192;
// Columns of B that are packed at a time.
constexpr int64_t kBlockColumns = 1024;

// The block structure of one call and where its parts stand in the workspace, all in elements.
template <class T>
struct GemmPlan {
  static constexpr int64_t kTileSize = kMaxTileRows * kWidestPanel<T>;

  int64_t rows, columns;
  int64_t panel, group;  // columns of one, and of those that are packed together
  bool leaves, pack_a, turn_a, pack_b;
  int64_t block_depth, block_rows, block_columns;
  int64_t
      packed_row;  // from one row of A to the next, where they are not turned: no two rows meet in one set of a cache
  int64_t levels;  // of the tree above a block
  int64_t packed_b, packed_a, parked, size;

  GemmPlan(const GemmTask<T>& task, const TileRange& range)
      : rows(range.row_end - range.row_begin), columns(range.column_end - range.column_begin) {
    int vectors = TileShape::panel_vectors;
    while (vectors < kTileVectors<T> && rows <= largest_tile_rows<T>(vectors + 1)) ++vectors;
    panel = vectors * int64_t{Vec<T>::lanes};
    group = smaller(kWidestPanel<T>, round_up(columns, panel));
    leaves = task.leaves && task.k > kLeafRows;
    block_depth = smaller(leaves || task.epilogue.update == nullptr ? kBlockDepth : task.k, task.k);
    // A panel is read once per row tile: packing pays from a handful of them on, and always where it has to be turned.
    pack_b = task.b.column_stride != 1 || (rows > 8 * kMaxTileRows && block_depth * group > 4096);
    turn_a = task.a.column_stride != 1;
    pack_a = turn_a ? block_depth * columns > 4096 && columns > panel : rows > kBlockRows && columns > 4 * panel;
    packed_row = block_depth + Vec<T>::lanes;
    block_rows = smaller(pack_a ? kBlockRows : rows, rows);
    block_columns = smaller(round_up(columns, group), kBlockColumns);
    levels = 0;
    if (leaves)
      while ((kBlockDepth << levels) < task.k) ++levels;
    int64_t at = (kBlockLevels + 1) * kTileSize;
    packed_b = at, at += pack_b ? block_depth * (rows > block_rows ? block_columns : group) : 0;
    packed_a = at, at += pack_a ? packed_row * block_rows : 0;
    parked = at, at += levels * rows * columns;
    size = round_up(at, 64);
  }

  // Where a panel of B is packed: each group over the one before, unless they are read again by the next rows of A.
  int64_t panel_slot(int64_t column) const {
    return packed_b + column % (rows > block_rows ? block_columns : group) * block_depth;
  }
};

// One call: the plan, the operands and the position in the loops.
template <class T>
class GemmCall {
 public:
  GemmCall(const GemmTask<T>& task, const TileRange& range, T* workspace, RowsAhead* ahead)
      : task_(task), range_(range), plan_(task, range), workspace_(workspace), rows_ahead_(ahead) {}

  // An empty sum is zero, and still gets its bias or update: one pass with no k.
  void run() {
    do {
      k_end_ = smaller(k_begin_ + plan_.block_depth, task_.k);
      for (int64_t column = 0; column < plan_.columns; column += plan_.block_columns)
        run_columns(column, smaller(column + plan_.block_columns, plan_.columns));
      k_begin_ = k_end_;
    } while (k_begin_ < task_.k);
  }

 private:
  bool last_block() const { return k_end_ == task_.k; }

  static int64_t tile_rows(int64_t vectors) { return largest_tile_rows<T>(vectors); }

  // Groups of the tallest tile; narrower panels with taller tiles read the same groups whole, since they are cut the
  // same way.
  int64_t packed_group() const { return tile_rows(plan_.panel / Vec<T>::lanes); }

  // Columns and rows below count from the range's first.
  void run_columns(int64_t begin, int64_t end) {
    for (row_begin_ = 0; row_begin_ < plan_.rows; row_begin_ = row_end_) {
      row_end_ = smaller(row_begin_ + plan_.block_rows, plan_.rows);
      if (plan_.pack_a) pack_rows();
      for (int64_t group = begin; group < end; group += plan_.group) {
        const int64_t group_end = smaller(group + plan_.group, end);
        if (plan_.pack_b && row_begin_ == 0) pack_group(group, group_end);
        b_ahead_ = next_group(group_end);
        for (int64_t column = group; column < group_end; column += plan_.panel)
          run_panel(column, smaller(plan_.panel, group_end - column));
      }
    }
  }

  // Panels narrower than a group are packed side by side, a few k at a time: rows of B stand far apart, each on a page
  // of its own, and are read once for all.
  void pack_group(int64_t begin, int64_t end) {
    const int64_t chunk = task_.b.column_stride == 1 ? 8 : k_end_ - k_begin_;
    for (int64_t k = k_begin_; k < k_end_; k += chunk)
      for (int64_t column = begin; column < end; column += plan_.panel) {
        const int64_t count = smaller(plan_.panel, end - column);
        T* packed = workspace_ + plan_.panel_slot(column) + (k - k_begin_) * round_up(count, Vec<T>::lanes);
        pack_panel(task_.b, k, smaller(k + chunk, k_end_), range_.column_begin + column, count, packed);
      }
  }

  void pack_rows() {
    T* packed = workspace_ + plan_.packed_a;
    const int64_t depth = k_end_ - k_begin_;
    if (!plan_.turn_a)
      for (int64_t row = row_begin_; row < row_end_; ++row)
        copy_span(a_at(row), packed + (row - row_begin_) * plan_.packed_row, depth);
    // A few k at a time over all groups: k stand far apart in A, and their lines are read while they are near.
    else
      for (int64_t k = 0; k < depth; k += 8)
        for (int64_t row = row_begin_; row < row_end_; row += packed_group()) {
          const int64_t rows = smaller(packed_group(), row_end_ - row);
          pack_tile_columns(task_.a, range_.row_begin + row, rows, k_begin_ + k, k_begin_ + smaller(k + 8, depth),
                            depth - k, packed + (row - row_begin_) * depth + k * rows);
        }
  }

  void run_panel(int64_t at, int64_t count) {
    constexpr int64_t lanes = Vec<T>::lanes;
    const int64_t column = range_.column_begin + at;
    const int64_t vectors = (count + lanes - 1) / lanes;
    tile_.columns = static_cast<int>(count - (vectors - 1) * lanes);
    const T* b = task_.b.data + k_begin_ * task_.b.row_stride + column * task_.b.column_stride;
    tile_.b_stride = task_.b.row_stride;
    if (plan_.pack_b) {
      b = workspace_ + plan_.panel_slot(at);
      tile_.b_stride = vectors * lanes;
    }
    c_ahead_ = next_c(at);
    const bool masked = !plan_.pack_b && tile_.columns < lanes;
    const auto& functions = kTileFunctions<T>.functions[masked][vectors - 1];
    const int64_t step = plan_.pack_a && plan_.turn_a ? packed_group() : tile_rows(vectors);
    for (int64_t row = row_begin_; row < row_end_; row += step) {
      const int64_t rows = smaller(step, row_end_ - row);
      set_a(row, rows);
      if (plan_.leaves)
        run_leaves(functions[rows - 1], b, row, rows, column, count);
      else
        run_chain(functions[rows - 1], b, row, rows, column, count);
    }
  }

  // The group of B from `next` on, where it has not been packed yet.
  BlockAhead next_group(int64_t next) const {
    const int64_t columns = smaller(plan_.group, plan_.columns - next);
    if (columns <= 0 || row_begin_ > 0) return {};
    const MatrixView<T>& b = task_.b;
    const T* data = b.data + k_begin_ * b.row_stride + (range_.column_begin + next) * b.column_stride;
    const auto lines = [](int64_t elements) { return elements * int64_t{sizeof(T)} / kCacheLine + 1; };
    const auto* bytes = reinterpret_cast<const char*>(data);
    if (b.column_stride == 1) return {bytes, b.row_stride * int64_t{sizeof(T)}, k_end_ - k_begin_, lines(columns)};
    return {bytes, kCacheLine, lines(columns * b.column_stride), 1};
  }

  // The part of C that the next panel updates.
  BlockAhead next_c(int64_t at) const {
    const int64_t next = at + plan_.panel, columns = smaller(plan_.panel, plan_.columns - next);
    if (columns <= 0 || (task_.epilogue.update == nullptr && k_begin_ == 0)) return {};
    return {reinterpret_cast<const char*>(c_at(row_begin_, range_.column_begin + next)),
            task_.c_stride * int64_t{sizeof(T)}, row_end_ - row_begin_, columns * int64_t{sizeof(T)} / kCacheLine + 1};
  }

  LineStream take_ahead() {
    if (!b_ahead_.done()) return b_ahead_.take(tile_.k);
    if (!c_ahead_.done()) return c_ahead_.take(tile_.k);
    if (rows_ahead_ != nullptr && rows_ahead_->at < rows_ahead_->end) return take_lines(*rows_ahead_, tile_.k);
    return {reinterpret_cast<const char*>(tile_.a), 0};
  }

  const T* a_at(int64_t row) const {
    return task_.a.data + (range_.row_begin + row) * task_.a.row_stride + k_begin_ * task_.a.column_stride;
  }

  void set_a(int64_t row, int64_t rows) {
    const T* packed = workspace_ + plan_.packed_a;
    a_ = a_at(row), tile_.a_row_stride = task_.a.row_stride, tile_.a_k_stride = task_.a.column_stride;
    if (!plan_.pack_a) return;
    if (plan_.turn_a)
      a_ = packed + (row - row_begin_) * (k_end_ - k_begin_), tile_.a_row_stride = 1, tile_.a_k_stride = rows;
    else
      a_ = packed + (row - row_begin_) * plan_.packed_row, tile_.a_row_stride = plan_.packed_row;
  }

  void run_chain(TileFunction<T> multiply, const T* b, int64_t row, int64_t rows, int64_t column, int64_t count) {
    tile_.resume = k_begin_ > 0;
    tile_.parked_count = 0;
    if (last_block())
      finish(multiply, b, k_begin_, row, rows, column, count);
    else
      multiply_into(multiply, b, k_begin_, k_end_, {c_at(row, column), task_.c_stride});
  }

  void run_leaves(TileFunction<T> multiply, const T* b, int64_t row, int64_t rows, int64_t column, int64_t count) {
    tile_.resume = false;
    for (int64_t k = k_begin_; k < k_end_; k += kLeafRows) {
      const bool last = k + kLeafRows >= task_.k;
      tile_.parked_count = 0;
      const int level = climb(k / kLeafRows, last,
                              [&](int below) { tile_.parked[tile_.parked_count++] = parked(below, row, column); });
      if (last)
        finish(multiply, b, k, row, rows, column, count);
      else
        multiply_into(multiply, b, k, k + kLeafRows, parked(level, row, column));
    }
  }

  void multiply_into(TileFunction<T> multiply, const T* b, int64_t k, int64_t k_end, const Sums<T>& out) {
    tile_.k = k_end - k;
    tile_.a = a_ + (k - k_begin_) * tile_.a_k_stride;
    tile_.b = b + (k - k_begin_) * tile_.b_stride;
    tile_.out = out;
    tile_.ahead = take_ahead();
    multiply(tile_);
  }

  // The last rows of k: the sums become C, by whatever the epilogue says.
  void finish(TileFunction<T> multiply, const T* b, int64_t k, int64_t row, int64_t rows, int64_t column,
              int64_t count) {
    const GemmEpilogue<T>& epilogue = task_.epilogue;
    const Sums<T> c{c_at(row, column), task_.c_stride}, apart{workspace_, plan_.panel};
    // A plain update is done before the sums leave their registers.
    const bool in_tile = epilogue.update == nullptr || epilogue.update->is_plain;
    tile_.bias = epilogue.bias == nullptr ? nullptr : epilogue.bias + column;
    tile_.learning_rate = epilogue.update != nullptr && in_tile ? &epilogue.update->plain_rate : nullptr;
    multiply_into(multiply, b, k, k_end_, in_tile ? c : apart);
    tile_.bias = tile_.learning_rate = nullptr;
    if (!in_tile) update(apart, row, rows, column, count);
  }

  Sums<T> parked(int level, int64_t row, int64_t column) const {
    if (level < kBlockLevels) return {workspace_ + (level + 1) * GemmPlan<T>::kTileSize, plan_.panel};
    T* matrix = workspace_ + plan_.parked + (level - kBlockLevels) * plan_.rows * plan_.columns;
    return {matrix + row * plan_.columns + (column - range_.column_begin), plan_.columns};
  }

  T* c_at(int64_t row, int64_t column) const { return task_.c + (range_.row_begin + row) * task_.c_stride + column; }

  void update(const Sums<T>& sums, int64_t row, int64_t rows, int64_t column, int64_t count) {
    const Update<T>& update = *task_.epilogue.update;
    for (int64_t i = 0; i < rows; ++i) {
      T* c = c_at(row + i, column);
      update.apply(c, sums.data + i * sums.stride, update, c - task_.c, count);
    }
  }

  const GemmTask<T>& task_;
  const TileRange& range_;
  GemmPlan<T> plan_;
  T* workspace_;
  RowsAhead* rows_ahead_;
  BlockAhead b_ahead_, c_ahead_;
  Tile<T> tile_;
  const T* a_ = nullptr;
  int64_t k_begin_ = 0, k_end_ = 0, row_begin_ = 0, row_end_ = 0;
};

// The kernel for shapes that a row of tiles would serve badly, null for all others.
template <class T>
GemmFunction<T> special_function(const GemmTask<T>& task, const TileRange& range) {
  return is_thin(task) ? multiply_thin<T> : turned_function(task, range);
}

template <class T>
void gemm(const GemmTask<T>& task, const TileRange& range, T* workspace, RowsAhead* ahead) {
  if (const GemmFunction<T> special = special_function(task, range))
    special(task, range);
  else
    GemmCall<T>(task, range, workspace, ahead).run();
}

template <class T>
int64_t gemm_workspace(const GemmTask<T>& task, const TileRange& range) {
  return special_function(task, range) != nullptr ? 0 : GemmPlan<T>(task, range).size;
}
