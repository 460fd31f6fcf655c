// Rows of an array gathered in any order and converted to a tensor's type. Cost: one read per row, at addresses the
// processor cannot predict. Rows are therefore prefetched one batch ahead: small batches while the current one is
// gathered, large ones by the tiles of matrix products (prefetch.hpp).

inline void prefetch_row(const char* row, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += kCacheLine) __builtin_prefetch(row + at);
  __builtin_prefetch(row + bytes - 1);
}

// Most rows become float32, whether images or tables of doubles: only that conversion is worth vectorising.
template <class From, class To>
void convert_row(const From* from, To* to, int64_t n) {
#pragma omp simd if (sizeof(To) == 4)
  for (int64_t j = 0; j < n; ++j) to[j] = static_cast<To>(from[j]);
}

template <class T>
void convert_row(const T* from, T* to, int64_t n) {
  __builtin_memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
}

template <class From, class To>
void gather(const GatherTask& task) {
  const auto row_at = [&](int64_t i) {
    return task.data + (task.order != nullptr ? task.order[i] : i) * task.row_stride;
  };
  const int64_t row_bytes = task.row_size * int64_t{sizeof(From)};
  const int64_t count = task.end - task.begin;
  const bool small = task.order != nullptr && count * row_bytes <= kGatheredAhead;
  auto* to = static_cast<To*>(task.out);
  for (int64_t i = task.begin; i < task.end; ++i, to += task.row_size) {
    if (small && i + count < task.order_size) prefetch_row(row_at(i + count), row_bytes);
    const auto* from = reinterpret_cast<const From*>(row_at(i));
    convert_row(from, to, task.row_size);
  }
}

// [Source][Target]
constexpr GatherFunction kGather[kSourceTypes][kTargetTypes] = {
    {gather<uint8_t, float>, gather<uint8_t, double>, gather<uint8_t, int64_t>},  // boolean
    {gather<int8_t, float>, gather<int8_t, double>, gather<int8_t, int64_t>},
    {gather<uint8_t, float>, gather<uint8_t, double>, gather<uint8_t, int64_t>},
    {gather<int16_t, float>, gather<int16_t, double>, gather<int16_t, int64_t>},
    {gather<uint16_t, float>, gather<uint16_t, double>, gather<uint16_t, int64_t>},
    {gather<int32_t, float>, gather<int32_t, double>, gather<int32_t, int64_t>},
    {gather<uint32_t, float>, gather<uint32_t, double>, gather<uint32_t, int64_t>},
    {gather<int64_t, float>, gather<int64_t, double>, gather<int64_t, int64_t>},
    {gather<uint64_t, float>, gather<uint64_t, double>, gather<uint64_t, int64_t>},
    {gather<float, float>, gather<float, double>, gather<float, int64_t>},
    {gather<double, float>, gather<double, double>, gather<double, int64_t>},
};
