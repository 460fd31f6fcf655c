// The number of cores this process may use.
#pragma once

#include <optional>
#include <string>

namespace nnlite {

// CPU time per second of wall time that control groups grant this process, e.g. 1.5: the smallest quota of its group
// and that group's ancestors, versions 1 and 2. Empty if there is none. `root` is prepended to every path.
std::optional<double> cpu_quota(const std::string& root = "");

// The smallest of the affinity mask, the quota (rounded up) and LOKY_MAX_CPU_COUNT, read once.
int usable_cores();

}  // namespace nnlite
