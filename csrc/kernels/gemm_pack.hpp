// Packing: the operand rearranged so that a tile reads it front to back. Costs one pass over the operand, which pays
// once it is read by many tiles or would be read with a long stride.

// B's rows k_begin..k_end, columns column..column+count (at most a panel), as rows of whole vectors, missing lanes
// zero.
template <class T>
void pack_panel_rows(const MatrixView<T>& b, int64_t k_begin, int64_t k_end, int64_t column, int64_t count, T* out) {
  using V = Vec<T>;
  for (int64_t k = k_begin; k < k_end; ++k) {
    const T* row = b.data + k * b.row_stride + column;
    // Rows stand too far apart for the processor to guess the next.
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
void pack_edge(const T* from, int64_t stride, int64_t columns, int depth, T* to, int64_t width) {
  using V = Vec<T>;
  alignas(64) T copy[V::lanes * V::lanes], turned[V::lanes * V::lanes];
  for (int64_t i = 0; i < V::lanes; ++i)
    (i < columns ? load_lanes(from + i * stride, depth) : V(T(0))).store(copy + i * V::lanes);
  transpose(copy, V::lanes, turned, V::lanes);
  for (int k = 0; k < depth; ++k) V::load(turned + k * V::lanes).store(to + k * width);
}

// The same for a B whose columns are contiguous (row_stride 1): squares of lanes x lanes, turned in registers. At the
// edges a square goes through a copy, its missing columns zero.
template <class T>
void pack_panel_columns(const MatrixView<T>& b, int64_t k_begin, int64_t k_end, int64_t column, int64_t count, T* out) {
  using V = Vec<T>;
  const int64_t width = round_up(count, V::lanes);
  for (int64_t j = 0; j < count; j += V::lanes) {
    const int64_t columns = smaller(V::lanes, count - j);
    for (int64_t k = k_begin; k < k_end; k += V::lanes) {
      const auto depth = static_cast<int>(smaller(V::lanes, k_end - k));
      const T* from = b.data + (column + j) * b.column_stride + k;
      T* to = out + (k - k_begin) * width + j;
      if (columns == V::lanes && depth == V::lanes)
        transpose(from, b.column_stride, to, width);
      else
        pack_edge(from, b.column_stride, columns, depth, to, width);
    }
  }
}

template <class T>
void pack_panel(const MatrixView<T>& b, int64_t k_begin, int64_t k_end, int64_t column, int64_t count, T* out) {
  if (b.column_stride == 1)
    pack_panel_rows(b, k_begin, k_end, column, count, out);
  else
    pack_panel_columns(b, k_begin, k_end, column, count, out);
}

// Columns k_begin ... k_end of `rows` rows of A from `row`, at most a vector's lanes, as a k-major group:
// out[k * rows + i]. For an A whose rows are contiguous over i (row_stride 1). Whole vectors are stored, each over the
// spare lanes of the one before, as long as the group has room: `depth` columns from k_begin on.
template <class T>
void pack_tile_columns(const MatrixView<T>& a, int64_t row, int64_t rows, int64_t k_begin, int64_t k_end, int64_t depth,
                       T* out) {
  using V = Vec<T>;
  const T* from = a.data + row + k_begin * a.column_stride;
  const auto count = static_cast<int>(rows);
  int64_t room = depth * rows;
  for (int64_t k = k_begin; k < k_end; ++k, from += a.column_stride, out += rows, room -= rows)
    store_lanes(V::load(from, count), out, room >= V::lanes ? V::lanes : count);
}
