#include "autograd/optimizer.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "autograd/operations.hpp"
#include "kernels/optimizers.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

std::atomic<uint64_t> next_serial{0};

int number_of(const std::string& optimizer) {
  for (int i = 0; i < Optimizers::count; ++i)
    if (optimizer == Optimizers::rows[i].name) return i;
  throw std::invalid_argument(text("optimizer '", optimizer, "' is unknown"));
}

}  // namespace

template <class T>
Update<T> ParameterUpdate::current() const {
  const Kernels<T>& table = kernels<T>();
  Update<T> update{};
  update.is_plain = group->is_plain_;
  if (update.is_plain) {
    update.apply = table.plain_update;
    update.plain_rate = static_cast<T>(group->plain_rate_);
    return update;
  }
  update.apply = table.updates[group->number_];
  update.rule = group->rule_after(*this, dtype_of<T>()).bytes;
  std::memcpy(update.buffers, data.data(), sizeof(data));
  return update;
}
template Update<float> ParameterUpdate::current() const;
template Update<double> ParameterUpdate::current() const;

void update_parameter(const Array& parameter, const void* gradient, const ParameterUpdate& parameter_update) {
  dispatch(parameter.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Update<T> update = parameter_update.current<T>();
    parallel_spans(parameter.size(), 4096, 4, [&](int64_t begin, int64_t end) {
      update.apply(parameter.as<T>() + begin, static_cast<const T*>(gradient) + begin, update, begin, end - begin);
    });
  });
}

ParameterGroup::ParameterGroup(const std::string& optimizer, std::vector<TensorPtr> parameters)
    : row_(Optimizers::rows[number_of(optimizer)]),
      number_(number_of(optimizer)),
      parameters_(std::move(parameters)),
      updates_(parameters_.size()),
      serial_(next_serial++) {
  for (const TensorPtr& parameter : parameters_)
    if (parameter == nullptr || !is_floating(parameter->dtype()))
      throw TypeError(text(optimizer, " needs float32 or float64 parameters"));
  for (ParameterUpdate& update : updates_) update.group = this;
  options_.fill(std::numeric_limits<double>::quiet_NaN());  // differs from any options
}

void ParameterGroup::set_options(const UpdateOptions& options) {
  if (options == options_) return;
  options_ = options;
  in_use_ = row_.in_use(options.data());
  is_plain_ = row_.is_plain(options.data());
  plain_rate_ = row_.plain_rate(options.data());
  rule_.steps = -1;
}

const ParameterGroup::Rule& ParameterGroup::rule_after(const ParameterState& state, DType dtype) {
  const int64_t steps = std::min(state.steps, row_.steady_after);
  if (rule_.steps == steps && rule_.scalar == state.scalar && rule_.dtype == dtype) return rule_;
  const auto make = dtype == DType::float32 ? row_.make_float_rule : row_.make_double_rule;
  make(options_.data(), steps, state.scalar, rule_.bytes);
  rule_.steps = steps, rule_.scalar = state.scalar, rule_.dtype = dtype;
  rule_.next_scalar = row_.next_scalar(options_.data(), steps, state.scalar);
  return rule_;
}

void ParameterGroup::prepare(size_t i, const UpdateOptions& options) {
  set_options(options);
  for (size_t b = 0; in_use_ >> b != 0; ++b) {
    if ((in_use_ >> b & 1) == 0) continue;
    TensorPtr& buffer = updates_[i].buffers[b];
    buffer = buffer == nullptr ? full(parameters_[i]->shape(), parameters_[i]->dtype(), row_.initial(options.data()))
                               : like_parameter(i, b, buffer);
    updates_[i].data[b] = buffer->array().data;
  }
}

void ParameterGroup::finish(size_t i) {
  if (in_use_ == 0) return;
  ParameterUpdate& update = updates_[i];
  if (row_.scalar != nullptr) update.scalar = rule_after(update, parameters_[i]->dtype()).next_scalar;
  ++update.steps;
}

// Runs all checks and allocates all memory first: a failure must not leave only some parameters updated.
void ParameterGroup::prepare(const UpdateOptions& options) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const TensorPtr &parameter = parameters_[i], &gradient = parameter->grad;
    if (gradient == nullptr) continue;
    if (gradient->shape() != parameter->shape() || gradient->dtype() != parameter->dtype())
      throw std::invalid_argument(text("parameter ", i, " of shape ", parameter->shape(), " has a gradient of shape ",
                                       gradient->shape(), " and type ", name_of(gradient->dtype())));
    prepare(i, options);
  }
}

void ParameterGroup::step(const UpdateOptions& options) {
  const FloatingPointScope scope;
  prepare(options);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const TensorPtr& parameter = parameters_[i];
    if (parameter->grad == nullptr) continue;
    update_parameter(parameter->array(), parameter->grad->array().data, updates_[i]);
    parameter->storage()->count_change();
    finish(i);
  }
  ++steps_;
}

uint64_t ParameterGroup::changes() const {
  uint64_t changes = 0;
  for (const TensorPtr& parameter : parameters_) changes += parameter->storage()->version();
  return changes;
}

void ParameterGroup::zero_grad() {
  for (const TensorPtr& parameter : parameters_) parameter->grad = nullptr;
}

// If a parameter's data was replaced, its state is converted to the new type; with another shape, it is meaningless.
TensorPtr ParameterGroup::like_parameter(size_t i, size_t buffer, const TensorPtr& values) const {
  const Tensor& parameter = *parameters_[i];
  if (values->shape() != parameter.shape())
    throw std::invalid_argument(text(row_.buffers[buffer], " of parameter ", i, " has shape ", values->shape(),
                                     ", the parameter ", parameter.shape(), "; create a new optimizer"));
  return cast(values, parameter.dtype());
}

ParameterState ParameterGroup::state(size_t i) const {
  const ParameterState& state = updates_[i];
  if (state.steps == 0) return {};
  ParameterState found{state.steps, state.scalar, {}};
  for (size_t b = 0; b < kMostBuffers; ++b)
    if (state.buffers[b] != nullptr) found.buffers[b] = like_parameter(i, b, state.buffers[b]);
  return found;
}

void ParameterGroup::set_state(size_t i, const ParameterState& state) {
  ParameterState copy{state.steps, state.scalar, {}};
  for (size_t b = 0; b < kMostBuffers; ++b) {
    if (state.buffers[b] == nullptr) continue;
    const Array& values = state.buffers[b]->array();
    if (values.shape != parameters_[i]->shape() || values.dtype != parameters_[i]->dtype())
      throw std::invalid_argument(text(row_.buffers[b], " of parameter ", i, " is ", name_of(values.dtype),
                                       values.shape, ", the parameter is ", name_of(parameters_[i]->dtype()),
                                       parameters_[i]->shape()));
    copy.buffers[b] = std::make_shared<Tensor>(values.shape, values.dtype);
    std::memcpy(copy.buffers[b]->array().data, values.data, values.bytes());
  }
  static_cast<ParameterState&>(updates_[i]) = copy;
}

}  // namespace nnlite
