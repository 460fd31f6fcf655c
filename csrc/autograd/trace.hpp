// Records a step by shapes alone, without computing.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "autograd/tensor.hpp"

namespace nnlite {

// Thrown while a trace is open, it also spoils the trace, since the forward pass may catch it and continue differently.
struct CaptureError : std::runtime_error {
  explicit CaptureError(const std::string& why);
};

// While a trace is open on a thread, apply_operation() records in it and runs nothing.
class Trace : public SharedObject {
 public:
  Trace();
  void open();  // throws CaptureError if another one is open
  void close();
  ~Trace();

  static Trace* current();

  uint64_t number() const { return number_; }  // unique, never 0

  // An input, filled in later.
  TensorPtr placeholder(const Shape& shape, DType dtype);

  // Python read these values while the trace was open, so what it recorded depends on them.
  void note_read(const Array& array) { reads_.push_back(array); }
  const Arrays& reads() const { return reads_; }

  void spoil(const std::string& why) { spoiled_by_ = why; }

  void record(std::shared_ptr<Node> node);
  const std::vector<std::shared_ptr<Node>>& nodes() const { return nodes_; }

  // Operations with attributes, shapes and inputs: equal for two traces that compute the same. Leaves that the step
  // changes are identified by address, others by value, so that values that differ at each call (noise) show up. `ends`
  // (each may be null) are the results of the step. Throws CaptureError for a spoiled trace.
  std::string signature(const std::vector<TensorPtr>& ends) const;

 private:
  Arrays changing_leaves() const;
  std::string leaf_description(const Tensor& leaf, const Arrays& changing) const;

  const uint64_t number_;
  std::vector<TensorPtr> placeholders_;
  Arrays reads_;
  std::string spoiled_by_;
  std::vector<std::shared_ptr<Node>> nodes_;
};

// Throws CaptureError if a tensor has no values because it belongs to another trace than `current` (which may be null).
void require_usable(const Tensor& tensor, const Trace* current);

}  // namespace nnlite
