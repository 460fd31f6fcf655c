// Walks over Python's modules (nn.Module), and detects changes to them.
#include <algorithm>
#include <cstring>

#include "bindings/bindings.hpp"

namespace nnlite {
namespace {

using Objects = std::vector<py::object>;

// Adds an object unless it is present; the list is short.
bool add(Objects& found, py::handle object) {
  if (std::any_of(found.begin(), found.end(), [&](const py::object& known) { return known.is(object); })) return false;
  found.push_back(py::reinterpret_borrow<py::object>(object));
  return true;
}

// An attribute that is a dictionary.
py::dict attribute_of(py::handle module, PyObject* name) {
  auto found = py::reinterpret_steal<py::object>(PyObject_GetAttr(module.ptr(), name));
  if (!found && !PyErr_ExceptionMatches(PyExc_AttributeError)) throw py::error_already_set();
  PyErr_Clear();
  if (!found || !PyDict_Check(found.ptr()))
    throw TypeError(text("a Module is needed, got ", py::type::handle_of(module).attr("__name__").cast<std::string>()));
  return found;
}

void walk(py::handle module, Objects& found) {
  static PyObject* const modules = PyUnicode_InternFromString("_modules");
  if (module.is_none() || !add(found, module)) return;
  for (const auto& [name, child] : attribute_of(module, modules)) walk(child, found);
}

// `module` and all its descendants, each once, parents first.
Objects modules_below(py::handle module) {
  Objects found;
  walk(module, found);
  return found;
}

// The tensors in a registry of `module` and of all its descendants, each once.
Objects tensors_below(py::handle module, const py::str& registry) {
  Objects found;
  for (const py::object& each : modules_below(module))
    for (const auto& [name, tensor] : attribute_of(each, registry.ptr()))
      if (!tensor.is_none()) add(found, tensor);
  return found;
}

// Whether a class or function belongs to nnlite.
bool is_of_nnlite(py::handle thing) {
  static PyObject* const name = PyUnicode_InternFromString("__module__");
  const auto where = py::reinterpret_steal<py::object>(PyObject_GetAttr(thing.ptr(), name));
  if (!where) PyErr_Clear();
  const char* const text = where && PyUnicode_Check(where.ptr()) ? PyUnicode_AsUTF8(where.ptr()) : nullptr;
  return text != nullptr && std::strncmp(text, "nnlite.", 7) == 0;
}

// Switches a module and all its descendants to training or evaluation mode; returns each with its previous mode.
// Returns None and does nothing if one has another class or its own train(), which might do more.
py::object switch_mode(py::handle module, const py::bool_& training) {
  static PyObject* const mode = PyUnicode_InternFromString("training");
  static PyObject* const train = PyUnicode_InternFromString("train");
  static PyObject* const attributes_name = PyUnicode_InternFromString("__dict__");
  const Objects modules = modules_below(module);
  std::vector<py::dict> attributes;
  for (const py::object& each : modules) {
    attributes.push_back(attribute_of(each, attributes_name));
    if (!is_of_nnlite(py::type::handle_of(each)) || PyDict_Contains(attributes.back().ptr(), train) != 0)
      return py::none();
  }
  py::list before;
  for (size_t i = 0; i < modules.size(); ++i) {
    before.append(py::make_tuple(modules[i], attributes[i][mode]));
    attributes[i][mode] = training;
  }
  return std::move(before);
}

// Watches modules of nnlite's own classes, whose results depend only on their attributes.
class Watch : public SharedObject {
 public:
  explicit Watch(const Objects& roots) {
    is_complete_ = std::all_of(roots.begin(), roots.end(), [this](const py::object& root) { return add_root(root); });
    if (!is_complete_) dictionaries_.clear(), tensors_.clear();  // they may refer to the owner of this watch
  }

  // Whether nothing has changed; false if that cannot be known.
  bool holds() const {
    return is_complete_ &&
           std::all_of(classes_.begin(), classes_.end(), [](const Class& known) { return known.is_same(); }) &&
           std::all_of(dictionaries_.begin(), dictionaries_.end(), [](const auto& known) { return known.is_same(); }) &&
           std::all_of(tensors_.begin(), tensors_.end(), [](const auto& known) { return known.is_same(); });
  }

