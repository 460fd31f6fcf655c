#include "autograd/sgd.hpp"

#include <atomic>
#include <cstring>

#include "autograd/operations.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

std::atomic<uint64_t> next_serial{0};

}  // namespace

void update_parameter(const Array& parameter, const void* gradient, const ParameterUpdate& update) {
  dispatch(parameter.dtype, [&](auto zero) {
    using T = decltype(zero);
    const SgdCoefficients<T> coefficients = update.options.coefficients<T>(update.first_step);
    T* velocity = update.velocity_as<T>();
    parallel_spans(parameter.size(), 4096, 4, [&](int64_t begin, int64_t end) {
      kernels<T>().sgd(parameter.as<T>() + begin, static_cast<const T*>(gradient) + begin,
                       velocity == nullptr ? nullptr : velocity + begin, end - begin, coefficients);
    });
  });
}

SgdGroup::SgdGroup(std::vector<TensorPtr> parameters)
    : parameters_(std::move(parameters)), updates_(parameters_.size()), serial_(next_serial++) {
  for (const TensorPtr& parameter : parameters_)
    if (parameter == nullptr || !is_floating(parameter->dtype()))
      throw TypeError("SGD needs float32 or float64 parameters");
}

void SgdGroup::prepare(size_t i, const SgdOptions& options) {
  ParameterUpdate& update = updates_[i];
  update.options = options;
  if (options.momentum == 0) return;
  if (update.velocity == nullptr) {
    update.velocity = std::make_shared<Tensor>(parameters_[i]->shape(), parameters_[i]->dtype());
    update.first_step = true;
  } else {
    update.velocity = like_parameter(i, update.velocity);
  }
}

void SgdGroup::finish(size_t i) {
  if (updates_[i].options.momentum != 0) updates_[i].first_step = false;
}

// All checks and all memory: a failure must not leave some parameters updated and others not.
void SgdGroup::prepare(const SgdOptions& options) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const TensorPtr &parameter = parameters_[i], &gradient = parameter->grad;
    if (gradient == nullptr) continue;
    if (gradient->shape() != parameter->shape() || gradient->dtype() != parameter->dtype())
      throw std::invalid_argument(text("parameter ", i, " of shape ", parameter->shape(), " has a gradient of shape ",
                                       gradient->shape(), " and type ", name_of(gradient->dtype())));
    prepare(i, options);
  }
}

void SgdGroup::step(const SgdOptions& options) {
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

void SgdGroup::zero_grad() {
  for (const TensorPtr& parameter : parameters_) parameter->grad = nullptr;
}

// A parameter's data may have been replaced: its momentum follows the type; another shape leaves it without a meaning.
TensorPtr SgdGroup::like_parameter(size_t i, const TensorPtr& velocity) const {
  const Tensor& parameter = *parameters_[i];
  if (velocity->shape() != parameter.shape())
    throw std::invalid_argument(text("momentum buffer ", i, " has shape ", velocity->shape(), ", its parameter ",
                                     parameter.shape(), " by now; make a new optimizer"));
  return cast(velocity, parameter.dtype());
}

TensorPtr SgdGroup::velocity(size_t i) const {
  const ParameterUpdate& update = updates_[i];
  if (update.velocity == nullptr || update.first_step) return nullptr;
  return like_parameter(i, update.velocity);
}

void SgdGroup::set_velocity(size_t i, const TensorPtr& velocity) {
  ParameterUpdate& update = updates_[i];
  update.first_step = velocity == nullptr;
  update.velocity = nullptr;
  if (velocity == nullptr) return;
  const Array& values = velocity->array();
  if (values.shape != parameters_[i]->shape() || values.dtype != parameters_[i]->dtype())
    throw std::invalid_argument(
        text("momentum buffer ", i, " has shape ", values.shape, ", its parameter ", parameters_[i]->shape()));
  update.velocity = std::make_shared<Tensor>(values.shape, values.dtype);
  std::memcpy(update.velocity->array().data, values.data, values.bytes());
}

}  // namespace nnlite
