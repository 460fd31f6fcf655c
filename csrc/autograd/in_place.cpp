#include "autograd/in_place.hpp"

#include <cstring>

#include "autograd/gradients.hpp"
#include "autograd/trace.hpp"

namespace nnlite {
namespace {

constexpr uint64_t kNow = UINT64_MAX;

// Whether x is a view that still shares its base's memory.
bool is_view(const Tensor& x) {
  return x.base != nullptr && x.base->storage() == x.storage();
}

const TensorPtr& owner_of(const TensorPtr& x) {
  return is_view(*x) ? x->base : x;
}

int64_t offset_in(const Tensor& base, const Tensor& view) {
  return (view.array().as<char>() - base.array().as<char>()) / static_cast<int64_t>(size_of(view.dtype()));
}

bool is_guarded_leaf(const Tensor& x) {
  return x.is_leaf() && x.requires_grad();
}

// A node that computed x's new value from x would form a reference cycle with it, so it gets a snapshot of x.
void cut_cycles(const Tensor& x, const std::shared_ptr<Node>& made_by) {
  const std::shared_ptr<Node>& first = x.past.front().node;
  const uint64_t oldest = first == nullptr ? 0 : first->number;
  std::vector<Node*> pending{made_by.get()};
  while (!pending.empty()) {
    Node* node = pending.back();
    pending.pop_back();
    if (node->number <= oldest || std::exchange(node->searched_for, &x) == &x) continue;
    for (TensorPtr& input : node->inputs) {
      if (input == nullptr) continue;
      const Tensor* source = input->copied_from == nullptr ? nullptr : input->copied_from->source.get();
      if (input.get() == &x || input->base.get() == &x || source == &x) input = input->snapshot(node->number);
      if (input->node != nullptr) pending.push_back(input->node.get());
    }
  }
}

void record_change(const TensorPtr& x, const TensorPtr& result) {
  if (result->node == nullptr) return;
  const bool retained = retains_grad(x);
  x->become(result->node);
  if (retained) retain_grad(x);
  ++x->changes;
  cut_cycles(*x, result->node);
}

// Writes a changed copy of columns back to the columns.
void write_back(const TensorPtr& copy) {
  if (copy->copied_from == nullptr || copy->copied_from->source == nullptr) return;
  const auto& [source, slices] = *copy->copied_from;
  Selection selection(0);
  for (size_t i = 0; i < slices.size(); ++i) {
    const int64_t stride = source->shape().count(static_cast<int>(i) + 1, source->shape().rank());
    for (int64_t& start : selection.starts) start += slices[i].start * stride;
    selection.add_dim(slices[i].count, slices[i].step * stride);
  }
  assign(source, selection, reshape(copy, selection.shape));
}

}  // namespace

// A copy of a copy does not refer to its source: copies made in a loop would keep each other alive.
void stand_for_view(const TensorPtr& copy, const TensorPtr& x, const std::vector<Slice>& slices) {
  if (copy->storage() == x->storage()) return;
  const bool reachable = !slices.empty() && owner_of(x)->copied_from == nullptr;
  copy->copied_from = std::make_shared<const CopiedFrom>(reachable ? CopiedFrom{x, slices} : CopiedFrom{});
}

std::shared_ptr<const CopiedFrom> detached_mark(const TensorPtr& x) {
  const std::shared_ptr<const CopiedFrom>& mark = owner_of(x)->copied_from;
  if (mark == nullptr || mark->source == nullptr) return mark;
  if (is_view(*x)) return std::make_shared<const CopiedFrom>();
  return std::make_shared<const CopiedFrom>(CopiedFrom{detach(mark->source), mark->slices});
}

void require_in_place(const TensorPtr& x, const char* operation) {
  if (Trace::current() != nullptr)
    throw CaptureError(text(operation, " changes a tensor in a traced forward pass; pass compile=False"));
  x->values();
  const TensorPtr& owner = owner_of(x);
  if (owner->copied_from != nullptr && owner->copied_from->source != nullptr)
    require_in_place(owner->copied_from->source, operation);
  if (!grad_enabled() || !is_guarded_leaf(*owner)) return;
  throw std::runtime_error(text(owner == x ? "a leaf" : "a view of a leaf",
                                " tensor that requires a gradient is changed by ", operation,
                                " while the tape records; do it under nl.no_grad()"));
}

void require_own_memory(const TensorPtr& x, const char* operation, bool write_back) {
  require_in_place(x, operation);
  const std::shared_ptr<const CopiedFrom>& mark = owner_of(x)->copied_from;
  if (mark == nullptr || (write_back && mark->source != nullptr)) return;
  throw std::runtime_error(
      text(operation,
           " would change a copy: columns and transposed tensors are copies, not views. Write into the tensor itself "
           "(w[:, 0] = value, w[:] = value.T), or change a clone()"));
}

Selection everything(const Shape& shape) {
  Selection all(0);
  all.run = shape.size();
  all.shape = shape;
  if (all.run == 0) all.starts.clear();
  return all;
}

void assign(const TensorPtr& x, const Selection& selection, const TensorPtr& value) {
  refresh(x);
  TensorPtr part = cast(value, x->dtype());
  if (part->shape().rank() == 0 && is_floating(x->dtype()) && !part->requires_grad())
    part =
        full(selection.shape, x->dtype(),
             dispatch(x->dtype(), [&](auto zero) { return static_cast<double>(*part->array().as<decltype(zero)>()); }));
  const Shape& shape = part->shape();
  bool fits = shape.rank() <= selection.shape.rank();
  for (int i = 1; fits && i <= shape.rank(); ++i) {
    const int64_t size = shape[shape.rank() - i];
    fits = size == 1 || size == selection.shape[selection.shape.rank() - i];
  }
  if (!fits)
    throw std::runtime_error(
        text("a value of shape ", value->shape(), " cannot be broadcast to the selected shape ", selection.shape));
  // If both share memory, `part` is copied first: it would be overwritten while it is read.
  if (part->shape() != selection.shape || part->storage() == x->storage()) part = expand(part, selection.shape);
  const TensorPtr& owner = owner_of(x);
  Selection within = selection;
  for (int64_t& start : within.starts) start += offset_in(*owner, *x);
  const TensorPtr result = assigned(owner->snapshot(kNow), part, std::move(within));
  owner->storage()->count_change();
  record_change(owner, result);
  write_back(owner);
}

TensorPtr current(const TensorPtr& x, bool kept) {
  refresh(x);
  TensorPtr now = x->snapshot(kNow);
  if (!kept) return now;
  const TensorPtr copy = std::make_shared<Tensor>(x->shape(), x->dtype());
  std::memcpy(copy->array().data, x->array().data, x->array().bytes());
  copy->node = now->node;
  copy->set_requires_grad(now->requires_grad());
  return copy;
}

void replace(const TensorPtr& x, const TensorPtr& result, const char* operation) {
  if (result->shape() != x->shape())
    throw std::runtime_error(text(operation, ": a result of shape ", result->shape(),
                                  " cannot replace the values of a tensor of shape ", x->shape()));
  if (!is_floating(x->dtype()) && result->dtype() != x->dtype())
    throw std::runtime_error(text(operation, ": a result of type ", name_of(result->dtype()),
                                  " cannot replace the values of a tensor of type ", name_of(x->dtype())));
  const TensorPtr value = cast(result, x->dtype());
  if (is_view(*x)) {
    assign(x, everything(x->shape()), value);
  } else {
    std::memcpy(x->array().data, value->array().data, x->array().bytes());
    x->storage()->count_change();
    record_change(x, value);
    write_back(x);
  }
  if (value->node == nullptr) return;
  // The result now lies in x's memory and shares its version.
  value->node->output = x->array();
  value->node->output.version = x->storage()->version();
  value->node->output_storage = x->storage();
}

void refuse_changed(const Node& node, const std::string& what, const Array& kept, uint32_t version) {
  throw std::runtime_error(
      text("one of the variables needed for gradient computation has been modified by an inplace operation: [",
           node.operation->name(), "] needs ", what, ", a ", name_of(kept.dtype), " tensor of shape ", kept.shape,
           ", which is at version ", version, "; expected version ", kept.version,
           ". Change it before the forward pass, after backward(), or change a clone()"));
}

void refresh(const TensorPtr& x) {
  if (!is_view(*x) || x->changes == x->base->changes) return;
  const bool before = set_grad_enabled(true);
  const TensorPtr fresh = view(x->base, offset_in(*x->base, *x), x->shape());
  set_grad_enabled(before);
  if (fresh->node != nullptr) x->become(fresh->node);
  x->changes = x->base->changes;
}

}  // namespace nnlite
