// Groups of parameters with the state of their optimizer.
#include <algorithm>
#include <map>

#include "autograd/optimizer.hpp"
#include "bindings/bindings.hpp"

namespace nnlite {
namespace {

using GroupPtr = std::shared_ptr<ParameterGroup>;

// The keys of a row's options, kept for the life of the process.
const std::vector<PyObject*>& option_keys(const OptimizerRow& row) {
  static std::map<const OptimizerRow*, std::vector<PyObject*>> known;
  std::vector<PyObject*>& keys = known[&row];
  while (keys.size() < static_cast<size_t>(row.option_count))
    keys.push_back(PyUnicode_InternFromString(row.options[keys.size()]));
  return keys;
}

py::handle item_of(py::handle group, PyObject* key) {
  if (!PyDict_Check(group.ptr())) throw TypeError("a parameter group must be a dictionary");
  PyObject* const value = PyDict_GetItemWithError(group.ptr(), key);
  if (value == nullptr && PyErr_Occurred() == nullptr) PyErr_SetObject(PyExc_KeyError, key);
  if (value == nullptr) throw py::error_already_set();
  return value;
}

double number_from(py::handle value) {
  const double number = PyFloat_AsDouble(value.ptr());
  if (number == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return number;
}

// A row's options from a parameter group, a dictionary. A repeated key is a pair.
UpdateOptions options_from(const OptimizerRow& row, py::handle group) {
  UpdateOptions options{};
  const std::vector<PyObject*>& keys = option_keys(row);
  for (size_t i = 0; i < keys.size(); ++i) {
    const py::handle value = item_of(group, keys[i]);
    if (i + 1 < keys.size() && keys[i + 1] == keys[i]) {
      const auto [first, second] = value.cast<std::pair<py::object, py::object>>();
      options[i] = number_from(first), options[i + 1] = number_from(second);
      ++i;
    } else {
      options[i] = number_from(value);
    }
  }
  return options;
}

// Each parameter's state as in PyTorch; empty if there is none yet.
py::list states_of(const ParameterGroup& group) {
  py::list states;
  for (size_t i = 0; i < group.parameters().size(); ++i) {
    const ParameterState state = group.state(i);
    py::dict entries;
    const auto add_number = [&](const char* name, double value) {
      entries[name] = py::array_t<double>({}, {}, &value);
    };
    if (state.steps > 0 && group.row().counts_steps) add_number("step", static_cast<double>(state.steps));
    if (state.steps > 0 && group.row().scalar != nullptr) add_number(group.row().scalar, state.scalar);
    for (int b = 0; b < group.row().buffer_count; ++b)
      if (state.buffers[b] != nullptr) entries[group.row().buffers[b]] = numpy_view(state.buffers[b]).attr("copy")();
    states.append(entries);
  }
  return states;
}

ParameterState state_from(const ParameterGroup& group, size_t i, const py::dict& entries) {
  ParameterState state;
  const Tensor& parameter = *group.parameters()[i];
  for (int b = 0; b < group.row().buffer_count; ++b) {
    const char* const name = group.row().buffers[b];
    if (!entries.contains(name)) continue;
    TensorPtr& buffer = state.buffers[b];
    buffer = operand(entries[name], parameter.dtype());
    if (buffer->shape() != parameter.shape())
      throw std::invalid_argument(
          text(name, " of parameter ", i, " has shape ", buffer->shape(), ", the parameter ", parameter.shape()));
    buffer->values();
    state.steps = 1;
  }
  const OptimizerRow& row = group.row();
  if (row.counts_steps && state.steps > 0) state.steps = static_cast<int64_t>(number_from(entries["step"]));
  if (row.scalar != nullptr && state.steps > 0) state.scalar = number_from(entries[row.scalar]);
  return state;
}

void set_states(ParameterGroup& group, const py::sequence& states) {
  if (states.size() != group.parameters().size())
    throw std::invalid_argument(
        text("got the states of ", states.size(), " parameters for ", group.parameters().size()));
  std::vector<ParameterState> read;
  for (size_t i = 0; i < states.size(); ++i) read.push_back(state_from(group, i, states[i].cast<py::dict>()));
  for (size_t i = 0; i < read.size(); ++i) group.set_state(i, read[i]);
}

// Whether `params` is a list of exactly the objects in `held`.
bool holds_same(py::handle params, const py::tuple& held) {
  const auto count = static_cast<Py_ssize_t>(held.size());
  if (!PyList_CheckExact(params.ptr()) || PyList_GET_SIZE(params.ptr()) != count) return false;
  for (Py_ssize_t i = 0; i < count; ++i)
    if (PyList_GET_ITEM(params.ptr(), i) != PyTuple_GET_ITEM(held.ptr(), i)) return false;
  return true;
}

// One step of several groups with their options in dictionaries. All errors occur before any group changes.
void step_groups(const std::vector<GroupPtr>& groups, const py::sequence& param_groups) {
  if (groups.size() != param_groups.size())
    throw std::invalid_argument(text("got options for ", param_groups.size(), " of ", groups.size(), " groups"));
  if (std::count(groups.begin(), groups.end(), nullptr) > 0)
    throw TypeError("groups must be a sequence of ParameterGroups");
  std::vector<UpdateOptions> options;
  for (size_t i = 0; i < groups.size(); ++i) options.push_back(options_from(groups[i]->row(), param_groups[i]));
  for (size_t i = 0; i < groups.size(); ++i) groups[i]->prepare(options[i]);
  for (size_t i = 0; i < groups.size(); ++i) groups[i]->step(options[i]);
}

}  // namespace

void define_optimizers(py::module_& module) {
  using py::arg;
  py::class_<ParameterGroup, GroupPtr>(module, "ParameterGroup", "The parameters of one group with their state.")
      .def(py::init([](const std::string& optimizer, std::vector<TensorPtr> parameters,
                       const std::optional<py::sequence>& states) {
             auto group = std::make_shared<ParameterGroup>(optimizer, std::move(parameters));
             if (states) set_states(*group, *states);
             return group;
           }),
           arg("optimizer"), arg("parameters"), arg("states") = py::none())
      .def(
          "step",
          [](ParameterGroup& group, py::handle param_group, const py::tuple& held) {
            static PyObject* const params = PyUnicode_InternFromString("params");
            if (!holds_same(item_of(param_group, params), held)) return false;
            group.step(options_from(group.row(), param_group));
            return true;
          },
          arg("param_group"), arg("held"))
      .def(
          "zero_grad",
          [](ParameterGroup& group, py::handle params, const py::tuple& held) {
            if (!holds_same(params, held)) return false;
            group.zero_grad();
            return true;
          },
          arg("params"), arg("held"))
      .def(
          "options",
          [](const ParameterGroup& group, py::handle param_group) {
            const UpdateOptions options = options_from(group.row(), param_group);
            return std::vector<double>(options.begin(), options.begin() + group.row().option_count);
          },
          arg("param_group"))
      .def_property_readonly("state_names",
                             [](const ParameterGroup& group) {
                               const OptimizerRow& row = group.row();
                               return std::vector<std::string>(row.buffers, row.buffers + row.buffer_count);
                             })
      .def_property_readonly("number_names",
                             [](const ParameterGroup& group) {
                               std::vector<std::string> names;
                               if (group.row().counts_steps) names.emplace_back("step");
                               if (group.row().scalar != nullptr) names.emplace_back(group.row().scalar);
                               return names;
                             })
      .def_property_readonly("serial", &ParameterGroup::serial)
      .def_property_readonly("steps", &ParameterGroup::steps)
      .def_property_readonly("changes", &ParameterGroup::changes)
      .def("__reduce__",
           [](const py::object& self) {
             const auto& group = self.cast<const ParameterGroup&>();
             return py::make_tuple(py::type::of(self),
                                   py::make_tuple(group.row().name, group.parameters(), states_of(group)));
           })
      .def_property("states", &states_of, &set_states);
  module.def("step_groups", &step_groups, arg("groups"), arg("param_groups"));
  module.def("holds_same", &holds_same, arg("params"), arg("held"));
}

}  // namespace nnlite
