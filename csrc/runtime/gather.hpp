// Rows of a user's array, taken in any order and turned into a tensor's type on the way.
#pragma once

#include <cstdint>

namespace nnlite {

enum class Source : uint8_t { boolean, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64 };
enum class Target : uint8_t { float32, float64, int64 };

// `rows` rows of `row_size` elements each, contiguous within a row.
struct RowSource {
  const void* data;
  Source type;
  int64_t rows, row_size, row_stride;  // the stride in bytes
};

// out[i] = source[order[i]], or source[begin + i] where order is null.
void gather_rows(const RowSource& source, const int64_t* order, int64_t begin, int64_t count, Target type, void* out);

}  // namespace nnlite
