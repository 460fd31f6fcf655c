// Stochastic gradient descent over a group of parameters.
#pragma once

#include <memory>
#include <vector>

#include "autograd/tensor.hpp"
#include "kernels/table.hpp"

namespace nnlite {

struct SgdOptions {
  double lr = 1e-3, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false;

  template <class T>
  SgdCoefficients<T> coefficients(bool first_step) const {
    return {static_cast<T>(lr),
            static_cast<T>(momentum),
            static_cast<T>(1.0 - dampening),
            static_cast<T>(weight_decay),
            nesterov,
            maximize,
            first_step};
  }
};

// How one parameter is updated: what a gradient needs to become a step.
struct ParameterUpdate {
  SgdOptions options;
  TensorPtr velocity;      // null until there is momentum; rests while momentum is 0
  bool first_step = true;  // the velocity is not set yet

  template <class T>
  T* velocity_as() const {
    return velocity == nullptr || options.momentum == 0 ? nullptr : velocity->array().as<T>();
  }
};

// Applies the update to `parameter` with a gradient of its shape.
void update_parameter(const Array& parameter, const void* gradient, const ParameterUpdate& update);

class SgdGroup : public SharedObject {
 public:
  explicit SgdGroup(std::vector<TensorPtr> parameters);

  const std::vector<TensorPtr>& parameters() const { return parameters_; }

  // A number that no other group of the process has, not even one whose memory this one took over.
  uint64_t serial() const { return serial_; }

  // How many times step() has updated the parameters.
  int64_t steps() const { return steps_; }

  // One step from the parameters' grad; those without one are left alone.
  void step(const SgdOptions& options);
  // Gets all memory that step() will need, so that it cannot fail.
  void prepare(const SgdOptions& options);
  void zero_grad();

  // The update of parameter i, at one place as long as the group lives. It follows these options, with its velocity in
  // place, from prepare() on; after each step, finish(i).
  const ParameterUpdate& update(size_t i) const { return updates_[i]; }
  void prepare(size_t i, const SgdOptions& options);
  void finish(size_t i);

  // Momentum buffers; null where there is none yet.
  TensorPtr velocity(size_t i) const;
  void set_velocity(size_t i, const TensorPtr& velocity);

 private:
  TensorPtr like_parameter(size_t i, const TensorPtr& velocity) const;

  std::vector<TensorPtr> parameters_;
  std::vector<ParameterUpdate> updates_;
  const uint64_t serial_;
  int64_t steps_ = 0;
};

}  // namespace nnlite
