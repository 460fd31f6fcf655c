// In-place changes of a tensor's memory, and how the tape records them.
#pragma once

#include <stdexcept>
#include <vector>

#include "autograd/operations.hpp"

namespace nnlite {

// A view in PyTorch is a copy here if its elements are not contiguous (columns, a transposed matrix).
// It remembers its origin, so that no change of it is lost silently.
struct CopiedFrom {
  TensorPtr source;           // null: a change cannot be brought back there
  std::vector<Slice> slices;  // one for each dimension of the source
};

// Marks `copy` where it is not x's own memory; no slices: the dimensions of x were permuted.
void stand_for_view(const TensorPtr& copy, const TensorPtr& x, const std::vector<Slice>& slices);
// The mark of a detached tensor of the memory of x.
std::shared_ptr<const CopiedFrom> detached_mark(const TensorPtr& x);

// Throws where `operation` must not change x: in a trace, and a leaf that requires a gradient while the tape records.
void require_in_place(const TensorPtr& x, const char* operation);
// Also where x only stands for a view; with `write_back`, where a change of it cannot be brought back.
void require_own_memory(const TensorPtr& x, const char* operation, bool write_back = false);

// x at the selection becomes `value`, of any type, broadcast to it. The gradient of what was there goes to `value`. x
// is not checked.
void assign(const TensorPtr& x, const Selection& selection, const TensorPtr& value);
Selection everything(const Shape& shape);

// x becomes `result`, which was computed from snapshot_for(x, ...); x stays the same object of the same shape and type.
void replace(const TensorPtr& x, const TensorPtr& result, const char* operation);
// x as an operation may read it whose result will replace() it.
TensorPtr current(const TensorPtr& x, bool kept);

// What backward() throws if `what` of a node was changed since; `kept` is the value as the node read it.
[[noreturn]] void refuse_changed(const Node& node, const std::string& what, const Array& kept, uint32_t version);

// Gives a view the node that a recorded operation on its base has made of it.
void refresh(const TensorPtr& view);

}  // namespace nnlite
