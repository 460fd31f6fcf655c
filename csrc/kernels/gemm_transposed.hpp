// The matrix product of a few rows with a B whose columns are contiguous (a weight in PyTorch's layout): squares of B
// are transposed in registers and used at once. Packing whole panels, as gemm.hpp does, would not pay: no second tile
// of rows reads them.
//
// Cost: one read of B, and shuffles that take about as long as the product of two rows. The sums are the chains of
// gemm.hpp. At an edge the last square is moved back into B: overlapping columns are computed twice, with equal
// results, and overlapping k are skipped.

constexpr int64_t kTransposedRows = 4;

template <class T, int Rows>
void multiply_transposed_columns(const GemmTask<T>& task, int64_t row, int64_t column) {
  using V = Vec<T>;
  constexpr int lanes = V::lanes;
  const int64_t stride = task.b.column_stride, a_stride = task.a.row_stride;
  const T *const a = task.a.data + row * a_stride, *const b = task.b.data + column * stride;
  V sum[Rows];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) sum[i] = V(T(0));
  const auto add = [&](int64_t k, const T* row_of_b) {
    const V values = V::load(row_of_b);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) sum[i] = fma(V::broadcast(a + i * a_stride + k), values, sum[i]);
  };
  int64_t k = 0;
  for (; k + lanes <= task.k; k += lanes) {
    alignas(64) T square[lanes * lanes];
    transpose(b + k, stride, square, lanes);
#pragma GCC unroll 16
    for (int l = 0; l < lanes; ++l) add(k + l, square + l * lanes);
  }
  if (k < task.k) {
    alignas(64) T square[lanes * lanes];
    const int64_t begin = task.k - lanes;
    transpose(b + begin, stride, square, lanes);
    for (; k < task.k; ++k) add(k, square + (k - begin) * lanes);
  }
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) {
    if (task.epilogue.bias != nullptr) sum[i] = sum[i] + V::load(task.epilogue.bias + column);
    sum[i].store(task.c + (row + i) * task.c_stride + column);
  }
}

template <class T, int Rows>
void multiply_transposed(const GemmTask<T>& task, const TileRange& range) {
  for (int64_t column = range.column_begin; column < range.column_end; column += Vec<T>::lanes)
    multiply_transposed_columns<T, Rows>(task, range.row_begin, smaller(column, range.column_end - Vec<T>::lanes));
}

// The kernel for this many rows, or null if there is none or packing is faster.
template <class T>
GemmFunction<T> transposed_function(const GemmTask<T>& task, const TileRange& range) {
  constexpr GemmFunction<T> functions[] = {multiply_transposed<T, 1>, multiply_transposed<T, 2>,
                                           multiply_transposed<T, 3>, multiply_transposed<T, 4>};
  static_assert(sizeof(functions) / sizeof(functions[0]) == kTransposedRows);
  constexpr int lanes = Vec<T>::lanes;
  const int64_t rows = range.row_end - range.row_begin;
  const bool squares = range.column_end - range.column_begin >= lanes && task.k >= lanes;
  const bool plain = !task.leaves && task.epilogue.update == nullptr;
  return task.a.column_stride == 1 && task.b.row_stride == 1 && rows <= kTransposedRows && squares && plain
             ? functions[rows - 1]
             : nullptr;
}
