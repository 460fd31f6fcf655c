// The matrix product for a few k: batches so small (of one row, a weight gradient is an outer product), layers of so
// few inputs. A tile's sums would be finished as soon as they are begun, so C is passed over a few rows at a time
// instead.
//
// Cost: a read (for an update) and a write of C; B stays in the level-1 cache. The sums are the chains of gemm.hpp.

template <class T>
using GemmFunction = void (*)(const GemmTask<T>& task, const TileRange& range);

constexpr int64_t kThinDepth = 4;
// So many rows are loaded before any is stored: a load right behind the masked store of another row's end has to wait.
constexpr int64_t kThinRows = 4;

// value(sum, offset in C, column, lanes) is what C gets.
template <class T, int Rows, class Value>
[[gnu::always_inline]] inline void multiply_thin_rows(const GemmTask<T>& task, int64_t row, const TileRange& range,
                                                      const Value& value) {
  using V = Vec<T>;
  const T* const a = task.a.data + row * task.a.row_stride;
  const T* const b = task.b.data + range.column_begin;
  const int64_t c = row * task.c_stride + range.column_begin, depth = task.k;
  V first[Rows];
  for (int i = 0; i < Rows; ++i) first[i] = V::broadcast(a + i * task.a.row_stride);
  for_vectors<T>(range.column_end - range.column_begin, [&](int64_t j, int count) {
    V sum[Rows], from = load_lanes(b + j, count);
    for (int i = 0; i < Rows; ++i) sum[i] = fma(first[i], from, V(T(0)));
    for (int64_t k = 1; k < depth; ++k) {
      from = load_lanes(b + k * task.b.row_stride + j, count);
      for (int i = 0; i < Rows; ++i)
        sum[i] = fma(V::broadcast(a + i * task.a.row_stride + k * task.a.column_stride), from, sum[i]);
    }
    for (int i = 0; i < Rows; ++i) sum[i] = value(sum[i], c + i * task.c_stride + j, range.column_begin + j, count);
    for (int i = 0; i < Rows; ++i) store_lanes(sum[i], task.c + c + i * task.c_stride + j, count);
  });
}

template <class T, int Rows, class Value>
void for_thin_rows(const GemmTask<T>& task, const TileRange& range, const Value& value) {
  int64_t row = range.row_begin;
  for (; row + Rows <= range.row_end; row += Rows) multiply_thin_rows<T, Rows>(task, row, range, value);
  if constexpr (Rows > 1)
    for (; row < range.row_end; ++row) multiply_thin_rows<T, 1>(task, row, range, value);
}

template <class T>
void multiply_thin(const GemmTask<T>& task, const TileRange& range) {
  using V = Vec<T>;
  const GemmEpilogue<T>& epilogue = task.epilogue;
  if (epilogue.update != nullptr && is_plain(*epilogue.update)) {
    const V rate(plain_rate(*epilogue.update));
    for_thin_rows<T, kThinRows>(task, range, [&](V sum, int64_t at, int64_t, int count) {
      return fnma(rate, sum, load_lanes(task.c + at, count));
    });
  } else if (epilogue.update != nullptr) {
    const SgdRule<T> rule(*epilogue.update);
    for_thin_rows<T, 1>(task, range, [&](V sum, int64_t at, int64_t, int count) {
      T* const velocity = epilogue.velocity == nullptr ? nullptr : epilogue.velocity + at;
      return rule.updated(load_lanes(task.c + at, count), sum, velocity, count);
    });
  } else {
    for_thin_rows<T, kThinRows>(task, range, [&](V sum, int64_t, int64_t column, int count) {
      return epilogue.bias == nullptr ? sum : sum + load_lanes(epilogue.bias + column, count);
    });
  }
}

// Whether this is the kernel for the product: B is read as it stands.
template <class T>
bool is_thin(const GemmTask<T>& task) {
  return task.b.column_stride == 1 && task.k >= 1 && task.k <= kThinDepth;
}
