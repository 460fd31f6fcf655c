// Gathers rows of a user's array in any order and converts them to a tensor's type.
#pragma once

#include <cstdint>

#include "kernels/types.hpp"

namespace nnlite {

// `rows` rows of `row_size` elements each, contiguous within a row.
struct RowSource {
  const void* data;
  Source type;
  int64_t rows, row_size, row_stride;  // the stride in bytes
};

// out[i] = source[order[begin + i]], or source[begin + i] if order, which has source.rows entries, is null.
void gather_rows(const RowSource& source, const int64_t* order, int64_t begin, int64_t count, Target type, void* out);

// During its lifetime, matrix products on this thread prefetch rows order[begin] ... order[begin + count - 1].
// Does nothing for a batch small enough for gather_rows to prefetch itself.
class Lookahead {
 public:
  Lookahead(const RowSource& source, const int64_t* order, int64_t begin, int64_t count);
  ~Lookahead();
  Lookahead(const Lookahead&) = delete;
  Lookahead& operator=(const Lookahead&) = delete;

 private:
  RowsAhead rows_;
};

// The rows of this thread's Lookahead, or null.
RowsAhead* rows_ahead();

}  // namespace nnlite
