// The choice of an instruction set, made once, on first use.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.hpp"

namespace nnlite {

// The table of the best instruction set that the processor and the operating system support, or of the one NNLITE_ISA
// names.
// Throws std::invalid_argument if NNLITE_ISA names one that is unknown or not supported.
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
