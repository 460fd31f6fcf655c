// What a matrix product calls into the cache while its tiles compute: one line for each k, so that memory is never
// asked for more at once than it can deliver.

// Lines `stride` bytes apart. It may run on past its end: a prefetch faults nowhere.
struct LineStream {
  const char* line;
  int64_t stride;
};

// A block of memory, `passes` times `length` lines: the next columns of B, or of C.
struct BlockAhead {
  const char* data = nullptr;
  int64_t stride = 0, length = 0, passes = 0;
  int64_t at = 0, pass = 0;

  bool done() const { return pass >= passes; }

  LineStream take(int64_t lines) {
    const LineStream stream{data + pass * kCacheLine + at * stride, stride};
    at += lines;
    if (at >= length) at = 0, ++pass;
    return stream;
  }
};

inline LineStream take_lines(RowsAhead& rows, int64_t lines) {
  const LineStream stream{rows.data + rows.order[rows.at] * rows.row_stride + rows.offset, kCacheLine};
  rows.offset += lines * kCacheLine;
  if (rows.offset >= rows.row_bytes) rows.offset = 0, ++rows.at;
  return stream;
}