 private:
  // An object's class. Python changes a class's version tag when it or a base of it changes, and assigns none before
  // its first use.
  struct Class {
    py::object object, kind = py::type::of(object);
    unsigned tag = tag_of(kind);

    static unsigned tag_of(py::handle kind) {
      const auto* const type = reinterpret_cast<PyTypeObject*>(kind.ptr());
#if PY_VERSION_HEX < 0x030B0000
      if ((type->tp_flags & Py_TPFLAGS_VALID_VERSION_TAG) == 0) return 0;
#endif
      return type->tp_version_tag;
    }
    bool is_same() const {
      const py::handle now = py::type::handle_of(object);
      return now.is(kind) && tag != 0 && tag_of(now) == tag;
    }
  };

  // Values that are null here may change.
  struct Dictionary {
    py::dict dictionary;
    std::vector<std::pair<py::object, py::object>> items;

    bool is_same() const {
      if (PyDict_Size(dictionary.ptr()) != static_cast<Py_ssize_t>(items.size())) return false;
      PyObject *key = nullptr, *value = nullptr;
      Py_ssize_t at = 0;
      for (auto item = items.begin(); PyDict_Next(dictionary.ptr(), &at, &key, &value) != 0; ++item)
        if (key != item->first.ptr() || (item->second && value != item->second.ptr())) return false;
      return true;
    }
  };

  struct Leaf {
    TensorPtr tensor;
    Array array;
    bool requires_grad;
    const Node* node;

    bool is_same() const {
      return tensor->array().data == array.data && tensor->shape() == array.shape && tensor->dtype() == array.dtype &&
             tensor->requires_grad() == requires_grad && tensor->node.get() == node;
    }
  };

  bool add_root(const py::object& root) {
    if (!py::hasattr(root, "_modules")) return PyFunction_Check(root.ptr()) != 0 && is_of_nnlite(root);
    const Objects modules = modules_below(root);
    return std::all_of(modules.begin(), modules.end(), [this](const py::object& module) {
      if (!is_of_nnlite(py::type::of(module))) return false;
      classes_.push_back({module});
      return add_dictionary(module.attr("__dict__"));
    });
  }

  bool add_dictionary(const py::dict& dictionary) {
    Dictionary known{dictionary, {}};
    for (const auto& [key, value] : dictionary) {
      const bool is_free = PyUnicode_CompareWithASCIIString(key.ptr(), "_use") == 0;  // a lock
      known.items.emplace_back(py::reinterpret_borrow<py::object>(key),
                               is_free ? py::object() : py::reinterpret_borrow<py::object>(value));
      if (!is_free && !add_value(value)) return false;
    }
    dictionaries_.push_back(std::move(known));
    return true;
  }

  bool add_value(py::handle value) {
    if (PyDict_CheckExact(value.ptr())) return add_dictionary(py::reinterpret_borrow<py::dict>(value));
    if (PyTuple_CheckExact(value.ptr()))
      return std::all_of(value.begin(), value.end(), [](py::handle part) { return is_plain(part); });
    if (is_tensor(value)) {
      const auto tensor = value.cast<TensorPtr>();
      tensors_.push_back({tensor, tensor->array(), tensor->requires_grad(), tensor->node.get()});
      return tensor->trace_number == 0;
    }
    return is_plain(value) || PyAnySet_CheckExact(value.ptr()) || py::hasattr(value, "_modules");
  }

  static bool is_plain(py::handle value) {
    PyObject* const object = value.ptr();
    return value.is_none() || PyBool_Check(object) || PyLong_CheckExact(object) || PyFloat_CheckExact(object) ||
           PyUnicode_CheckExact(object);
  }

  bool is_complete_ = false;
  std::vector<Class> classes_;
  std::vector<Dictionary> dictionaries_;
  std::vector<Leaf> tensors_;
};

}  // namespace

void define_modules(py::module_& module) {
  py::class_<Watch, std::shared_ptr<Watch>>(module, "Watch", "Detects changes to modules of nnlite.")
      .def(py::init(&make<Watch, const Objects&>), py::arg("roots"))
      .def("holds", &Watch::holds);
  module.def("modules_below", &modules_below, py::arg("module"));
  module.def("switch_mode", &switch_mode, py::arg("module"), py::arg("training"));
  module.def("tensors_below", &tensors_below, py::arg("module"), py::arg("registry"));
}

}  // namespace nnlite
