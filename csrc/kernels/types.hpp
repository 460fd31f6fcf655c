// Types shared by the kernels and their callers.
#pragma once

#include <cstdint>

// Equal bits and the checks for NaN require exact IEEE arithmetic.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \
    defined(__NO_SIGNED_ZEROS__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)
#error "nnlite cannot be built with -ffast-math, -Ofast, -funsafe-math-optimizations or any flag they imply"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "nnlite requires float and double operations rounded to their own precision: build without -mfpmath=387"
#endif

namespace nnlite {

// Identifies a sequence of random numbers: the generator's seed, the purpose and the number of the draw.
struct RandomStream {
  uint64_t seed;
  uint32_t purpose;
  uint32_t draw;
};

// Element types of a user's array, and the types they are converted to.
enum class Source : uint8_t { boolean, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64 };
enum class Target : uint8_t { float32, float64, int64 };
// A batch of at most this many bytes is prefetched while the previous one is gathered.
constexpr int64_t kGatheredAhead = 64 * 1024;
constexpr int kSourceTypes = 11, kTargetTypes = 3;

// out[i - begin] = row order[i] of `data` for i in [begin, end); row i itself if order is null.
struct GatherTask {
  const char* data;
  int64_t row_size, row_stride;  // in elements and in bytes
  const int64_t* order;
  int64_t order_size;  // entries of order; those from `end` on are prefetched
  int64_t begin, end;
  void* out;
};
// Rows to be gathered next, and how far they have been prefetched.
struct RowsAhead {
  const char* data;
  int64_t row_bytes, row_stride;
  const int64_t* order;
  int64_t at, end;     // entries of order: the next row, one past the last
  int64_t offset = 0;  // in bytes, within the next row
};
using GatherFunction = void (*)(const GatherTask& task);

}  // namespace nnlite
