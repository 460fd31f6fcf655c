// Error messages for wrong calls. pybind11 prints every signature and all arguments in full. Here an entry in front of
// each function's own turns a TypeError into one line: the function, the argument, what was given, what is allowed. A
// correct call pays one jump.
#include "bindings/call_errors.hpp"

#include <algorithm>
#include <unordered_map>

#include "bindings/signatures.hpp"

namespace nnlite {
namespace {

constexpr size_t kLongest = 280;  // characters of a message

// Arguments of one call.
struct Call {
  std::vector<py::handle> positional;
  std::vector<std::pair<std::string, py::handle>> keywords;
};

using Entry = PyObject* (*)(PyObject*, PyObject* const*, size_t, PyObject*);

Entry pybind_entry = nullptr;  // the same for all functions

// Keyed by the object that a function is bound to. Never destroyed: functions are called until the interpreter exits.
std::unordered_map<const PyObject*, Signature>& signatures() {
  static auto* const known = new std::unordered_map<const PyObject*, Signature>();
  return *known;
}

// Sets the value of each parameter, null if there is none; returns an error if arguments and parameters do not match.
std::string match(const Signature& signature, const Call& call, std::vector<py::handle>& values) {
  const std::vector<Parameter>& parameters = signature.parameters;
  values.assign(parameters.size(), py::handle());
  if (call.positional.size() > parameters.size() && !signature.any_positional)
    return text("takes ", parameters.size() - signature.bound, " arguments at most, got ",
                call.positional.size() - signature.bound);
  for (size_t i = 0; i < std::min(call.positional.size(), parameters.size()); ++i) values[i] = call.positional[i];
  for (const auto& [name, value] : call.keywords) {
    size_t i = 0;
    while (i < parameters.size() && parameters[i].name != name) ++i;
    if (i < parameters.size() && values[i]) return text("got two values for ", name);
    if (i < parameters.size())
      values[i] = value;
    else if (!signature.any_keyword)
      return text("has no argument ", shortened(name, 40));
  }
  for (size_t i = 0; i < parameters.size(); ++i)
    if (!values[i] && !parameters[i].optional) return text("needs ", label(signature, i));
  return "";
}

// The error in an element of a sequence, or an empty string.
std::string wrong_element(py::handle value, const Parameter& parameter) {
  const std::optional<Parameter> element = element_of(parameter);
  if (!element) return "";
  for (py::ssize_t i = 0; i < static_cast<py::ssize_t>(py::len(value)); ++i) {
    const py::object item = value[py::int_(i)];
    if (!fits(item, *element)) return text('[', i, "] must be ", allowed(*element), ", got ", given(item));
  }
  return "";
}

// The error in a call that pybind11 rejected.
std::string complaint(const Signature& signature, const Call& call) {
  std::vector<py::handle> values;
  const std::string mismatch = match(signature, call, values);
  if (!mismatch.empty()) return mismatch;
  std::string all;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) continue;
    const Parameter& parameter = signature.parameters[i];
    if (!fits(values[i], parameter))
      return text(label(signature, i), " must be ", allowed(parameter), ", got ", given(values[i]));
    const std::string element = wrong_element(values[i], parameter);
    if (!element.empty()) return label(signature, i) + element;
    if (i >= signature.bound) all += (all.empty() ? "" : ", ") + label(signature, i) + " = " + given(values[i]);
  }
  return "cannot take " + all;  // a number is out of range
}

// The message for an argument that cannot become a tensor, if that caused `message`.
std::string refused_operand(const Signature& signature, const Call& call, const std::string& message) {
  std::vector<py::handle> values;
  match(signature, call, values);
  const auto is_refused = [](py::handle value) {
    try {
      operand(value);
      return false;
    } catch (const TypeError&) {
      return true;
    }
  };
  for (size_t i = signature.bound; i < values.size(); ++i) {
    const Parameter& parameter = signature.parameters[i];
    if (!values[i] || parameter.type != "object" || (values[i].is_none() && parameter.optional)) continue;
    if (!is_refused(values[i])) continue;
    const bool is_array = py::hasattr(values[i], "dtype") || is_sequence(values[i]);
    return label(signature, i) +
           (is_array ? ": " + message : " must be a Tensor, an array or numbers, got " + given(values[i]));
  }
  return message;
}

// A TypeError raised by this module, as one line.
std::string rewritten(const Signature& signature, const Call& call, const std::string& message) {
  const bool refused = message.find("incompatible function arguments") != std::string::npos ||
                       message.find("incompatible constructor arguments") != std::string::npos;
  const bool is_operand = message.rfind("cannot make a tensor", 0) == 0;
  return signature.shown + ": " +
         (refused      ? complaint(signature, call)
          : is_operand ? refused_operand(signature, call, message)
                       : message);
}

Call call_of(PyObject* const* arguments, size_t flagged, PyObject* names) {
  Call call;
  const auto count = static_cast<size_t>(PyVectorcall_NARGS(flagged));
  for (size_t i = 0; i < count; ++i) call.positional.emplace_back(arguments[i]);
  const py::ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  for (py::ssize_t i = 0; i < named; ++i)
    call.keywords.emplace_back(py::handle(PyTuple_GET_ITEM(names, i)).cast<std::string>(),
                               arguments[count + static_cast<size_t>(i)]);
  return call;
}

