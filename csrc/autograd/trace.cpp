#include "autograd/trace.hpp"

#include <algorithm>
#include <atomic>
#include <unordered_map>

#include "autograd/gradients.hpp"

namespace nnlite {
namespace {

thread_local Trace* current_trace = nullptr;
std::atomic<uint64_t> traces{0};

// FNV-1a over a constant's bytes.
uint64_t hash_of(const Array& array) {
  uint64_t hash = 14695981039346656037ull;
  const auto* bytes = array.as<const unsigned char>();
  for (size_t i = 0; i < array.bytes(); ++i) hash = (hash ^ bytes[i]) * 1099511628211ull;
  return hash;
}

}  // namespace

CaptureError::CaptureError(const std::string& why) : std::runtime_error(why) {
  if (current_trace != nullptr) current_trace->spoil(why);
}

Trace::Trace() : number_(++traces) {}

void Trace::open() {
  if (current_trace != nullptr)
    throw CaptureError("a step is captured within another one; pass compile=False to run the outer one from Python");
  nodes_.clear();
  reads_.clear();
  spoiled_by_.clear();
  current_trace = this;
}

void Trace::close() {
  if (current_trace == this) current_trace = nullptr;
}

Trace::~Trace() {
  close();
}

Trace* Trace::current() {
  return current_trace;
}

void require_usable(const Tensor& tensor, const Trace* current) {
  if (tensor.trace_number == 0 || (current != nullptr && current->number() == tensor.trace_number)) return;
  throw CaptureError(
      "a tensor that a forward pass created while its step was being captured is used outside that pass (kept on the "
      "model or in a list?); it has no values: compute it again, or pass compile=False to run the step operation by "
      "operation");
}

std::string Trace::leaf_description(const Tensor& leaf, const Arrays& changing) const {
  const std::string type = text(name_of(leaf.dtype()), leaf.shape());
  for (size_t i = 0; i < placeholders_.size(); ++i)
    if (placeholders_[i].get() == &leaf) return text("input ", i, ' ', type);
  if (leaf.requires_grad()) return text("parameter ", leaf.array().data, ' ', type);
  const bool changes = std::any_of(changing.begin(), changing.end(),
                                   [&leaf](const Array& array) { return array.overlaps(leaf.array()); });
  if (changes) return text("state ", leaf.array().data, ' ', type);
  return text("constant ", hash_of(leaf.array()), ' ', type);
}

// Leaves that training or operations write to: parameters, running statistics, and other views of their memory.
Arrays Trace::changing_leaves() const {
  Arrays changing;
  for (const auto& node : nodes_)
    for (size_t i = 0; i < node->inputs.size(); ++i) {
      const TensorPtr& input = node->inputs[i];
      if (input == nullptr || input->trace_number != 0) continue;
      if (input->requires_grad() || node->operation->writes_input(i)) changing.push_back(input->array());
    }
  return changing;
}

std::string Trace::signature(const std::vector<TensorPtr>& ends) const {
  if (!spoiled_by_.empty()) throw CaptureError(spoiled_by_);
  const Arrays changing = changing_leaves();
  std::unordered_map<const Node*, size_t> position;
  const auto description = [&](const TensorPtr& tensor) {
    if (tensor == nullptr) return std::string("none");
    const auto known = position.find(tensor->node.get());
    return known == position.end() ? leaf_description(*tensor, changing) : std::to_string(known->second);
  };
  std::string all;
  for (const auto& node : nodes_) {
    all += text(position.size(), " = ", node->operation->name(), '[', exact_text(node->operation->attributes()), "](");
    for (const TensorPtr& input : node->inputs) all += description(input) + "; ";
    all += text(") -> ", name_of(node->output.dtype), node->output.shape, node->needs_gradient ? "\n" : " detached\n");
    position.emplace(node.get(), position.size());
  }
  for (const TensorPtr& end : ends) all += "end " + description(end) + '\n';
  return all;
}

void Trace::record(std::shared_ptr<Node> node) {
  for (const TensorPtr& input : node->inputs)
    if (node->needs_gradient && input != nullptr && input->hooks != nullptr && input->hooks->hook != nullptr &&
        !input->hooks->hook->does_nothing())
      throw CaptureError("a captured step cannot run the backward hooks of a parameter; pass compile=False");
  nodes_.push_back(std::move(node));
}

TensorPtr Trace::placeholder(const Shape& shape, DType dtype) {
  auto tensor = std::make_shared<Tensor>(shape, dtype);
  tensor->trace_number = number_;
  placeholders_.push_back(tensor);
  return tensor;
}

}  // namespace nnlite
