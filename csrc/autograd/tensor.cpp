#include "autograd/tensor.hpp"

#include <algorithm>
#include <atomic>

#include "autograd/in_place.hpp"
#include "autograd/trace.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"

namespace nnlite {
namespace {

thread_local bool grad_is_enabled = true;

size_t checked_bytes(const Shape& shape, DType dtype) {
  int64_t bytes = static_cast<int64_t>(size_of(dtype));
  for (int64_t dim : shape)
    if (dim < 0 || __builtin_mul_overflow(bytes, dim, &bytes))
      throw std::invalid_argument(
          text("shape ", shape, " of ", name_of(dtype), " values has a negative size or is too large"));
  return static_cast<size_t>(bytes);
}

bool wants_gradient(const TensorPtr& tensor) {
  return tensor != nullptr && tensor->requires_grad();
}

}  // namespace

bool Array::overlaps(const Array& other) const {
  const char *begin = as<char>(), *other_begin = other.as<char>();
  return begin < other_begin + other.bytes() && other_begin < begin + bytes();
}

Tensor::Tensor(const Shape& shape, DType dtype)
    : Tensor(shape, dtype, std::make_shared<Storage>(checked_bytes(shape, dtype))) {}

Tensor::Tensor(const Shape& shape, DType dtype, StoragePtr storage)
    : array_{storage->data(), dtype, shape}, storage_(std::move(storage)) {}

Tensor::Tensor(const Array& array, StoragePtr storage) : array_(array), storage_(std::move(storage)) {}

void Tensor::become(const std::shared_ptr<Node>& made_by) {
  past.push_back({made_by->number, std::move(node), requires_grad_});
  node = made_by;
  requires_grad_ = true;
}

Tensor::Past Tensor::at(uint64_t number) const {
  for (const Past& before : past)
    if (number <= before.number) return before;
  return {number, node, requires_grad_};
}

TensorPtr Tensor::snapshot(uint64_t number) const {
  Past then = at(number);
  auto same = std::make_shared<Tensor>(array_, storage_);
  same->node = std::move(then.node);
  same->requires_grad_ = then.requires_grad;
  return same;
}

void Tensor::set_requires_grad(bool requires_grad) {
  if (requires_grad && !is_floating(dtype()))
    throw TypeError(text("only float32 and float64 tensors can require a gradient, this one is ", name_of(dtype())));
  if (!requires_grad && node != nullptr && requires_grad_)
    throw std::runtime_error("requires_grad of a computed tensor cannot be switched off; use detach()");
  requires_grad_ = requires_grad;
}

void Tensor::set_data(const Tensor& other) {
  if (Trace::current() != nullptr || other.trace_number != 0)
    throw CaptureError("a tensor's data is replaced in a traced forward pass; pass compile=False");
  if (node != nullptr)
    throw std::runtime_error("the data of a computed tensor cannot be replaced; use detach() or clone() first");
  if (requires_grad_ && !is_floating(other.dtype()))
    throw TypeError(
        text("data of a tensor that requires a gradient must be float32 or float64, got ", name_of(other.dtype())));
  array_ = other.array_;
  storage_ = other.storage_;
}

bool Tensor::is_leaf() const {
  return node == nullptr || !node->needs_gradient;
}

const Array& Tensor::values() const {
  Trace* trace = Trace::current();
  if (trace != nullptr && (trace_number == trace->number() || requires_grad_))
    throw CaptureError(
        "the forward pass reads the value of a tensor (item(), a comparison, max(dim), a NumPy function or the like), "
        "so the "
        "step cannot be captured; pass compile=False to run it operation by operation");
  require_usable(*this, trace);
  if (trace != nullptr) trace->note_read(array_);
  return array_;
}

TensorPtr full(const Shape& shape, DType dtype, double value) {
  const FloatingPointScope scope;
  auto tensor = std::make_shared<Tensor>(shape, dtype);
  const int64_t n = tensor->array().size();
  if (dtype == DType::int64)
    std::fill_n(tensor->array().as<int64_t>(), n, static_cast<int64_t>(value));
  else if (dtype == DType::boolean)
    std::fill_n(tensor->array().as<uint8_t>(), n, static_cast<uint8_t>(value != 0));
  else
    dispatch(dtype, [&](auto zero) {
      std::fill_n(tensor->array().as<decltype(zero)>(), n, static_cast<decltype(zero)>(value));
    });
  return tensor;
}

uint64_t next_number() {
  static std::atomic<uint64_t> next{0};
  return next++;
}

Node::Node(OperationPtr op, std::vector<TensorPtr> in, bool gradient)
    : operation(std::move(op)), inputs(std::move(in)), number(next_number()), needs_gradient(gradient) {}

void Node::count_changes() const {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i] != nullptr && operation->writes_input(i)) inputs[i]->storage()->count_change();
}

