// Signatures of bound functions, parsed from pybind11's docstrings, and descriptions of values in messages.
#pragma once

#include <string>
#include <vector>

#include "bindings/bindings.hpp"

namespace nnlite {

struct Parameter {
  std::string name, type;
  bool optional = false;
};

struct Signature {
  std::string shown;  // "Tensor.sum()"
  std::vector<Parameter> parameters;
  size_t bound = 0;  // leading parameters that a call does not list: self
  bool any_positional = false, any_keyword = false;
  std::vector<bool> refuses_none{};  // per parameter, precomputed because many calls pass None
};

// Parses the first line of a docstring.
Signature parsed_signature(const std::string& shown, const char* doc, bool is_method);

// A parameter's name in a message. Unnamed arguments are numbered from 1.
std::string label(const Signature& signature, size_t i);

// Whether a value may match the parameter's type; unknown types accept everything.
bool fits(py::handle value, const Parameter& parameter);
// The type of the elements if the parameter is a sequence of known type.
std::optional<Parameter> element_of(const Parameter& parameter);
bool is_sequence(py::handle value);

// Short descriptions of the values a parameter allows, and of a given value.
std::string allowed(const Parameter& parameter);
std::string given(py::handle value);
std::string shortened(std::string words, size_t longest);

}  // namespace nnlite
