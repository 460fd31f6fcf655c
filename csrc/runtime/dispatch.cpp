#include "runtime/dispatch.hpp"

#include <cstdlib>
#include <stdexcept>

namespace nnlite {
namespace {

struct Candidate {
  const WideTable* wide;
  const CommonTable* common;
  bool (*supported)();
};

#if defined(__x86_64__)
// The compiler's builtins check the operating system's support (XGETBV) as well as the processor's.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif
bool always() {
  return true;
}

// Best first.
const Candidate kCandidates[] = {
#if defined(__x86_64__)
    {&kAvx512Wide, &kAvx2Common, has_avx512},
    {&kAvx2Wide, &kAvx2Common, has_avx2},
#elif defined(__aarch64__)
    {&kNeonWide, &kNeonCommon, always},
#endif
    {&kScalarWide, &kScalarCommon, always},
};

KernelTable choose() {
  const char* wanted = std::getenv("NNLITE_ISA");
  const bool any = wanted == nullptr || *wanted == '\0';
  for (const Candidate& candidate : kCandidates)
    if ((any || std::string(wanted) == candidate.wide->isa) && candidate.supported())
      return {*candidate.wide, *candidate.common};
  std::string names;
  for (const std::string& name : available_isas()) names += (names.empty() ? "" : ", ") + name;
  throw std::invalid_argument("NNLITE_ISA=" + std::string(wanted) +
                              " is not available; this machine supports: " + names);
}

}  // namespace

const KernelTable& kernel_table() {
  static const KernelTable table = choose();
  return table;
}

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Candidate& candidate : kCandidates)
    if (candidate.supported()) names.emplace_back(candidate.wide->isa);
  return names;
}

}  // namespace nnlite
