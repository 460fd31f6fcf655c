// Types that kernels and their callers share.
#pragma once

#include <cstdint>

namespace nnlite {

// A sequence of random numbers: who draws (seed), what for, and the how-manieth time.
struct RandomStream {
  uint64_t seed;
  uint32_t purpose;
  uint32_t draw;
};

}  // namespace nnlite
