#include "runtime/cores.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "runtime/environment.hpp"

namespace nnlite {
namespace {

// The mount of a control group hierarchy that limits CPU time, and the group at the root of that mount.
struct Mount {
  bool second_version;
  std::string folder, group;
};

bool has_item(const std::string& list, const std::string& item) {
  return ("," + list + ",").find("," + item + ",") != std::string::npos;
}

std::vector<Mount> mounts(const std::string& root) {
  std::vector<Mount> found;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream before(line), after(line.substr(std::min(line.size(), line.find(" - ") + 3)));
    std::string skipped, group, folder, type, source, options;
    before >> skipped >> skipped >> skipped >> group >> folder;
    after >> type >> source >> options;
    if (type == "cgroup2" || (type == "cgroup" && has_item(options, "cpu")))
      found.push_back({type == "cgroup2", folder, group});
  }
  if (found.empty()) found.push_back({true, "/sys/fs/cgroup", "/"});  // no mountinfo
  return found;
}

// The process's group in the version 2 hierarchy, or in the version 1 hierarchy that limits CPU time.
std::string own_group(const std::string& root, bool second_version) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (second_version ? line.compare(0, first, "0") == 0 && controllers.empty() : has_item(controllers, "cpu"))
      return line.substr(second + 1);
  }
  return "/";
}

// A group's own quota in cores.
std::optional<double> quota_in(const std::string& folder, bool second_version) {
  std::string quota;
  double period = 0;
  if (second_version) {
    std::ifstream(folder + "/cpu.max") >> quota >> period;  // "max 100000" if unlimited
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;  // -1 if unlimited
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  const double granted = std::strtod(quota.c_str(), nullptr);
  return granted > 0 && period > 0 ? std::optional<double>(granted / period) : std::nullopt;
}

// The group's path within the mount. A container's mount starts at its own group, but the process may see the path from
// the host's root.
std::string path_below(const Mount& mount, const std::string& group) {
  if (mount.group == "/") return group;
  const size_t length = mount.group.size();  // of whole names: /ab is not below /a
  if (group.compare(0, length, mount.group) == 0 && (group.size() == length || group[length] == '/'))
    return group.substr(length);
  return "";
}

double quota_cores() {
  const std::optional<double> quota = cpu_quota();
  return quota ? std::ceil(*quota) : HUGE_VAL;
}

// The limit set for joblib's workers.
double loky_cores() {
  const char* value = std::getenv("LOKY_MAX_CPU_COUNT");
  const std::optional<int64_t> count = value == nullptr ? std::nullopt : positive_number(value);
  return count ? static_cast<double>(*count) : HUGE_VAL;
}

double affinity_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return std::max(1U, std::thread::hardware_concurrency());  // more processors than cpu_set_t holds
}

}  // namespace

std::optional<double> cpu_quota(const std::string& root) {
  std::optional<double> least;
  for (const Mount& mount : mounts(root)) {
    std::string below = path_below(mount, own_group(root, mount.second_version));
    while (true) {
      if (!below.empty() && below.back() == '/') below.pop_back();
      const std::optional<double> quota = quota_in(root + mount.folder + below, mount.second_version);
      if (quota && (!least || *quota < *least)) least = quota;
      if (below.empty()) break;
      below.resize(below.rfind('/') == std::string::npos ? 0 : below.rfind('/'));
    }
  }
  return least;
}

int usable_cores() {
  static const int cores = static_cast<int>(std::min({affinity_cores(), quota_cores(), loky_cores()}));
  return cores;
}

}  // namespace nnlite
