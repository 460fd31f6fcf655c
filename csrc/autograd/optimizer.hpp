// Groups of parameters and the state of their updates, for every optimizer in kernels/optimizers.hpp.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "autograd/tensor.hpp"
#include "kernels/table.hpp"

namespace nnlite {

// An optimizer's options, in the order of its row.
using UpdateOptions = std::array<double, kMostOptions>;

// An optimizer's state for one parameter.
struct ParameterState {
  int64_t steps = 0;  // that updated the buffers
  double scalar = 1;  // shared by all elements
  std::array<TensorPtr, kMostBuffers> buffers;
};

class ParameterGroup;

// How one parameter is updated from its gradient.
struct ParameterUpdate : ParameterState {
  ParameterGroup* group = nullptr;
  std::array<void*, kMostBuffers> data{};  // of the buffers

  // For the current step; valid until the next call for any parameter of the group.
  template <class T>
  Update<T> current() const;
};

// Applies the update to `parameter` with a gradient of its shape.
void update_parameter(const Array& parameter, const void* gradient, const ParameterUpdate& update);

class ParameterGroup : public SharedObject {
 public:
  // `optimizer` is the name of a row.
  ParameterGroup(const std::string& optimizer, std::vector<TensorPtr> parameters);
  ParameterGroup(const ParameterGroup&) = delete;
  ParameterGroup& operator=(const ParameterGroup&) = delete;

  const OptimizerRow& row() const { return row_; }
  const std::vector<TensorPtr>& parameters() const { return parameters_; }

  // Unique within the process, even if the group reuses the memory of another.
  uint64_t serial() const { return serial_; }

  // How many times step() has updated the parameters.
  int64_t steps() const { return steps_; }

  // A count that every operation that writes to a parameter increases.
  uint64_t changes() const;

  // One step with each parameter's grad; parameters without one are skipped.
  void step(const UpdateOptions& options);
  // Allocates all memory that step() needs, so that step() cannot fail.
  void prepare(const UpdateOptions& options);
  void zero_grad();

  // The update of parameter i, at a fixed address for the group's lifetime. prepare() sets its options and allocates
  // its buffers before a step; finish() follows each step.
  const ParameterUpdate& update(size_t i) const { return updates_[i]; }
  void prepare(size_t i, const UpdateOptions& options);
  void finish(size_t i);

  // The state of parameter i; buffers that do not exist yet are null.
  ParameterState state(size_t i) const;
  // The buffers are copied.
  void set_state(size_t i, const ParameterState& state);

 private:
  friend struct ParameterUpdate;

  // The rule for the current options and step count, which most parameters of a group share.
  struct Rule {
    int64_t steps = -1;
    double scalar = 1, next_scalar = 1;
    DType dtype = DType::float32;
    alignas(double) unsigned char bytes[kRuleBytes];
  };

  void set_options(const UpdateOptions& options);
  const Rule& rule_after(const ParameterState& state, DType dtype);
  TensorPtr like_parameter(size_t i, size_t buffer, const TensorPtr& values) const;

  const OptimizerRow& row_;
  const int number_;  // of the row
  std::vector<TensorPtr> parameters_;
  std::vector<ParameterUpdate> updates_;
  UpdateOptions options_{};
  unsigned in_use_ = 0;  // one bit per buffer
  bool is_plain_ = false;
  double plain_rate_ = 0;
  Rule rule_;
  const uint64_t serial_;
  int64_t steps_ = 0;
};

}  // namespace nnlite
