#include "runtime/gather.hpp"

#include <cstring>
#include <type_traits>

#include "runtime/team.hpp"

namespace nnlite {
namespace {

template <class From, class To>
void convert_row(const void* from, void* to, int64_t n) {
  if constexpr (std::is_same_v<From, To>) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(To));
  } else {
    for (int64_t i = 0; i < n; ++i) static_cast<To*>(to)[i] = static_cast<To>(static_cast<const From*>(from)[i]);
  }
}

using ConvertRow = void (*)(const void*, void*, int64_t);

template <class To>
ConvertRow converter(Source type) {
  switch (type) {
    case Source::boolean:
    case Source::uint8:
      return convert_row<uint8_t, To>;
    case Source::int8:
      return convert_row<int8_t, To>;
    case Source::int16:
      return convert_row<int16_t, To>;
    case Source::uint16:
      return convert_row<uint16_t, To>;
    case Source::int32:
      return convert_row<int32_t, To>;
    case Source::uint32:
      return convert_row<uint32_t, To>;
    case Source::int64:
      return convert_row<int64_t, To>;
    case Source::uint64:
      return convert_row<uint64_t, To>;
    case Source::float32:
      return convert_row<float, To>;
    default:
      return convert_row<double, To>;
  }
}

}  // namespace

void gather_rows(const RowSource& source, const int64_t* order, int64_t begin, int64_t count, Target type, void* out) {
  const ConvertRow convert = type == Target::float32   ? converter<float>(source.type)
                             : type == Target::float64 ? converter<double>(source.type)
                                                       : converter<int64_t>(source.type);
  const int64_t width = source.row_size * (type == Target::float32 ? 4 : 8);
  parallel_spans(count, 1, static_cast<double>(source.row_size), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t row = order != nullptr ? order[i] : begin + i;
      convert(static_cast<const char*>(source.data) + row * source.row_stride, static_cast<char*>(out) + i * width,
              source.row_size);
    }
  });
}

}  // namespace nnlite
