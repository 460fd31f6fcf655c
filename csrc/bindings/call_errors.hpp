#pragma once

#include "bindings/bindings.hpp"

namespace nnlite {

// Last of all: it goes through the functions that the module has.
void define_call_errors(py::module_& module);

}  // namespace nnlite
