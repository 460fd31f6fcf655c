// Cores that this process may use.
#pragma once

#include <optional>
#include <string>

namespace nnlite {

// CPU time per second of wall time that the process's control groups grant, e.g. 1.5: the smallest quota of its group
// and all groups around it, of version 1 and 2. Nothing where none is set. `root` is put before every path.
std::optional<double> cpu_quota(const std::string& root = "");

// The affinity mask, the quota (a part of a core counts as one) and LOKY_MAX_CPU_COUNT, whichever allows least. Asked
// once.
int usable_cores();

}  // namespace nnlite
