#include "autograd/tensor.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "autograd/in_place.hpp"
#include "autograd/trace.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

thread_local bool grad_is_enabled = true;
std::atomic<uint64_t> next_number{0};

size_t checked_bytes(const Shape& shape, DType dtype) {
  int64_t bytes = static_cast<int64_t>(size_of(dtype));
  for (int64_t dim : shape)
    if (dim < 0 || __builtin_mul_overflow(bytes, dim, &bytes))
      throw std::invalid_argument(text("shape ", shape, " is not a possible shape of ", name_of(dtype), " values"));
  return static_cast<size_t>(bytes);
}

// A tensor of another trace, or of one that is over, has no value to compute with.
void require_usable(const Tensor& tensor, const Trace* trace) {
  if (tensor.trace_number == 0 || (trace != nullptr && trace->number() == tensor.trace_number)) return;
  throw CaptureError(
      "a tensor that a forward pass made while its step was being captured is used outside that pass (kept on the "
      "model "
      "or in a list?); it stands for a value and holds none: compute it again, or pass compile=False to run the step "
      "operation by operation");
}

bool wants_gradient(const TensorPtr& tensor) {
  return tensor != nullptr && tensor->requires_grad();
}

// An input as a node saw it: the node that made it, and whether it required a gradient.
struct Origin {
  Node* node = nullptr;
  bool wants_gradient = false;
};

// Called several times for each input of a backward pass, and nearly always answered by its first two lines.
[[gnu::always_inline]] inline Origin origin_of(const TensorPtr& input, const Node& reader) {
  if (input == nullptr) return {};
  if (input->past.empty()) return {input->node.get(), input->requires_grad()};
  const Tensor::Past then = input->at(reader.number);
  return {then.node.get(), then.requires_grad};
}

// Names the first value that a node's backward pass reads and that has changed since.
void require_unchanged(const Node& node) {
  const size_t inputs = std::min<size_t>(node.inputs.size(), 63);
  Operation::Values wanted = 0;
  for (size_t i = 0; i < inputs; ++i)
    if (origin_of(node.inputs[i], node).wants_gradient) wanted |= Operation::Values{1} << i;
  const Operation::Values kept = node.operation->kept(wanted);
  for (size_t i = 0; i < inputs; ++i) {
    if ((kept >> i & 1) == 0 || !node.arrays[i]) continue;
    const bool held = i < node.memory.size() && node.memory[i] != nullptr;
    const Storage& storage = held ? *node.memory[i] : *node.inputs[i]->storage();
    if (storage.version() != node.arrays[i].version)
      refuse_changed(node, text("its input ", i), node.arrays[i], storage.version());
  }
  if ((kept & Operation::kOutput) != 0 && node.output_storage->version() != node.output.version)
    refuse_changed(node, "its output", node.output, node.output_storage->version());
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
        "the forward pass reads the value of a tensor (item(), numpy(), bool(), a NumPy function or the like), so the "
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
  else
    dispatch(dtype, [&](auto zero) {
      std::fill_n(tensor->array().as<decltype(zero)>(), n, static_cast<decltype(zero)>(value));
    });
  return tensor;
}

Node::Node(OperationPtr op, std::vector<TensorPtr> in, bool gradient)
    : operation(std::move(op)), inputs(std::move(in)), number(next_number++), needs_gradient(gradient) {}

void Node::count_changes() const {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i] != nullptr && operation->writes_input(i)) inputs[i]->storage()->count_change();
}

