#pragma once

#include "bindings/bindings.hpp"

namespace nnlite {

// Must come last: it visits the functions that the module has.
void define_call_errors(py::module_& module);

}  // namespace nnlite
