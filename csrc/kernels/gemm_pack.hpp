// Packing rearranges an operand so that tiles read it sequentially. It costs one pass over the operand, which pays if
// many tiles read it or its stride is long.

// Steps of k packed at a time where successive k lie a row apart.
constexpr int64_t kPackedDepth = 8;

// Packs rows `depth` of B, at most a panel's columns, as rows of whole vectors, padded with zeros.
template <class T>
void pack_panel_rows(const MatrixView<T>& b, Block depth, Block columns, T* out) {
  using V = Vec<T>;
  const int64_t count = columns.size();
  for (int64_t k = depth.begin; k < depth.end; ++k) {
    const T* row = b.data + k * b.row_stride + columns.begin;
    // Rows are too far apart for the hardware prefetcher.
    for (int64_t j = 0; j < count; j += 64 / int64_t{sizeof(T)}) __builtin_prefetch(row + 8 * b.row_stride + j);
    int64_t j = 0;
    for (; j + V::lanes <= count; j += V::lanes, out += V::lanes) V::load(row + j).store(out);
    if (j < count) {
      V::load(row + j, static_cast<int>(count - j)).store(out);
      out += V::lanes;
    }
  }
}

template <class T>
[[gnu::noinline]] void pack_edge(const T* from, int64_t stride, int64_t columns, int depth, T* to, int64_t width) {
  using V = Vec<T>;
  alignas(64) T copy[V::lanes * V::lanes], transposed[V::lanes * V::lanes];
  for (int64_t i = 0; i < V::lanes; ++i)
    (i < columns ? load_lanes(from + i * stride, depth) : V(T(0))).store(copy + i * V::lanes);
  transpose(copy, V::lanes, transposed, V::lanes);
  for (int k = 0; k < depth; ++k) V::load(transposed + k * V::lanes).store(to + k * width);
}

// The same for a B whose columns are contiguous (row_stride 1): squares of lanes x lanes, transposed in registers. At
// the edges a square is transposed from a copy padded with zeros.
template <class T>
void pack_panel_columns(const MatrixView<T>& b, Block depth, Block columns, T* out) {
  using V = Vec<T>;
  const int64_t width = round_up(columns.size(), V::lanes);
  for (const Block column : Blocks{columns, V::lanes})
    for (const Block k : Blocks{depth, V::lanes}) {
      const T* from = b.data + column.begin * b.column_stride + k.begin;
      T* to = out + (k.begin - depth.begin) * width + (column.begin - columns.begin);
      if (column.size() == V::lanes && k.size() == V::lanes)
        transpose(from, b.column_stride, to, width);
      else
        pack_edge(from, b.column_stride, column.size(), static_cast<int>(k.size()), to, width);
    }
}

template <class T>
void pack_panel(const MatrixView<T>& b, Block depth, Block columns, T* out) {
  if (b.column_stride == 1)
    pack_panel_rows(b, depth, columns, out);
  else
    pack_panel_columns(b, depth, columns, out);
}

// Packs columns `k` of A, at most one vector's rows, as a k-major group, out[k * rows + i]; A's columns are contiguous
// (row_stride 1). Each column is stored as a whole vector, whose spare lanes the next one overwrites, while the group
// has room: `depth` columns from k.begin.
template <class T>
void pack_tile_columns(const MatrixView<T>& a, Block rows, Block k, int64_t depth, T* out) {
  using V = Vec<T>;
  const T* from = a.data + rows.begin + k.begin * a.column_stride;
  const int64_t step = rows.size();
  const auto count = static_cast<int>(step);
  int64_t room = depth * step;
  for (int64_t left = k.size(); left > 0; --left, from += a.column_stride, out += step, room -= step)
    store_lanes(V::load(from, count), out, room >= V::lanes ? V::lanes : count);
}
