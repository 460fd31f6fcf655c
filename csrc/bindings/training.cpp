// Traces, programs and native epochs.
#include <algorithm>

#include "autograd/epochs.hpp"
#include "bindings/bindings.hpp"

namespace nnlite {
namespace {

using GroupPtr = std::shared_ptr<ParameterGroup>;

RowSource source_from(const py::array& array, const Tensor& input) {
  static const std::tuple<char, py::ssize_t, Source> kTypes[] = {
      {'b', 1, Source::boolean}, {'i', 1, Source::int8},    {'u', 1, Source::uint8},   {'i', 2, Source::int16},
      {'u', 2, Source::uint16},  {'i', 4, Source::int32},   {'u', 4, Source::uint32},  {'i', 8, Source::int64},
      {'u', 8, Source::uint64},  {'f', 4, Source::float32}, {'f', 8, Source::float64},
  };
  const py::dtype dtype = array.dtype();
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
  for (const auto& [kind, size, source] : kTypes)
    if (dtype.kind() == kind && dtype.itemsize() == size && dtype.byteorder() != '>')
      return {array.data(), source, array.shape(0), row.size(), array.strides(0)};
  throw TypeError(
      text("arrays of dtype ", py::str(dtype).cast<std::string>(), " cannot be read in batches; convert them first"));
}

// A request and the arrays it points to.
struct Prepared {
  EpochRequest request;
  std::vector<py::array> arrays;
};

// The rows of `value`, an array for all rows, as the destination of a batch's `computed`.
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
          text("the arrays have ", rows, " and ", source.rows, " rows; they must have the same length"));
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
  if (request.programs.empty()) throw std::invalid_argument("programs is empty");
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

// Rethrows a Python exception that stopped a native loop.
void raise_pending() {
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
}

py::array_t<double> array_of(const std::vector<double>& values) {
  return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

using OptionArray = py::array_t<double, py::array::c_style | py::array::forcecast>;

// Per group, one row of options for all steps or one per step; the arrays must outlive the result.
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

// See training/native_epochs.py.
py::tuple train(const py::dict& programs, const py::sequence& arrays, int64_t batch_size,
                const std::vector<OptionArray>& options, int64_t epochs, uint64_t seed, int64_t first_epoch,
                int64_t first_batch, const std::pair<double, double>& total, const py::object& orders,
                const py::object& outputs, const py::object& poll, bool drop_last, const py::object& epoch_done) {
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
        throw std::out_of_range(text("orders contain row ", order_array.data()[i], " of ", rows));
    request.orders = order_array.data();
    request.order_count = order_array.shape(0);
  }
  request.seed = seed;
  request.first_epoch = first_epoch;
  request.epochs = epochs;
  request.first_batch = first_batch;
  if (request.first_batch < 0)
    throw std::invalid_argument(text("first_batch must be at least 0, got ", request.first_batch));
  request.total = {total.first, total.second};
  request.options = option_rows(request, options);
  std::vector<OptionArray> later_options;
  if (!epoch_done.is_none())
    request.epoch_done = [&](double loss) {
      bool goes_on = false;
      with_gil([&] {
        try {
          const py::object answer = epoch_done(loss);
          if (answer.is_none()) return;
          later_options = answer.cast<std::vector<OptionArray>>();
          request.options = option_rows(request, later_options);
          goes_on = true;
        } catch (py::error_already_set& error) {
          error.restore();
        } catch (const std::bad_alloc&) {
          PyErr_NoMemory();
        } catch (const std::exception& error) {
          PyErr_SetString(PyExc_ValueError, error.what());
        }
      });
      return goes_on;
    };
  EpochResult result;
  {
    const WithoutGil release;
    result = train_epochs(request);
  }
  // Returns the error that stopped the loop instead of raising it: the caller must know how far the loop got.
  const py::object error =
      PyErr_Occurred() == nullptr ? py::object(py::none()) : py::object(py::error_already_set().value());
  return py::make_tuple(array_of(result.losses), result.status == StepStatus::diverged, result.batch,
                        std::pair(result.total.sum, result.total.weight), error);
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
      .def_property_readonly("reads_values", [](const Trace& trace) { return !trace.reads().empty(); })
      .def("signature", &Trace::signature, py::arg("ends"));
  module.def(
      "placeholder",
      [](py::handle shape, py::handle dtype) { return Trace().placeholder(shape_from(shape), dtype_from(dtype)); },
      py::arg("shape"), py::arg("dtype"));
  py::class_<Program, std::shared_ptr<Program>>(module, "Program", "A recorded step over preallocated buffers.")
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
  define_trace(module);
  module.def("train_epochs", &train, arg("programs"), arg("arrays"), arg("batch_size"), arg("options"), arg("epochs"),
             arg("seed"), arg("first_epoch"), arg("first_batch"), arg("total"), arg("orders"), arg("outputs"),
             arg("poll"), arg("drop_last"), arg("epoch_done"));
  module.def("run_batches", &run, arg("programs"), arg("arrays"), arg("batch_size"), arg("outputs"), arg("poll"),
             arg("with_loss") = false, arg("single_losses") = py::tuple());
}

}  // namespace nnlite
