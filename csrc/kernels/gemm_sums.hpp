// Computes C one tile at a time. The micro-kernel runs once per leaf, or once per block of k where the sum is one
// chain; partial sums are stored in between, which is exact, and the epilogue follows the last k.
template <class T>
class TileSums {
 public:
  TileSums(const GemmTask<T>& task, const TileRange& range, const GemmPlan<T>& plan, T* workspace,
           PrefetchQueue& prefetch)
      : task_(task),
        plan_(plan),
        c_(task.c + range.row_begin * task.c_stride + range.column_begin),
        first_column_(range.column_begin),
        workspace_(workspace),
        prefetch_(prefetch) {
    const Update<T>* update = task.epilogue.update;
    if (update == nullptr) return;
    if (update->is_plain)
      learning_rate_ = &update->plain_rate;  // applied before the sums leave their registers
    else
      update_ = update;
  }

  // Selects the panel of B that tiles read; returns the rows of a tile. Rows and columns count from the start of the
  // range.
  int64_t begin_panel(Block columns, Block k, const MatrixView<T>& b) {
    const int64_t vectors = round_up(columns.size(), Vec<T>::lanes) / Vec<T>::lanes;
    columns_ = columns, k_ = k, b_ = b.data;
    if (task_.epilogue.bias != nullptr) bias_ = task_.epilogue.bias + first_column_ + columns.begin;
    tile_.accumulate = !plan_.leaves && k.begin > 0;
    tile_.b_stride = b.row_stride;
    tile_.columns = static_cast<int>(columns.size() - (vectors - 1) * Vec<T>::lanes);
    const bool masked = !plan_.pack_b && tile_.columns < Vec<T>::lanes;
    functions_ = kTileFunctions<T>.functions[masked][vectors - 1];
    return plan_.tile_rows(vectors);
  }

  // One tile; `a` begins at the panel's first k.
  void add(Block rows, const MatrixView<T>& a) {
    tile_.a_row_stride = a.row_stride, tile_.a_k_stride = a.column_stride;
    const Sums<T> c{c_at(rows.begin, columns_.begin), task_.c_stride};
    if (!plan_.leaves) return multiply(rows, a.data, b_, k_, c);
    for (const Block k : Blocks{k_, kLeafRows}) {
      const int64_t offset = k.begin - k_.begin;
      tile_.partial_count = 0;
      const int level = climb(k.begin / kLeafRows, k.end == task_.k,
                              [&](int below) { tile_.partial[tile_.partial_count++] = partial_sums(below, rows); });
      multiply(rows, a.data + offset * a.column_stride, b_ + offset * tile_.b_stride, k,
               k.end == task_.k ? c : partial_sums(level, rows));
    }
  }

  // The part of C in these rows and in the panel that starts at column `next`, to be prefetched; empty if C is only
  // written.
  BlockPrefetch panel(Block rows, int64_t next, Block k) const {
    const int64_t columns = smaller(plan_.panel, plan_.columns - next);
    if (columns <= 0 || (task_.epilogue.update == nullptr && k.begin == 0)) return {};
    return {reinterpret_cast<const char*>(c_at(rows.begin, next)), task_.c_stride * int64_t{sizeof(T)}, rows.size(),
            columns * int64_t{sizeof(T)} / kCacheLine + 1};
  }

 private:
  // Runs the micro-kernel, after the last k with the epilogue.
  void multiply(Block rows, const T* a, const T* b, Block k, const Sums<T>& out) {
    const bool last = k.end == task_.k, separate = last && update_ != nullptr;
    tile_.k = k.size(), tile_.a = a, tile_.b = b;
    tile_.out = separate ? gradient() : out;
    tile_.bias = last ? bias_ : nullptr;
    tile_.learning_rate = last ? learning_rate_ : nullptr;
    tile_.prefetch = prefetch_.take(tile_.k, a);
    functions_[rows.size() - 1](tile_);
    if (separate) update(rows);
  }

  void update(Block rows) {
    const Sums<T> from = gradient();
    for (int64_t i = 0; i < rows.size(); ++i) {
      T* c = c_at(rows.begin + i, columns_.begin);
      update_->apply(c, from.data + i * from.stride, *update_, c - task_.c, columns_.size());
    }
  }

  Sums<T> gradient() const { return {workspace_, plan_.panel}; }

  Sums<T> partial_sums(int level, Block rows) const {
    T* data = workspace_ + plan_.partial_slot(level);
    if (level < kBlockLevels) return {data, plan_.panel};
    return {data + rows.begin * plan_.columns + columns_.begin, plan_.columns};
  }

  T* c_at(int64_t row, int64_t column) const { return c_ + row * task_.c_stride + column; }

  const GemmTask<T>& task_;
  const GemmPlan<T>& plan_;
  T* c_;
  int64_t first_column_;
  const T* bias_ = nullptr;            // of the panel
  const T* learning_rate_ = nullptr;   // of a plain update
  const Update<T>* update_ = nullptr;  // any other
  T* workspace_;
  PrefetchQueue& prefetch_;
  const TileFunction<T>* functions_ = nullptr;
  Block columns_{0, 0}, k_{0, 0};
  const T* b_ = nullptr;
  Tile<T> tile_;
};
