#include "autograd/gradients.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>

#include "autograd/operations.hpp"
#include "autograd/tape.hpp"
#include "autograd/trace.hpp"
#include "runtime/floating_point.hpp"

namespace nnlite {
namespace {

std::atomic<int64_t> hooked_tensors{0};

TensorPtr copy_of(const TensorPtr& x) {
  auto copy = std::make_shared<Tensor>(x->shape(), x->dtype());
  std::memcpy(copy->array().data, x->array().data, x->array().bytes());
  return copy;
}

TensorPtr sum_of(const TensorPtr& a, const TensorPtr& b) {
  static const int add = binary_index("add");
  return binary(add, a, b);
}

// One backward pass. It owns the nodes, since a hook may run another pass over them.
class Pass {
 public:
  explicit Pass(const GradientRequest& request)
      : request_(request), records_(request.derivative != nullptr), mode_(records_) {}

  std::vector<TensorPtr> run() {
    std::vector<TensorPtr> seeds;
    for (size_t i = 0; i < request_.outputs.size(); ++i)
      seeds.push_back(root_gradient(request_.outputs[i], request_.seeds[i]));
    for (const TensorPtr& root : request_.outputs) find(root->node);
    for (const TensorPtr& input : request_.inputs)
      if (const auto at = passed_.find(number_of(input->node.get())); at != passed_.end()) at->second.is_target = true;
    for (auto& [number, state] : passed_)
      for (const TensorPtr& input : state.node->inputs) state.is_needed |= is_wanted(input, *state.node);
    for (size_t i = 0; i < seeds.size(); ++i) {
      const TensorPtr& root = request_.outputs[i];
      const bool own = records_ || seeds[i] != request_.seeds[i];
      deliver(root, root->node.get(), own ? seeds[i] : copy_of(seeds[i]));
    }
    for (auto at = passed_.rbegin(); at != passed_.rend(); ++at) pass(at->second);
    return finished();
  }

 private:
  struct Passed {
    std::shared_ptr<Node> node;
    TensorPtr gradient;      // of its output
    bool is_target = false;  // whether the request includes that gradient
    bool is_needed = false;  // whether the node depends on a target
  };
  struct Leaf {
    TensorPtr tensor, gradient;
  };

  static uint64_t number_of(const Node* node) { return node == nullptr ? UINT64_MAX : node->number; }
  Passed* passed(const Node* node) {
    const auto at = passed_.find(number_of(node));
    return at == passed_.end() ? nullptr : &at->second;
  }

  void find(const std::shared_ptr<Node>& last) {
    std::vector<std::shared_ptr<Node>> pending{last};
    while (!pending.empty()) {
      const std::shared_ptr<Node> node = std::move(pending.back());
      pending.pop_back();
      if (node == nullptr || passed(node.get()) != nullptr) continue;
      require_readable(*node);
      passed_[node->number].node = node;
      for (const TensorPtr& input : node->inputs)
        if (origin_of(input, *node).wants_gradient) pending.push_back(input->at(node->number).node);
    }
  }

  bool is_target(const TensorPtr& leaf) const {
    return request_.inputs.empty() ||
           std::find(request_.inputs.begin(), request_.inputs.end(), leaf) != request_.inputs.end();
  }

  // Whether this input of a node is a target or depends on one.
  bool is_wanted(const TensorPtr& input, const Node& reader) {
    const Origin origin = origin_of(input, reader);
    if (!origin.wants_gradient) return false;
    const Passed* before = passed(origin.node);
    return before == nullptr ? is_target(input) : before->is_target || before->is_needed;
  }

  void pass(Passed& state) {
    if (state.gradient == nullptr) return;
    Node& node = *state.node;
    state.gradient = through(node.hooks.get(), state.gradient, &node);
    if (!state.is_needed) return;
    require_readable(node);
    std::vector<char> wanted;
    for (const TensorPtr& input : node.inputs) wanted.push_back(is_wanted(input, node));
    const std::vector<TensorPtr> made =
        records_ ? request_.derivative({state.node, state.gradient, wanted}) : vjp_of(node, state.gradient, wanted);
    if (!state.is_target) state.gradient = nullptr;
    for (size_t i = 0; i < wanted.size(); ++i)
      if (wanted[i] != 0) deliver(node.inputs[i], origin_of(node.inputs[i], node).node, made[i]);
    if (request_.retain_graph) return;
    node.inputs.clear();
    node.released = true;
  }

