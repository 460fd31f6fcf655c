// Groups of parameters and the state of their updates, for every row of kernels/optimizers.hpp.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "autograd/tensor.hpp"
#include "kernels/table.hpp"

namespace nnlite {

// A row's options, in its order.
using UpdateOptions = std::array<double, kMostOptions>;

// What an optimizer remembers of one parameter.
struct ParameterState {
  int64_t steps = 0;  // that the buffers have seen
  double scalar = 1;  // that all elements share
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

  // A number that no other group of the process has, not even one whose memory this one took over.
  uint64_t serial() const { return serial_; }

  // How many times step() has updated the parameters.
  int64_t steps() const { return steps_; }

  // Changes after any operation that has written into a parameter.
  uint64_t changes() const;

  // One step from the parameters' grad; those without one are skipped.
  void step(const UpdateOptions& options);
  // Allocates all memory that step() needs, so that step() cannot fail.
  void prepare(const UpdateOptions& options);
  void zero_grad();

  // The update of parameter i, at one place as long as the group lives. It follows these options, with its buffers in
  // place, from prepare() on; after each step, finish(i).
  const ParameterUpdate& update(size_t i) const { return updates_[i]; }
  void prepare(size_t i, const UpdateOptions& options);
  void finish(size_t i);

  // The state of parameter i, whose buffers are null where there is none yet.
  ParameterState state(size_t i) const;
  // The buffers are copied.
  void set_state(size_t i, const ParameterState& state);

 private:
  friend struct ParameterUpdate;

  // A row's rule for the options and steps, which most parameters of a group share.
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
  unsigned in_use_ = 0;  // a bit for each buffer
  bool is_plain_ = false;
  double plain_rate_ = 0;
  Rule rule_;
  const uint64_t serial_;
  int64_t steps_ = 0;
};

}  // namespace nnlite
