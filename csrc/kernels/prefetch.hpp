// What a matrix product prefetches while its tiles compute: one cache line for each k, so that memory is never asked
// for more at once than it can deliver.

// Lines `stride` bytes apart. It may run past its end: a prefetch never faults.
struct LineStream {
  const char* line;
  int64_t stride;
};

// A block of memory, `passes` times `length` lines: the next columns of B, or of C.
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

// In order of need: the next group of B, the next panel's part of C, the next batch's rows.
struct PrefetchQueue {
  RowsAhead* rows;     // may be null
  BlockPrefetch b, c;  // set by the loops

  // The next `lines` lines; where none are left, a stream that stays on `cached`.
  LineStream take(int64_t lines, const void* cached) {
    if (!b.done()) return b.take(lines);
    if (!c.done()) return c.take(lines);
    if (rows != nullptr && rows->at < rows->end) return take_lines(*rows, lines);
    return {static_cast<const char*>(cached), 0};
  }
};
