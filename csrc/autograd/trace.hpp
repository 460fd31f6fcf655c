// Recording a step by shapes alone.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "autograd/tensor.hpp"

namespace nnlite {

struct CaptureError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// While a tape is open on a thread, apply_operation() records there and runs nothing.
class Tape : public SharedObject {
 public:
  void open();  // throws std::runtime_error when another one is open
  void close();
  ~Tape();

  static Tape* current();

  void record(std::shared_ptr<Node> node) { nodes_.push_back(std::move(node)); }
  const std::vector<std::shared_ptr<Node>>& nodes() const { return nodes_; }

  // Operations, attributes, shapes, and whom they read: equal for two traces that do the same. Leaves that want a
  // gradient count by identity, other leaves by their values, so that a value made anew at each call (noise) shows.
  std::string signature() const;

 private:
  std::vector<std::shared_ptr<Node>> nodes_;
};

// An input to be filled in later.
TensorPtr placeholder(const Shape& shape, DType dtype);

}  // namespace nnlite
