// A and B as the tiles read them: in place, or packed into the workspace a block at a time. Rows and columns count from
// the start of the range.

// A stays in place, or a block of its rows is copied, or transposed into k-major groups of a tile's rows.
template <class T>
class OperandA {
 public:
  OperandA(const GemmTask<T>& task, const TileRange& range, const GemmPlan<T>& plan, T* workspace)
      : plan_(plan),
        view_{task.a.data + range.row_begin * task.a.row_stride, task.a.row_stride, task.a.column_stride},
        packed_(workspace + plan.packed_a) {}

  // Selects the block that tiles read.
  void pack(Block rows, Block k) {
    rows_ = rows, k_ = k;
    block_ = {view_.data + rows.begin * view_.row_stride + k.begin * view_.column_stride, view_.row_stride,
              view_.column_stride};
    if (!plan_.pack_a) return;
    if (plan_.transpose_a)
      transpose_rows();
    else
      copy_rows();
  }

  // One tile's rows, starting at the block's first k.
  MatrixView<T> tile(Block rows) const {
    const T* data = block_.data + (rows.begin - rows_.begin) * block_.row_stride;
    if (plan_.pack_a && plan_.transpose_a) return {data, 1, rows.size()};
    return {data, block_.row_stride, block_.column_stride};
  }

 private:
  void copy_rows() {
    for (int64_t row = 0; row < rows_.size(); ++row)
      copy_span(block_.data + row * block_.row_stride, packed_ + row * plan_.packed_row, k_.size());
    block_ = {packed_, plan_.packed_row, 1};
  }

  // A few k at a time for all groups: in A, successive k lie a row apart, on cache lines that neighbouring groups
  // share.
  void transpose_rows() {
    for (const Block k : Blocks{k_, kPackedDepth})
      for (const Block group : Blocks{rows_, plan_.packed_rows()}) {
        const int64_t k_offset = k.begin - k_.begin;
        pack_tile_columns(view_, group, k, k_.size() - k_offset,
                          packed_ + (group.begin - rows_.begin) * k_.size() + k_offset * group.size());
      }
    block_ = {packed_, k_.size(), 1};
  }

  const GemmPlan<T>& plan_;
  MatrixView<T> view_;
  T* packed_;
  Block rows_{0, 0}, k_{0, 0};
  MatrixView<T> block_{};  // in place or packed
};

// B stays in place, or its panels are packed, one group at a time.
template <class T>
class OperandB {
 public:
  OperandB(const GemmTask<T>& task, const TileRange& range, const GemmPlan<T>& plan, T* workspace)
      : plan_(plan),
        view_{task.b.data + range.column_begin * task.b.column_stride, task.b.row_stride, task.b.column_stride},
        workspace_(workspace) {}

  // The panels of a group are packed together, a few k at a time: rows of B lie far apart, each on its own page, and
  // are read once for all panels.
  void pack(Block group, Block all) {
    if (!plan_.pack_b) return;
    for (const Block k : Blocks{all, view_.column_stride == 1 ? kPackedDepth : all.size()})
      for (const Block panel : Blocks{group, plan_.panel})
        pack_panel(view_, k, panel, slot(panel.begin) + (k.begin - all.begin) * round_up(panel.size(), Vec<T>::lanes));
  }

  // One panel, starting at the block's first k.
  MatrixView<T> panel(Block columns, Block k) const {
    if (plan_.pack_b) return {slot(columns.begin), round_up(columns.size(), Vec<T>::lanes), 1};
    return {in_place(columns.begin, k), view_.row_stride, 1};
  }

  // The group that starts at column `next`, to be prefetched.
  BlockPrefetch group(int64_t next, Block k) const {
    const int64_t columns = smaller(plan_.group, plan_.columns - next);
    if (columns <= 0) return {};
    const auto lines = [](int64_t elements) { return elements * int64_t{sizeof(T)} / kCacheLine + 1; };
    const auto* bytes = reinterpret_cast<const char*>(in_place(next, k));
    if (view_.column_stride == 1) return {bytes, view_.row_stride * int64_t{sizeof(T)}, k.size(), lines(columns)};
    return {bytes, kCacheLine, lines(columns * view_.column_stride), 1};
  }

 private:
  const T* in_place(int64_t column, Block k) const {
    return view_.data + k.begin * view_.row_stride + column * view_.column_stride;
  }
  T* slot(int64_t column) const { return workspace_ + plan_.panel_slot(column); }

  const GemmPlan<T>& plan_;
  MatrixView<T> view_;
  T* workspace_;
};
