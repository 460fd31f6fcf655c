// Prefetching during a matrix product: one cache line per step of k, so that the requests never exceed what memory
// delivers.

// Cache lines `stride` bytes apart. It may run past the end of the data: a prefetch never faults.
struct LineStream {
  const char* line;
  int64_t stride;
};

// A block of memory to prefetch, the next columns of B or C: `length` rows, one line of each per pass.
struct BlockPrefetch {
  const char* data;
  int64_t stride, length, passes;
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

// In the order of use: the next group of B, the next panel's part of C, the next batch's rows.
struct PrefetchQueue {
  RowsAhead* rows;     // may be null
  BlockPrefetch b, c;  // set by the loops

  // The next `lines` lines; if none are left, a stream that repeats the line of `cached`.
  LineStream take(int64_t lines, const void* cached) {
    if (!b.done()) return b.take(lines);
    if (!c.done()) return c.take(lines);
    if (rows != nullptr && rows->at < rows->end) return take_lines(*rows, lines);
    return {static_cast<const char*>(cached), 0};
  }
};
