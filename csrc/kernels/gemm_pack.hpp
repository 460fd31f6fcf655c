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

// The same for a B whose columns are contiguous (row_stride 1): blocks of lanes x lanes, turned in registers.
template <class T>
void pack_panel_columns(const MatrixView<T>& b, int64_t k_begin, int64_t k_end, int64_t column, int64_t count, T* out) {
  using V = Vec<T>;
  const int64_t width = (count + V::lanes - 1) / V::lanes * V::lanes;
  for (int64_t j = 0; j < count; j += V::lanes) {
    const int64_t columns = count - j < V::lanes ? count - j : V::lanes;
    for (int64_t k = k_begin; k < k_end; k += V::lanes) {
      const int64_t depth = k_end - k < V::lanes ? k_end - k : V::lanes;
      V block[V::lanes];
      for (int64_t i = 0; i < V::lanes; ++i) {
        const T* from = b.data + (column + j + i) * b.column_stride + k;
        block[i] = i >= columns ? V(T(0)) : depth == V::lanes ? V::load(from) : V::load(from, static_cast<int>(depth));
      }
      transpose(block);
      for (int64_t i = 0; i < depth; ++i) block[i].store(out + (k - k_begin + i) * width + j);
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
