// The matrix product for at most kThinDepth k: tiny batches (with one row, a weight gradient is an outer product) and
// layers with few inputs. A register tile would finish its sums right after starting them, so C is computed a few rows
// at a time instead.
//
// Cost: a read (for an update) and a write of C; B stays in the level-1 cache. The sums are the chains of gemm.hpp.

template <class T>
using GemmFunction = void (*)(const GemmTask<T>& task, const TileRange& range);

constexpr int64_t kThinDepth = 4;
// Rows loaded before any is stored: a load right after the masked store of another row's end stalls.
constexpr int64_t kThinRows = 4;

// Stores value(sum, offset in C, column, lanes) to `to`, whose rows are `to_stride` apart.
template <class T, int Rows, class Value>
[[gnu::always_inline]] inline void multiply_thin_rows(const GemmTask<T>& task, int64_t row, const TileRange& range,
                                                      T* to, int64_t to_stride, const Value& value) {
  using V = Vec<T>;
  const T* const a = task.a.data + row * task.a.row_stride;
  const T* const b = task.b.data + range.column_begin;
  const int64_t c = row * task.c_stride + range.column_begin, depth = task.k;
  V first[Rows];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) first[i] = V::broadcast(a + i * task.a.row_stride);
  for_vectors<T>(range.column_end - range.column_begin, [&](int64_t j, int count) {
    V sum[Rows], from = load_lanes(b + j, count);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) sum[i] = fma(first[i], from, V(T(0)));
    for (int64_t k = 1; k < depth; ++k) {
      from = load_lanes(b + k * task.b.row_stride + j, count);
#pragma GCC unroll 4
      for (int i = 0; i < Rows; ++i)
        sum[i] = fma(V::broadcast(a + i * task.a.row_stride + k * task.a.column_stride), from, sum[i]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) sum[i] = value(sum[i], c + i * task.c_stride + j, range.column_begin + j, count);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) store_lanes(sum[i], to + i * to_stride + j, count);
  });
}

template <class T, class Value>
void for_thin_rows(const GemmTask<T>& task, const TileRange& range, const Value& value) {
  const auto c_at = [&](int64_t row) { return task.c + row * task.c_stride + range.column_begin; };
  int64_t row = range.row_begin;
  for (; row + kThinRows <= range.row_end; row += kThinRows)
    multiply_thin_rows<T, kThinRows>(task, row, range, c_at(row), task.c_stride, value);
  for (; row < range.row_end; ++row) multiply_thin_rows<T, 1>(task, row, range, c_at(row), task.c_stride, value);
}

// Any update but the plain one: the gradient of a stretch of a row is computed into the level-1 cache, then applied.
template <class T>
void update_thin_rows(const GemmTask<T>& task, const TileRange& range) {
  constexpr int64_t stretch = 512;
  alignas(64) T gradient[stretch];
  const Update<T>& update = *task.epilogue.update;
  for (int64_t row = range.row_begin; row < range.row_end; ++row)
    for (int64_t column = range.column_begin; column < range.column_end; column += stretch) {
      const TileRange part{row, row + 1, column, smaller(column + stretch, range.column_end)};
      multiply_thin_rows<T, 1>(task, row, part, gradient, 0, [](Vec<T> sum, int64_t, int64_t, int) { return sum; });
      const int64_t at = row * task.c_stride + column;
      update.apply(task.c + at, gradient, update, at, part.column_end - column);
    }
}

template <class T>
void multiply_thin(const GemmTask<T>& task, const TileRange& range) {
  using V = Vec<T>;
  const GemmEpilogue<T>& epilogue = task.epilogue;
  if (epilogue.update != nullptr && epilogue.update->is_plain) {
    const V rate(epilogue.update->plain_rate);
    for_thin_rows(task, range, [&](V sum, int64_t at, int64_t, int count) {
      return fnma(rate, sum, load_lanes(task.c + at, count));
    });
  } else if (epilogue.update != nullptr) {
    update_thin_rows(task, range);
  } else {
    for_thin_rows(task, range, [&](V sum, int64_t, int64_t column, int count) {
      return epilogue.bias == nullptr ? sum : sum + load_lanes(epilogue.bias + column, count);
    });
  }
}

// Whether this kernel computes the product; it reads B in place.
template <class T>
bool is_thin(const GemmTask<T>& task) {
  return task.b.column_stride == 1 && task.k >= 1 && task.k <= kThinDepth;
}
