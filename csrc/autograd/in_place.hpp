// In-place changes of a tensor's memory, and how the tape records them.
#pragma once

#include <stdexcept>
#include <vector>

#include "autograd/operations.hpp"

namespace nnlite {

// A view in PyTorch is a copy here if its elements are not contiguous (columns, a transposed matrix).
// It records its origin, so that no change to it is lost silently.
struct CopiedFrom {
  TensorPtr source;           // null: changes cannot be written back
  std::vector<Slice> slices;  // one per dimension of the source
};

// Marks `copy` as standing for a view of x unless it shares x's memory. Without slices, x's dimensions were permuted.
void stand_for_view(const TensorPtr& copy, const TensorPtr& x, const std::vector<Slice>& slices);
// The mark for a detached tensor that shares x's memory.
std::shared_ptr<const CopiedFrom> detached_mark(const TensorPtr& x);

// Throws if `operation` must not change x: in a trace, or a leaf that requires a gradient while the tape records.
void require_in_place(const TensorPtr& x, const char* operation);
// Also if x is a copy that stands for a view; with `write_back`, only if changes to it cannot be written back.
void require_own_memory(const TensorPtr& x, const char* operation, bool write_back = false);

// Sets x at the selection to `value`, of any type, broadcast to it. The gradient of these elements goes to `value`.
// Does not check x.
void assign(const TensorPtr& x, const Selection& selection, const TensorPtr& value);
Selection everything(const Shape& shape);

// Replaces x's values by `result`, computed from current(x, ...); x remains the same object, of the same shape and
// type.
void replace(const TensorPtr& x, const TensorPtr& result, const char* operation);
// x as the input of an operation whose result replace() will store in it; a copy if its value must be `kept`.
TensorPtr current(const TensorPtr& x, bool kept);

// Throws backward()'s error for a node whose `what` has changed since; `kept` is the value as the node read it.
[[noreturn]] void refuse_changed(const Node& node, const std::string& what, const Array& kept, uint32_t version);

// Updates the node of a view after a recorded operation on its base.
void refresh(const TensorPtr& view);

}  // namespace nnlite
