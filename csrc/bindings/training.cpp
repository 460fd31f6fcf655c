// Optimizer groups, traces, programs and the native epochs.
#include <algorithm>
#include <map>

#include "autograd/epochs.hpp"
#include "bindings/bindings.hpp"

namespace nnlite {
namespace {

using GroupPtr = std::shared_ptr<ParameterGroup>;

// The keys of a row's options, which live as long as the process.
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

// The options that a row takes from a parameter group, a dictionary. A key that stands twice is a pair.
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

// Each parameter's state as PyTorch has it, empty where there is none yet.
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

RowSource source_from(const py::array& array, const Tensor& input) {
  static const std::pair<const char*, Source> kTypes[] = {
      {"b1", Source::boolean}, {"i1", Source::int8},    {"u1", Source::uint8},   {"i2", Source::int16},
      {"u2", Source::uint16},  {"i4", Source::int32},   {"u4", Source::uint32},  {"i8", Source::int64},
      {"u8", Source::uint64},  {"f4", Source::float32}, {"f8", Source::float64},
  };
  const py::dtype dtype = array.dtype();
  const std::string type = std::string(1, dtype.kind()) + std::to_string(dtype.itemsize());
  Shape row;
  for (py::ssize_t i = 1; i < array.ndim(); ++i) row.push_back(array.shape(i));
  Shape wanted = input.shape();
  if (wanted.rank() > 0) wanted.erase(0);
  if (array.ndim() == 0 || row != wanted)
    throw std::invalid_argument(text("rows of shape ", row, " do not fit a program whose rows have shape ", wanted));
  py::ssize_t expected = dtype.itemsize();
  for (py::ssize_t i = array.ndim() - 1; i > 0; expected *= array.shape(i--))
    if (array.shape(i) > 1 && array.strides(i) != expected)
      throw std::invalid_argument("the rows of an array must be contiguous");
  for (const auto& [name, source] : kTypes)
    if (type == name && dtype.byteorder() != '>')
      return {array.data(), source, array.shape(0), row.size(), array.strides(0)};
  throw TypeError(
      text("arrays of dtype ", py::str(dtype).cast<std::string>(), " cannot be read in batches; convert them first"));
}

// Keeps what a request points to alive.
struct Prepared {
  EpochRequest request;
  std::vector<py::array> arrays;
};

// Where `value`, an array of all rows, takes what `computed` holds for the rows of one batch.
OutputRows rows_of(const py::object& value, const Program& program, const Tensor& computed, int64_t rows) {
  auto array = py::array(value);
  if (!(array.flags() & py::array::c_style) || !array.writeable() || !array.dtype().is(numpy_dtype(computed.dtype())) ||
      array.ndim() == 0 || array.shape(0) != rows || array.size() * program.rows() != rows * computed.shape().size())
    throw std::invalid_argument(
        text("outputs must be a writable C-contiguous array of ", rows, " rows like ", computed.shape()));
  return {static_cast<char*>(array.mutable_data()),
          static_cast<size_t>(array.nbytes()) / static_cast<size_t>(std::max<int64_t>(rows, 1))};
}

void require_programs(const EpochRequest& request) {
  const int64_t rows = request.sources[0].rows;
  for (const RowSource& source : request.sources)
    if (source.rows != rows)
      throw std::invalid_argument(
          text("the arrays have ", rows, " and ", source.rows, " rows; they must be of one length"));
  if (request.batch_size < 1)
    throw std::invalid_argument(text("batch_size must be at least 1, got ", request.batch_size));
  const int64_t rest = request.drop_last ? 0 : rows % request.batch_size;
  if ((rows >= request.batch_size && request.programs.count(request.batch_size) == 0) ||
      (rest > 0 && request.programs.count(rest) == 0))
    throw std::invalid_argument(text("no program for batches of ", request.batch_size, " or ", rest, " rows"));
}

Prepared prepare(const py::dict& programs, const py::sequence& arrays, int64_t batch_size, const py::object& outputs,
                 const py::object& poll, bool drop_last = false) {
  Prepared prepared;
  EpochRequest& request = prepared.request;
  request.drop_last = drop_last;
  for (const auto& [rows, program] : programs) request.programs[rows.cast<int64_t>()] = &program.cast<Program&>();
  if (request.programs.empty()) throw std::invalid_argument("there is no program to run");
  const Program& first = *request.programs.begin()->second;
  if (arrays.size() != first.inputs().size())
    throw std::invalid_argument(
        text("got ", arrays.size(), " arrays for a program of ", first.inputs().size(), " inputs"));
  for (size_t i = 0; i < arrays.size(); ++i) {
    prepared.arrays.emplace_back(py::reinterpret_borrow<py::object>(arrays[i]));
    request.sources.push_back(source_from(prepared.arrays.back(), *first.inputs()[i]));
  }
  request.batch_size = batch_size;
  require_programs(request);
  if (!outputs.is_none()) request.outputs = rows_of(outputs, first, *first.output(), request.sources[0].rows);
  request.poll = [poll](const Progress& at) {
    bool stop = false;
    with_gil([&] {
      stop = PyErr_CheckSignals() != 0;
      if (stop || poll.is_none()) return;
      PyObject* answer =
          PyObject_CallFunction(poll.ptr(), "LL", static_cast<long long>(at.epoch), static_cast<long long>(at.batch));
      stop = answer == nullptr || PyObject_IsTrue(answer) != 0;
      Py_XDECREF(answer);
    });
    return !stop;
  };
  return prepared;
}

// An exception of Python's that stopped a native loop goes on from here.
void raise_pending() {
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
}

py::array_t<double> array_of(const std::vector<double>& values) {
  return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

using OptionArray = py::array_t<double, py::array::c_style | py::array::forcecast>;

// One row of options, or one for each step, for each group; the arrays must live as long as they are used.
std::vector<OptionRows> option_rows(const EpochRequest& request, const std::vector<OptionArray>& options) {
  const auto& groups = request.programs.begin()->second->groups();
  if (options.size() != groups.size())
    throw std::invalid_argument(text("got options for ", options.size(), " of ", groups.size(), " groups"));
  const int64_t rows = request.sources[0].rows, full = rows / request.batch_size;
  const int64_t batches = full + (rows % request.batch_size > 0 && !request.drop_last);
  const int64_t steps = batches * request.epochs - request.first_batch;
  std::vector<OptionRows> found;
  for (size_t g = 0; g < groups.size(); ++g) {
    const OptimizerRow& row = groups[g]->row();
    if (options[g].ndim() != 2 || options[g].shape(1) != row.option_count ||
        (options[g].shape(0) != 1 && options[g].shape(0) != steps))
      throw std::invalid_argument(text("the options of ", row.name, " must have the shape (1 or ", steps, ", ",
                                       row.option_count, "), got ", shape_of(options[g])));
    found.push_back({options[g].data(), options[g].shape(0), static_cast<size_t>(row.option_count)});
  }
  return found;
}

py::tuple train(const py::dict& programs, const py::sequence& arrays, int64_t batch_size, const py::object& orders,
                uint64_t seed, int64_t first_epoch, int64_t epochs, int64_t first_batch,
                std::pair<double, double> total, const std::vector<OptionArray>& options, const py::object& outputs,
                const py::object& poll, bool drop_last) {
  Prepared prepared = prepare(programs, arrays, batch_size, outputs, poll, drop_last);
  EpochRequest& request = prepared.request;
  py::array_t<int64_t, py::array::c_style | py::array::forcecast> order_array;
  if (!orders.is_none()) {
    order_array = decltype(order_array)::ensure(orders);
    const int64_t rows = request.sources[0].rows;
    if (!order_array || order_array.ndim() != 2 || order_array.shape(1) != rows || order_array.shape(0) < 1)
      throw std::invalid_argument(text("orders must be int64 of shape (epochs, ", rows, ")"));
    for (py::ssize_t i = 0; i < order_array.size(); ++i)
      if (order_array.data()[i] < 0 || order_array.data()[i] >= rows)
        throw std::out_of_range(text("orders hold the row ", order_array.data()[i], " of ", rows));
    request.orders = order_array.data();
    request.order_count = order_array.shape(0);
  }
  request.seed = seed, request.first_epoch = first_epoch, request.epochs = epochs;
  if (first_batch < 0) throw std::invalid_argument(text("first_batch must be at least 0, got ", first_batch));
  request.first_batch = first_batch, request.total = {total.first, total.second};
  request.options = option_rows(request, options);
  EpochResult result;
  {
    const WithoutGil release;
    result = train_epochs(request);
  }
  // What stopped the loop is handed over, not raised: the caller must know how far it came.
  const py::object error =
      PyErr_Occurred() == nullptr ? py::object(py::none()) : py::object(py::error_already_set().value());
  return py::make_tuple(array_of(result.losses), static_cast<int>(result.status), result.batch,
                        py::make_tuple(result.total.sum, result.total.weight), error);
}

py::tuple run(const py::dict& programs, const py::sequence& arrays, int64_t batch_size, const py::object& outputs,
              const py::object& poll, bool with_loss, const py::sequence& single_losses) {
  Prepared prepared = prepare(programs, arrays, batch_size, outputs, poll);
  EpochRequest& request = prepared.request;
  for (const auto& [rows, program] : request.programs)
    if (program->single_losses().size() != single_losses.size())
      throw std::invalid_argument(text("got ", single_losses.size(), " arrays for the single losses and weights of ",
                                       program->single_losses().size()));
  const Program& first = *request.programs.begin()->second;
  for (size_t i = 0; i < single_losses.size(); ++i)
    request.single_losses.push_back(
        rows_of(single_losses[i], first, *first.single_losses()[i], request.sources[0].rows));
  PassResult result;
  {
    const WithoutGil release;
    result = run_batches(request, with_loss);
  }
  raise_pending();
  return py::make_tuple(array_of(result.losses), array_of(result.weights));
}

// Whether `params` is a list of the very objects in `held`.
bool holds_same(py::handle params, const py::tuple& held) {
  const auto count = static_cast<Py_ssize_t>(held.size());
  if (!PyList_CheckExact(params.ptr()) || PyList_GET_SIZE(params.ptr()) != count) return false;
  for (Py_ssize_t i = 0; i < count; ++i)
    if (PyList_GET_ITEM(params.ptr(), i) != PyTuple_GET_ITEM(held.ptr(), i)) return false;
  return true;
}

// One step of several groups, whose options stand in dictionaries: whatever can fail, fails before any of them changes.
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

void define_trace(py::module_& module) {
  py::class_<Trace, std::shared_ptr<Trace>>(module, "Trace",
                                            "Records the operations of a step by shape, without running them.")
      .def(py::init(&make<Trace>))
      .def("__enter__",
           [](const std::shared_ptr<Trace>& trace) {
             trace->open();
             return trace;
           })
      .def("__exit__", [](Trace& trace, const py::args&) { trace.close(); })
      .def(
          "placeholder",
          [](Trace& trace, py::handle shape, py::handle dtype) {
            return trace.placeholder(shape_from(shape), dtype_from(dtype));
          },
          py::arg("shape"), py::arg("dtype"))
      .def("signature", &Trace::signature, py::arg("ends"));
  module.def(
      "placeholder",
      [](py::handle shape, py::handle dtype) { return Trace().placeholder(shape_from(shape), dtype_from(dtype)); },
      py::arg("shape"), py::arg("dtype"));
  py::class_<Program, std::shared_ptr<Program>>(module, "Program", "A recorded step over buffers planned once.")
      .def(py::init([](const Trace& trace, std::vector<TensorPtr> inputs, TensorPtr output, TensorPtr loss,
                       std::vector<GroupPtr> groups, std::vector<TensorPtr> single_losses,
                       std::optional<double> clip_norm, std::optional<double> clip_value) {
             return std::make_shared<Program>(trace, std::move(inputs), std::move(output), std::move(loss),
                                              std::move(groups), std::move(single_losses),
                                              clipping_stages(clip_norm, clip_value));
           }),
           py::arg("trace"), py::arg("inputs"), py::arg("output"), py::arg("loss") = py::none(),
           py::arg("groups") = std::vector<GroupPtr>(), py::arg("single_losses") = std::vector<TensorPtr>(),
           py::arg("clip_norm") = py::none(), py::arg("clip_value") = py::none())
      .def("changing", &Program::changing)
      .def("describe", &Program::describe);
}

}  // namespace

void define_training(py::module_& module) {
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
  define_trace(module);
  module.def("train_epochs", &train, arg("programs"), arg("arrays"), arg("batch_size"), arg("orders"), arg("seed"),
             arg("first_epoch"), arg("epochs"), arg("first_batch"), arg("total"), arg("options"), arg("outputs"),
             arg("poll"), arg("drop_last") = false);
  module.def("run_batches", &run, arg("programs"), arg("arrays"), arg("batch_size"), arg("outputs"), arg("poll"),
             arg("with_loss") = false, arg("single_losses") = py::tuple());
}

}  // namespace nnlite
