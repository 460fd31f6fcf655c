#include "bindings/signatures.hpp"

#include <algorithm>

namespace nnlite {
namespace {

constexpr size_t kLongestValue = 40;       // characters
const std::string kOwn = "nnlite._core.";  // prefix of this module's types

std::string trimmed(const std::string& words) {
  const size_t begin = words.find_first_not_of(' '), end = words.find_last_not_of(' ');
  return begin == std::string::npos ? "" : words.substr(begin, end - begin + 1);
}

// Parts between separators outside brackets and quotes.
std::vector<std::string> split(const std::string& words, char separator) {
  std::vector<std::string> parts(1);
  int depth = 0;
  bool quoted = false;
  for (char c : words) {
    if (c == '\'') quoted = !quoted;
    if (!quoted) depth += (c == '[' || c == '(') - (c == ']' || c == ')');
    if (c == separator && depth == 0 && !quoted)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  for (std::string& part : parts) part = trimmed(part);
  if (parts.size() == 1 && parts[0].empty()) parts.clear();
  return parts;
}

// The text between the first `open` and its matching `close`.
std::string bracketed(const std::string& words, char open, char close) {
  const size_t begin = words.find(open);
  if (begin == std::string::npos) return "";
  int depth = 0;
  for (size_t i = begin; i < words.size(); ++i) {
    depth += (words[i] == open) - (words[i] == close);
    if (depth == 0) return words.substr(begin + 1, i - begin - 1);
  }
  return "";
}

bool is_real(py::handle value) {
  const bool failed = PyFloat_AsDouble(value.ptr()) == -1.0 && PyErr_Occurred() != nullptr;
  PyErr_Clear();
  return !failed;
}

bool is_integer(py::handle value) {
  if (PyFloat_Check(value.ptr()) != 0 || PyIndex_Check(value.ptr()) == 0) return false;
  const bool failed = PyNumber_AsSsize_t(value.ptr(), PyExc_OverflowError) == -1 && PyErr_Occurred() != nullptr;
  PyErr_Clear();
  return !failed;
}

bool fits_one(py::handle value, const std::string& type) {
  if (type == "None") return value.is_none();
  if (type == "bool") return !value.is_none() && PyUnicode_Check(value.ptr()) == 0 && !is_sequence(value);
  if (type == "str") return PyUnicode_Check(value.ptr()) != 0;
  if (type == "dict") return PyDict_Check(value.ptr()) != 0;
  if (type == "int" || type == "typing.SupportsInt") return is_integer(value);
  if (type == "float" || type == "typing.SupportsFloat") return is_real(value);
  if (type.rfind("collections.abc.Sequence", 0) == 0) return is_sequence(value);
  if (type.rfind("numpy.ndarray", 0) == 0) return py::isinstance<py::array>(value);
  if (type.rfind(kOwn, 0) == 0) {
    const py::object wanted = py::module_::import("nnlite._core").attr(type.substr(kOwn.size()).c_str());
    return py::isinstance(value, wanted);
  }
  return true;
}

std::string words_for(const std::string& type) {
  if (type == "bool") return "True or False";
  if (type == "str") return "a str";
  if (type == "dict") return "a dict";
  if (type == "None") return "None";
  if (type == "int" || type == "typing.SupportsInt") return "an integer";
  if (type == "float" || type == "typing.SupportsFloat") return "a number";
  if (type.rfind("numpy.ndarray", 0) == 0) return "an array";
  if (type.rfind(kOwn, 0) == 0) return "a " + type.substr(kOwn.size());
  if (type.rfind("collections.abc.Sequence", 0) == 0) {
    const size_t at = type.find(kOwn);
    return at == std::string::npos ? "a sequence"
                                   : "a sequence of " + bracketed(type, '[', ']').substr(kOwn.size()) + "s";
  }
  return "a " + type.substr(type.rfind('.') + 1);
}

std::string type_name(py::handle value) {
  return py::type::handle_of(value).attr("__name__").cast<std::string>();
}

}  // namespace

Signature parsed_signature(const std::string& shown, const char* doc, bool is_method) {
  Signature signature{shown, {}, is_method ? 1u : 0u, false, false};
  for (const std::string& part : split(bracketed(doc == nullptr ? "" : doc, '(', ')'), ',')) {
    if (part.rfind("**", 0) == 0) {
      signature.any_keyword = true;
    } else if (part[0] == '*') {
      signature.any_positional = true;
    } else if (part.find(':') != std::string::npos) {
      const size_t colon = part.find(':');
      const std::vector<std::string> sides = split(part.substr(colon + 1), '=');
      signature.parameters.push_back({part.substr(0, colon), sides[0], sides.size() > 1});
    }
  }
  return signature;
}

std::string label(const Signature& signature, size_t i) {
  if (i < signature.bound) return "self";
  if (signature.shown.back() != ')') return "the value";  // of a property
  const std::string& name = signature.parameters[i].name;
  if (name.rfind("arg", 0) != 0 || name.size() < 4 || name.find_first_not_of("0123456789", 3) != std::string::npos)
    return name;
  return text("argument ", i + 1 - signature.bound);
}

bool is_sequence(py::handle value) {
  return PySequence_Check(value.ptr()) != 0 && PyUnicode_Check(value.ptr()) == 0 && PyDict_Check(value.ptr()) == 0;
}

bool fits(py::handle value, const Parameter& parameter) {
  const std::vector<std::string> types = split(parameter.type, '|');
  return std::any_of(types.begin(), types.end(), [&](const std::string& type) {
    // SupportsIndex always accompanies SupportsInt or SupportsFloat.
    return type != "typing.SupportsIndex" && fits_one(value, type);
  });
}

std::optional<Parameter> element_of(const Parameter& parameter) {
  if (parameter.type.rfind("collections.abc.Sequence[", 0) != 0) return std::nullopt;
  return Parameter{"", bracketed(parameter.type, '[', ']'), false};
}

std::string allowed(const Parameter& parameter) {
  std::string words;
  for (const std::string& type : split(parameter.type, '|')) {
    if (type == "typing.SupportsIndex") continue;
    words += (words.empty() ? "" : " or ") + words_for(type);
  }
  return words;
}

std::string shortened(std::string words, size_t longest) {
  std::replace(words.begin(), words.end(), '\n', ' ');
  if (words.size() <= longest) return words;
  while (longest > 0 && (static_cast<unsigned char>(words[longest]) & 0xc0) == 0x80) --longest;  // inside a character
  return words.substr(0, longest) + "...";
}

std::string given(py::handle value) {
  if (value.is_none()) return "None";
  if (PyBool_Check(value.ptr()) || PyLong_Check(value.ptr()) || PyFloat_Check(value.ptr()) ||
      PyUnicode_Check(value.ptr()))
    return text(shortened(py::repr(value).cast<std::string>(), kLongestValue), " (", type_name(value), ')');
  const std::string type = type_name(value);
  const bool vowel = std::string("aeiouAEIOU").find(type[0]) != std::string::npos;
  const std::string name = (vowel ? "an " : "a ") + type;
  if (is_tensor(value)) return text(name, " of shape ", value.cast<const Tensor&>().shape());
  if (py::isinstance<py::array>(value))
    return text("an array of shape ", py::str(value.attr("shape")).cast<std::string>(), " and dtype ",
                py::str(value.attr("dtype")).cast<std::string>());
  if (PyList_Check(value.ptr()) || PyTuple_Check(value.ptr())) return text(name, " of ", py::len(value));
  return name;
}

}  // namespace nnlite