// An exception raised in C++ has no traceback yet; one raised in Python code is left alone.
void rewrite_pending(const PyObject* function, PyObject* const* arguments, size_t flagged, PyObject* names) {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  if (type == PyExc_TypeError && traceback == nullptr) {
    try {
      const std::string line = rewritten(signatures().at(function), call_of(arguments, flagged, names),
                                         py::str(py::handle(value)).cast<std::string>());
      PyObject* const words = PyUnicode_FromString(shortened(line, kLongest).c_str());
      if (words != nullptr) {
        Py_DECREF(value);
        value = words;
      }
    } catch (...) {  // keep the original message
    }
    PyErr_Clear();
  }
  PyErr_Restore(type, value, traceback);
}

// pybind11 accepts None for any object of the module. It is refused unless the signature allows it.
bool is_refused_none(const Signature& signature, size_t i) {
  const Parameter& parameter = signature.parameters[i];
  return !(i >= signature.bound && parameter.optional) && parameter.type.rfind("nnlite._core.", 0) == 0 &&
         parameter.type.find("| None") == std::string::npos;
}

// The index of a parameter that got None and refuses it, or the number of parameters.
size_t refused_none(const Signature& signature, PyObject* const* arguments, size_t count, PyObject* names) {
  const std::vector<bool>& refused = signature.refuses_none;
  for (size_t i = 0; i < std::min(count, refused.size()); ++i)
    if (refused[i] && arguments[i] == Py_None) return i;
  const py::ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  for (py::ssize_t k = 0; k < named; ++k) {
    if (arguments[count + static_cast<size_t>(k)] != Py_None) continue;
    for (size_t i = 0; i < refused.size(); ++i)
      if (refused[i] &&
          PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, k), signature.parameters[i].name.c_str()) == 0)
        return i;
  }
  return refused.size();
}

bool refuses_none(const PyObject* function, PyObject* const* arguments, size_t flagged, PyObject* names) {
  const Signature& signature = signatures().at(function);
  const size_t i = refused_none(signature, arguments, static_cast<size_t>(PyVectorcall_NARGS(flagged)), names);
  if (i == signature.parameters.size()) return false;
  try {
    const std::string line =
        text(signature.shown, ": ", label(signature, i), " must be ", allowed(signature.parameters[i]), ", got None");
    PyErr_SetString(PyExc_TypeError, line.c_str());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  }
  return true;
}

PyObject* entry(PyObject* function, PyObject* const* arguments, size_t flagged, PyObject* names) {
  PyObject* const result = pybind_entry(function, arguments, flagged, names);
  if (result == nullptr && PyErr_ExceptionMatches(PyExc_TypeError))
    rewrite_pending(function, arguments, flagged, names);
  return result;
}

// The entry of functions with a parameter that refuses None.
PyObject* entry_without_none(PyObject* function, PyObject* const* arguments, size_t flagged, PyObject* names) {
  const auto count = PyVectorcall_NARGS(flagged) + (names == nullptr ? 0 : PyTuple_GET_SIZE(names));
  for (py::ssize_t i = 0; i < count; ++i)
    if (arguments[i] == Py_None)
      return refuses_none(function, arguments, flagged, names) ? nullptr : entry(function, arguments, flagged, names);
  return entry(function, arguments, flagged, names);
}

void watch(py::handle object, const std::string& shown, bool is_method) {
  PyObject* function = object.ptr();
  if (function != nullptr && PyInstanceMethod_Check(function)) function = PyInstanceMethod_GET_FUNCTION(function);
  if (function == nullptr || !PyCFunction_Check(function)) return;
  PyMethodDef* const definition = reinterpret_cast<PyCFunctionObject*>(function)->m_ml;
  if (definition->ml_flags != (METH_FASTCALL | METH_KEYWORDS) || PyCFunction_GET_SELF(function) == nullptr) return;
  const auto found = reinterpret_cast<Entry>(reinterpret_cast<void (*)()>(definition->ml_meth));
  if (found == entry || found == entry_without_none) return;
  if (pybind_entry == nullptr) pybind_entry = found;
  if (found != pybind_entry) return;
  Signature signature = parsed_signature(shown, definition->ml_doc, is_method);
  for (size_t i = 0; i < signature.parameters.size(); ++i)
    signature.refuses_none.push_back(is_refused_none(signature, i));
  const std::vector<bool>& refused = signature.refuses_none;
  const bool any = std::find(refused.begin(), refused.end(), true) != refused.end();
  signatures()[PyCFunction_GET_SELF(function)] = std::move(signature);
  definition->ml_meth = reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(any ? entry_without_none : entry));
}

void watch_class(py::handle type) {
  const auto name = type.attr("__name__").cast<std::string>();
  for (const auto& [key, member] : py::dict(type.attr("__dict__"))) {
    const auto attribute = key.cast<std::string>();
    const std::string shown = attribute == "__init__" ? name : name + "." + attribute;
    if (!PyObject_TypeCheck(member.ptr(), &PyProperty_Type)) {
      watch(member, shown + "()", true);
      continue;
    }
    watch(member.attr("fget"), shown, true);
    watch(member.attr("fset"), shown, true);
  }
}

}  // namespace

void define_call_errors(py::module_& module) {
  for (const auto& [key, member] : py::dict(module.attr("__dict__"))) {
    if (PyType_Check(member.ptr()))
      watch_class(member);
    else
      watch(member, key.cast<std::string>() + "()", false);
  }
}

}  // namespace nnlite
