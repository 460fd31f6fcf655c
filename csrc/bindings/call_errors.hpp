#pragma once

#include "bindings/bindings.hpp"

namespace nnlite {

// Call it last: it wraps the functions that the module has.
void define_call_errors(py::module_& module);

}  // namespace nnlite
