// Recording a step by shapes alone.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "autograd/tensor.hpp"

namespace nnlite {

// Thrown while a trace is open, it also spoils the trace: the forward pass may catch it and go on by another way.
struct CaptureError : std::runtime_error {
  explicit CaptureError(const std::string& why);
};

// While a trace is open on a thread, apply_operation() records there and runs nothing.
class Trace : public SharedObject {
 public:
  Trace();
  void open();  // throws CaptureError when another one is open
  void close();
  ~Trace();

  static Trace* current();

  uint64_t number() const { return number_; }  // never 0, and never that of another

  // An input to be filled in later.
  TensorPtr placeholder(const Shape& shape, DType dtype);

  // The values that Python read while this trace was open are now part of what it recorded.
  void note_read(const Array& array) { reads_.push_back(array); }
  const Arrays& reads() const { return reads_; }

  void spoil(const std::string& why) { spoiled_by_ = why; }

  void record(std::shared_ptr<Node> node) { nodes_.push_back(std::move(node)); }
  const std::vector<std::shared_ptr<Node>>& nodes() const { return nodes_; }

  // Operations, attributes, shapes, and whom they read: equal for two traces that do the same. Leaves that the step
  // itself changes count by identity, others by their values, so that a value that each call makes again (noise) shows.
  // `ends` (each may be null) are what the step gives back. Throws CaptureError for a spoiled trace.
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

// Throws where a tensor has no value to compute with: that of another trace than `current` (which may be null), or of
// one that is over.
void require_usable(const Tensor& tensor, const Trace* current);

}  // namespace nnlite