  static std::vector<TensorPtr> vjp_of(const Node& node, const TensorPtr& gradient, const std::vector<char>& wanted) {
    std::vector<TensorPtr> made(wanted.size());
    Gradients all(wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i] == 0) continue;
      made[i] = std::make_shared<Tensor>(node.arrays[i].shape, node.arrays[i].dtype);
      all[i].data = made[i]->array().data;
    }
    node.operation->vjp(node.arrays, node.output, gradient->array(), all);
    return made;
  }

  static TensorPtr through(const GradientHooks* hooks, TensorPtr gradient, const Node* node) {
    if (hooks == nullptr) return gradient;
    const std::shared_ptr<GradientHook> hook = hooks->hook;
    if (hook != nullptr) gradient = (*hook)(gradient);
    const TensorPtr x = hooks->retained.lock();
    if (x != nullptr && x->node.get() == node)  // not for x before an in-place operation
      x->grad = x->grad == nullptr ? gradient : sum_of(x->grad, gradient);
    return gradient;
  }

  void deliver(const TensorPtr& x, const Node* node, const TensorPtr& gradient) {
    require_same_kind(*x, *gradient);
    if (Passed* state = passed(node)) return add(state->gradient, gradient);
    if (!is_target(x)) return;
    // As in a pass without hooks, each part of the gradient is added separately, so that the sum has the same bits.
    if (request_.accumulate && !records_ && x->hooks == nullptr) return add(x->grad, gradient);
    for (Leaf& leaf : leaves_)
      if (leaf.tensor == x) return add(leaf.gradient, gradient);
    leaves_.push_back({x, gradient});
  }

  void add(TensorPtr& sum, const TensorPtr& term) const {
    if (sum == nullptr) {
      sum = term;
    } else if (records_) {
      sum = sum_of(sum, term);
    } else {
      require_same_kind(*sum, *term);
      add_into(sum->array(), term->array());
      sum->storage()->count_change();
    }
  }

  // A gradient that a hook or another input shares must not change when it is added to later.
  TensorPtr result(const TensorPtr& x, const TensorPtr& gradient) const {
    const TensorPtr own = gradient.use_count() > 1 && !records_ ? copy_of(gradient) : gradient;
    if (request_.accumulate) add(x->grad, own);
    return own;
  }

  std::vector<TensorPtr> finished() {
    std::vector<TensorPtr> results;
    for (Leaf& leaf : leaves_) {
      leaf.gradient = through(leaf.tensor->hooks.get(), leaf.gradient, nullptr);
      if (request_.inputs.empty()) result(leaf.tensor, leaf.gradient);
    }
    for (const TensorPtr& x : request_.inputs) {
      const Passed* state = passed(x->node.get());
      const TensorPtr* gradient = state == nullptr ? nullptr : &state->gradient;
      for (const Leaf& leaf : leaves_)
        if (leaf.tensor == x) gradient = &leaf.gradient;
      results.push_back(gradient == nullptr || *gradient == nullptr ? nullptr : result(x, *gradient));
    }
    return results;
  }

  const GradientRequest& request_;
  const bool records_;
  const GradMode mode_;
  const FloatingPointScope scope_;
  std::map<uint64_t, Passed> passed_;  // by the nodes' numbers
  std::vector<Leaf> leaves_;           // those with a gradient
};

}  // namespace

GradientHooks::GradientHooks() {
  ++hooked_tensors;
}
GradientHooks::~GradientHooks() {
  --hooked_tensors;
}
bool GradientHooks::any() {
  return hooked_tensors > 0;
}

GradientHooks& hooks_of(const TensorPtr& x) {
  if (!x->requires_grad()) throw std::runtime_error("a tensor that does not require a gradient cannot have hooks");
  std::shared_ptr<GradientHooks>& hooks = x->node == nullptr ? x->hooks : x->node->hooks;
  if (hooks == nullptr) hooks = std::make_shared<GradientHooks>();
  return *hooks;
}

void retain_grad(const TensorPtr& x) {
  if (GradientHooks& hooks = hooks_of(x); !x->is_leaf()) hooks.retained = x;
}

bool retains_grad(const TensorPtr& x) {
  return x->node != nullptr && x->node->hooks != nullptr && x->node->hooks->retained.lock() == x;
}

std::vector<TensorPtr> gradients(const GradientRequest& request) {
  if (Trace::current() != nullptr) throw CaptureError("a traced forward pass requests gradients; pass compile=False");
  for (const TensorPtr& input : request.inputs)
    if (!input->requires_grad()) throw std::runtime_error("one of the inputs does not require a gradient");
  return Pass(request).run();
}

}  // namespace nnlite
