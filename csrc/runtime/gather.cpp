#include "runtime/gather.hpp"

#include <algorithm>

#include "runtime/dispatch.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

thread_local RowsAhead* current_rows = nullptr;

int64_t size_of(Source type) {
  switch (type) {
    case Source::boolean:
    case Source::int8:
    case Source::uint8:
      return 1;
    case Source::int16:
    case Source::uint16:
      return 2;
    case Source::int32:
    case Source::uint32:
    case Source::float32:
      return 4;
    default:
      return 8;
  }
}

}  // namespace

void gather_rows(const RowSource& source, const int64_t* order, int64_t begin, int64_t count, Target type, void* out) {
  if (source.row_size == 0) return;
  const GatherFunction gather = kernel_table().gather[static_cast<int>(source.type)][static_cast<int>(type)];
  const int64_t row_bytes = source.row_size * (type == Target::float32 ? 4 : 8);
  parallel_spans(count, 1, static_cast<double>(source.row_size), [&](int64_t first, int64_t last) {
    gather({static_cast<const char*>(source.data), source.row_size, source.row_stride, order, source.rows,
            begin + first, begin + last, static_cast<char*>(out) + first * row_bytes});
  });
}

Lookahead::Lookahead(const RowSource& source, const int64_t* order, int64_t begin, int64_t count)
    : rows_{static_cast<const char*>(source.data),
            source.row_size * size_of(source.type),
            source.row_stride,
            order,
            begin,
            std::min(begin + count, source.rows)} {
  if (order != nullptr && count * rows_.row_bytes > kGatheredAhead) current_rows = &rows_;
}

Lookahead::~Lookahead() {
  current_rows = nullptr;
}

RowsAhead* rows_ahead() {
  return current_rows;
}

}  // namespace nnlite