// Destroys a chain of nodes in a loop: recursion would take one stack frame per operation. The nodes themselves form
// the list of nodes to destroy, since a destructor must not allocate.
Node::~Node() {
  std::shared_ptr<Node> doomed;
  const auto release = [&doomed](std::vector<TensorPtr>& tensors) {
    for (TensorPtr& input : tensors) {
      const TensorPtr tensor = std::move(input);
      if (tensor == nullptr || tensor.use_count() > 1 || tensor->node == nullptr || tensor->node.use_count() > 1)
        continue;
      tensor->node->next_doomed = std::move(doomed);
      doomed = std::move(tensor->node);
    }
    tensors.clear();
  };
  release(inputs);
  while (doomed != nullptr) {
    const std::shared_ptr<Node> node = std::move(doomed);
    doomed = std::move(node->next_doomed);
    release(node->inputs);
  }
}

bool grad_enabled() {
  return grad_is_enabled;
}

bool set_grad_enabled(bool enabled) {
  return std::exchange(grad_is_enabled, enabled);
}

namespace {

TensorPtr view_of(const TensorPtr& x, const Array& like, int64_t offset) {
  Array part = like;
  part.data = x->array().as<char>() + static_cast<size_t>(offset) * size_of(like.dtype);
  auto view = std::make_shared<Tensor>(part, x->storage());
  view->base = x->base == nullptr ? x : x->base;
  view->changes = view->base->changes;
  return view;
}

}  // namespace

TensorPtr apply_operation(OperationPtr operation, std::vector<TensorPtr> inputs) {
  const FloatingPointScope scope;
  Trace* trace = Trace::current();
  for (const TensorPtr& input : inputs) {
    if (input == nullptr) continue;
    require_usable(*input, trace);
    if (input->base != nullptr) refresh(input);
  }
  const bool gradient = grad_is_enabled && std::any_of(inputs.begin(), inputs.end(), wants_gradient);
  auto node = std::make_shared<Node>(std::move(operation), std::move(inputs), gradient);
  node->arrays.reserve(node->inputs.size());
  for (size_t i = 0; i < node->inputs.size(); ++i) {
    const TensorPtr& input = node->inputs[i];
    node->arrays.push_back(input == nullptr ? Array() : input->array());
    if (input == nullptr) continue;
    node->arrays.back().version = input->storage()->version();
    if (!input->is_leaf()) continue;
    if (i < node->memory.size())
      node->memory[i] = input->storage();
    else
      node->more_memory.push_back(input->storage());
  }
  const Array made = node->operation->infer(node->arrays);
  auto output = node->operation->aliases_input() ? view_of(node->inputs[0], made, node->operation->alias_offset())
                                                 : std::make_shared<Tensor>(made.shape, made.dtype);
  node->output = output->array();
  node->output.version = output->storage()->version();
  if (trace == nullptr) {
    node->operation->forward(node->arrays, node->output);
    if (node->operation->is_stateful()) node->count_changes();
  }
  if (gradient && is_floating(made.dtype)) output->set_requires_grad(true);
  if (gradient || trace != nullptr) {
    node->output_storage = output->storage();
    output->node = node;
  }
  if (trace != nullptr) {
    output->trace_number = trace->number();
    trace->record(std::move(node));
  }
  return output;
}

}  // namespace nnlite
