// The choice of an instruction set, made once, when first asked for.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.hpp"

namespace nnlite {

// The best table that this processor and its operating system support, or the one that NNLITE_ISA names.
// Throws std::invalid_argument when NNLITE_ISA names one that is unknown here or cannot run.
const KernelTable& kernel_table();

template <class T>
const Kernels<T>& kernels();
template <>
inline const Kernels<float>& kernels<float>() {
  return kernel_table().float32;
}
template <>
inline const Kernels<double>& kernels<double>() {
  return kernel_table().float64;
}

// Names that NNLITE_ISA accepts on this machine, best first.
std::vector<std::string> available_isas();

}  // namespace nnlite
