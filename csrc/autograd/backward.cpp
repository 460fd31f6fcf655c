// The backward pass: visits the reachable nodes, latest first; each adds its vjp to the gradients of its inputs.
#include <algorithm>

#include "autograd/in_place.hpp"
#include "autograd/tape.hpp"
#include "autograd/tensor.hpp"
#include "autograd/trace.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

// Throws if a value that a node's backward pass reads has changed since the node read it.
void require_unchanged(const Node& node) {
  const size_t inputs = std::min<size_t>(node.inputs.size(), 63);
  Operation::Values wanted = 0;
  for (size_t i = 0; i < inputs; ++i)
    if (origin_of(node.inputs[i], node).wants_gradient) wanted |= Operation::Values{1} << i;
  const Operation::Values kept = node.operation->kept(wanted);
  for (size_t i = 0; i < inputs; ++i)
    if ((kept >> i & 1) != 0 && node.arrays[i]) require_unchanged(node, i);
  if ((kept & Operation::kOutput) != 0) require_unchanged_output(node);
}

}  // namespace

void require_unchanged(const Node& node, size_t i) {
  const bool held = i < node.memory.size() && node.memory[i] != nullptr;
  const Storage& storage = held ? *node.memory[i] : *node.inputs[i]->storage();
  if (storage.version() != node.arrays[i].version)
    refuse_changed(node, text("its input ", i), node.arrays[i], storage.version());
}

void require_unchanged_output(const Node& node) {
  if (node.output_storage->version() != node.output.version)
    refuse_changed(node, "its output", node.output, node.output_storage->version());
}

void require_readable(const Node& node) {
  if (node.released)
    throw std::runtime_error(
        "backward() was called a second time on the same operations, whose values were released; pass "
        "retain_graph=True to the first call");
  require_unchanged(node);
}

void add_into(const Array& target, const Array& term) {
  dispatch(target.dtype, [&](auto zero) {
    using T = decltype(zero);
    parallel_spans(target.size(), 4096, 1, [&](int64_t begin, int64_t end) {
      kernels<T>().add(target.as<T>() + begin, term.as<T>() + begin, target.as<T>() + begin, end - begin);
    });
  });
}

void require_same_kind(const Tensor& tensor, const Tensor& gradient) {
  if (tensor.shape() == gradient.shape() && tensor.dtype() == gradient.dtype()) return;
  throw std::runtime_error(text("backward() computed a gradient of shape ", gradient.shape(), " and type ",
                                name_of(gradient.dtype()), " for a tensor that now has shape ", tensor.shape(),
                                " and type ", name_of(tensor.dtype()),
                                ": convert a model before computing the loss, and clear old gradients"));
}

TensorPtr root_gradient(const TensorPtr& root, const TensorPtr& gradient) {
  require_usable(*root, nullptr);
  if (gradient != nullptr) require_usable(*gradient, nullptr);
  if (!root->requires_grad())
    throw std::runtime_error("backward() needs a tensor that requires a gradient; this one does not depend on any");
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

namespace {

constexpr size_t kUsualNodes = 32;  // enough for a small network, so that the lists do not grow

// Reachable nodes that need a gradient, latest first.
std::vector<Node*> nodes_behind(const TensorPtr& root) {
  const uint64_t walk = next_number();
  std::vector<Node*> found, pending;
  found.reserve(kUsualNodes), pending.reserve(kUsualNodes);
  pending.push_back(root->node.get());
  while (!pending.empty()) {
    Node* node = pending.back();
    pending.pop_back();
    if (std::exchange(node->last_walk, walk) == walk) continue;
    require_readable(*node);
    found.push_back(node);
    for (const TensorPtr& input : node->inputs) {
      const Origin origin = origin_of(input, *node);
      if (origin.wants_gradient && origin.node != nullptr) pending.push_back(origin.node);
    }
  }
  std::sort(found.begin(), found.end(), [](const Node* a, const Node* b) { return a->number > b->number; });
  return found;
}

// The slot that accumulates the gradient of `tensor`: a leaf's grad, or the gradient of its node's output.
TensorPtr& gradient_slot(const TensorPtr& tensor, const Origin& origin) {
  return origin.node == nullptr ? tensor->grad : origin.node->doutput;
}

// Buffers that the nodes of a backward pass share.
struct Propagation {
  std::vector<TensorPtr> made;
  Gradients gradients;
};

void propagate(Node& node, Propagation& propagation) {
  const TensorPtr doutput = std::exchange(node.doutput, nullptr);
  auto& [made, gradients] = propagation;
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

}  // namespace

void backward(const TensorPtr& root, const TensorPtr& gradient, bool retain_graph) {
  const FloatingPointScope scope;
  if (Trace::current() != nullptr)
    throw CaptureError("backward() was called inside a traced forward pass; pass compile=False");
  const TensorPtr seed = root_gradient(root, gradient);
  if (root->node == nullptr) {
    const Tensor copy = *seed;
    if (root->grad == nullptr) root->grad = full(root->shape(), root->dtype(), 0.0);
    require_same_kind(*root->grad, copy);
    return add_into(root->grad->array(), copy.array());
  }
  const std::shared_ptr<Node> last = root->node;
  const std::vector<Node*> nodes = nodes_behind(root);
  // Later nodes own earlier ones through their inputs, so the earliest is released first.
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
  Propagation propagation;
  for (Node* node : nodes)
    if (node->doutput != nullptr) propagate(*node, propagation);
}

}  // namespace nnlite