// A chain of nodes would otherwise be destroyed by recursion, one stack frame per operation. The nodes themselves make
// the list of nodes still to destroy: a destructor must not allocate.
Node::~Node() {
  std::shared_ptr<Node> doomed;
  const auto let_go = [&doomed](std::vector<TensorPtr>& tensors) {
    for (TensorPtr& input : tensors) {
      const TensorPtr tensor = std::move(input);
      if (tensor == nullptr || tensor.use_count() > 1 || tensor->node == nullptr || tensor->node.use_count() > 1)
        continue;
      tensor->node->next_doomed = std::move(doomed);
      doomed = std::move(tensor->node);
    }
    tensors.clear();
  };
  let_go(inputs);
  while (doomed != nullptr) {
    const std::shared_ptr<Node> node = std::move(doomed);
    doomed = std::move(node->next_doomed);
    let_go(node->inputs);
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

namespace {

constexpr size_t kUsualNodes = 32;  // room for a small network's, so that the lists need not grow

// Reachable nodes that need a gradient, latest first.
std::vector<Node*> nodes_behind(const TensorPtr& root) {
  const uint64_t walk = next_number++;
  std::vector<Node*> found, pending;
  found.reserve(kUsualNodes), pending.reserve(kUsualNodes);
  pending.push_back(root->node.get());
  while (!pending.empty()) {
    Node* node = pending.back();
    pending.pop_back();
    if (std::exchange(node->last_walk, walk) == walk) continue;
    if (node->released)
      throw std::runtime_error(
          "backward() was called a second time over the same operations, whose values are gone; pass retain_graph=True "
          "to the first call");
    require_unchanged(*node);
    found.push_back(node);
    for (const TensorPtr& input : node->inputs) {
      const Origin origin = origin_of(input, *node);
      if (origin.wants_gradient && origin.node != nullptr) pending.push_back(origin.node);
    }
  }
  std::sort(found.begin(), found.end(), [](const Node* a, const Node* b) { return a->number > b->number; });
  return found;
}

void add_into(const Array& target, const Array& term) {
  dispatch(target.dtype, [&](auto zero) {
    using T = decltype(zero);
    parallel_spans(target.size(), 4096, 1, [&](int64_t begin, int64_t end) {
      kernels<T>().add(target.as<T>() + begin, term.as<T>() + begin, target.as<T>() + begin, end - begin);
    });
  });
}

// A leaf's data, or the gradient that it already has, may have got another shape or type since.
void require_same_kind(const Tensor& tensor, const Tensor& gradient) {
  if (tensor.shape() == gradient.shape() && tensor.dtype() == gradient.dtype()) return;
  throw std::runtime_error(text("backward() made a gradient of shape ", gradient.shape(), " and type ",
                                name_of(gradient.dtype()), " for a tensor that has shape ", tensor.shape(),
                                " and type ", name_of(tensor.dtype()),
                                " now: convert a model before computing the loss, and drop old gradients"));
}

// The slot that gathers the gradient of `tensor`: a leaf's grad, or the gradient of its node's output.
TensorPtr& gradient_slot(const TensorPtr& tensor, const Origin& origin) {
  return origin.node == nullptr ? tensor->grad : origin.node->doutput;
}

// The state that the nodes of a backward pass share.
struct Scratch {
  std::vector<TensorPtr> made;
  Gradients gradients;
};

void propagate(Node& node, Scratch& scratch) {
  const TensorPtr doutput = std::exchange(node.doutput, nullptr);
  auto& [made, gradients] = scratch;
  made.assign(node.inputs.size(), nullptr);
  gradients.assign(node.inputs.size(), Gradient());
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!origin_of(node.inputs[i], node).wants_gradient) continue;
    made[i] = std::make_shared<Tensor>(node.arrays[i].shape, node.arrays[i].dtype);
    gradients[i].data = made[i]->array().data;
  }
  node.operation->vjp(node.arrays, node.output, doutput->array(), gradients);
  for (size_t i = 0; i < made.size(); ++i) {
    if (made[i] == nullptr) continue;
    const Origin origin = origin_of(node.inputs[i], node);
    TensorPtr& slot = gradient_slot(node.inputs[i], origin);
    require_same_kind(*node.inputs[i], *made[i]);
    if (slot != nullptr) require_same_kind(*slot, *made[i]);
    if (slot == nullptr) {
      slot = std::move(made[i]);
    } else {
      add_into(slot->array(), made[i]->array());
      slot->storage()->count_change();
    }
  }
}

TensorPtr checked_root_gradient(const TensorPtr& root, const TensorPtr& gradient) {
  if (gradient == nullptr) {
    if (root->array().size() != 1)
      throw std::runtime_error(text("backward() without a gradient needs a tensor of one element, this one has shape ",
                                    root->shape(), "; reduce it (sum, mean) or pass gradient="));
    return full(root->shape(), root->dtype(), 1.0);
  }
  if (gradient->shape() != root->shape() || gradient->dtype() != root->dtype())
    throw std::invalid_argument(text("backward() got a gradient of shape ", gradient->shape(), " and type ",
                                     name_of(gradient->dtype()), " for a tensor of shape ", root->shape(), " and type ",
                                     name_of(root->dtype())));
  return gradient;
}

}  // namespace

void backward(const TensorPtr& root, const TensorPtr& gradient, bool retain_graph) {
  const FloatingPointScope scope;
  if (Trace::current() != nullptr)
    throw CaptureError("backward() was called inside a traced forward pass; pass compile=False");
  require_usable(*root, nullptr);
  if (gradient != nullptr) require_usable(*gradient, nullptr);
  if (!root->requires_grad())
    throw std::runtime_error(
        "backward() needs a tensor that requires a gradient; no operation behind this one involves such a tensor");
  const TensorPtr seed = checked_root_gradient(root, gradient);
  if (root->node == nullptr) {
    const Tensor copy = *seed;
    if (root->grad == nullptr) root->grad = full(root->shape(), root->dtype(), 0.0);
    require_same_kind(*root->grad, copy);
    return add_into(root->grad->array(), copy.array());
  }
  const std::shared_ptr<Node> last = root->node;
  const std::vector<Node*> nodes = nodes_behind(root);
  // Later nodes hold earlier ones through their inputs, so the earliest is released first.
  struct Cleanup {
    const std::vector<Node*>& nodes;
    bool release;
    ~Cleanup() {
      for (auto at = nodes.rbegin(); at != nodes.rend(); ++at) {
        Node& node = **at;
        node.doutput = nullptr;
        if (!release) continue;
        node.inputs.clear();
        node.released = true;
      }
    }
  } const cleanup{nodes, !retain_graph};
  last->doutput = seed;
  Scratch scratch;
  for (Node* node : nodes)
    if (node->doutput != nullptr) propagate(*node, scratch);
}

}  // namespace nnlite
