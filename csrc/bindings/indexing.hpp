#pragma once

#include "bindings/bindings.hpp"

namespace nnlite {

// x[key]; throws IndexError or TypeError.
TensorPtr index_tensor(const TensorPtr& x, py::handle key);

}  // namespace nnlite
