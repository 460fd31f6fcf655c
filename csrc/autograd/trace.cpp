#include "autograd/trace.hpp"

#include <cstring>
#include <unordered_map>

namespace nnlite {
namespace {

thread_local Tape* current_tape = nullptr;

// FNV-1a over a constant's bytes.
uint64_t hash_of(const Array& array) {
  uint64_t hash = 14695981039346656037ull;
  const auto* bytes = array.as<const unsigned char>();
  for (size_t i = 0; i < array.bytes(); ++i) hash = (hash ^ bytes[i]) * 1099511628211ull;
  return hash;
}

std::string leaf_description(const Tensor& leaf) {
  const std::string type = text(name_of(leaf.dtype()), leaf.shape());
  if (leaf.traced) return "input " + type;
  if (leaf.requires_grad()) return text("parameter ", leaf.array().data, ' ', type);
  return text("constant ", hash_of(leaf.array()), ' ', type);
}

}  // namespace

void Tape::open() {
  if (current_tape != nullptr) throw std::runtime_error("a tape is already being recorded on this thread");
  nodes_.clear();
  current_tape = this;
}

void Tape::close() {
  if (current_tape == this) current_tape = nullptr;
}

Tape::~Tape() {
  close();
}

Tape* Tape::current() {
  return current_tape;
}

std::string Tape::signature() const {
  std::unordered_map<const Node*, size_t> position;
  std::string all;
  for (const auto& node : nodes_) {
    all += text(position.size(), " = ", node->operation->name(), '[', node->operation->attributes(), "](");
    for (const TensorPtr& input : node->inputs) {
      if (input == nullptr)
        all += "none; ";
      else if (input->node != nullptr && position.count(input->node.get()) > 0)
        all += text(position[input->node.get()], "; ");
      else
        all += leaf_description(*input) + "; ";
    }
    all += text(") -> ", name_of(node->output.dtype), node->output.shape, '\n');
    position.emplace(node.get(), position.size());
  }
  return all;
}

TensorPtr placeholder(const Shape& shape, DType dtype) {
  auto tensor = std::make_shared<Tensor>(shape, dtype);
  tensor->traced = true;
  return tensor;
}

}  // namespace nnlite
