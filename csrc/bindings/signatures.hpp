// Signatures of bound functions, as pybind11 writes them, and what they say of a value.
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
  size_t bound = 0;  // parameters that a method call does not name: self
  bool any_positional = false, any_keyword = false;
  std::vector<bool> refuses_none{};  // by parameter: many calls pass None, which must cost no more than a lookup
};

// From the line at the head of a docstring.
Signature parsed_signature(const std::string& shown, const char* doc, bool is_method);

// A parameter's name in a message. Arguments without a name are numbered from 1.
std::string label(const Signature& signature, size_t i);

// Whether a value may match the parameter's type; unknown types accept everything.
bool fits(py::handle value, const Parameter& parameter);
// The type of the elements, where the parameter is a sequence of known ones.
std::optional<Parameter> element_of(const Parameter& parameter);
bool is_sequence(py::handle value);

// What may be given, and a value that was, in a few words.
std::string allowed(const Parameter& parameter);
std::string given(py::handle value);
std::string shortened(std::string words, size_t longest);

}  // namespace nnlite
