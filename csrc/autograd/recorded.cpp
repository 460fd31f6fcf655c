#include "autograd/recorded.hpp"

#include <cstring>

#include "autograd/tape.hpp"

namespace nnlite {
namespace {

// A linear operation as a function of one of its inputs, or transposed: from the output's gradient to that input's. The
// vjp of either is the other.
class LinearMap final : public Operation {
 public:
  LinearMap(std::shared_ptr<Node> node, size_t input, bool transposed)
      : node_(std::move(node)), input_(input), transposed_(transposed) {}

  const char* name() const override { return "linear_map"; }
  Values kept(Values) const override { return 0; }

  Array infer(const Arrays&) override {
    const Array& like = transposed_ ? node_->arrays[input_] : node_->output;
    return {nullptr, like.dtype, like.shape};
  }
  void forward(const Arrays& in, const Array& out) override { map(in[0], out, transposed_); }
  void vjp(const Arrays& in, const Array&, const Array& dout, const Gradients& din) override {
    map(dout, {din[0].data, in[0].dtype, in[0].shape}, !transposed_);
  }

  TensorPtr reversed(const TensorPtr& x) const { return apply_new<LinearMap>({x}, node_, input_, !transposed_); }

 private:
  void map(const Array& from, const Array& to, bool transposed) const {
    Operation& operation = *node_->operation;
    if (transposed) {
      Gradients all(node_->arrays.size());
      all[input_].data = to.data;
      operation.vjp(node_->arrays, node_->output, from, all);
    } else if (operation.aliases_input() && input_ == 0) {
      const size_t offset = static_cast<size_t>(operation.alias_offset()) * size_of(to.dtype);
      std::memcpy(to.data, from.as<char>() + offset, to.bytes());
    } else {
      Arrays in = node_->arrays;
      in[input_] = from;
      std::memset(to.data, 0, to.bytes());  // an assignment writes a part
      operation.forward(in, to);
    }
  }

  std::shared_ptr<Node> node_;
  size_t input_;
  bool transposed_;
};

}  // namespace

TensorPtr Recorded::input(size_t i) const {
  const TensorPtr& input = node_->inputs[i];
  if (input == nullptr) return nullptr;
  require_unchanged(*node_, i);
  if (input->array().data != node_->arrays[i].data)
    throw std::runtime_error(text("create_graph=True: the data of input ", i, " of [", operation()->name(),
                                  "] was replaced after it was read"));
  return input->past.empty() ? input : input->snapshot(node_->number);
}

TensorPtr Recorded::output() const {
  require_unchanged_output(*node_);
  auto output = std::make_shared<Tensor>(node_->output, node_->output_storage);
  output->node = node_;
  output->set_requires_grad(true);
  return output;
}

TensorPtr Recorded::slope(size_t i) const {
  const TensorPtr ones = full(node_->output.shape, node_->output.dtype, 1);
  auto slope = std::make_shared<Tensor>(arrays()[i].shape, arrays()[i].dtype);
  Gradients all(arrays().size());
  all[i].data = slope->array().data;
  operation()->vjp(node_->arrays, node_->output, ones->array(), all);
  return slope;
}

TensorPtr Recorded::adjoint(size_t i, const TensorPtr& from) const {
  if (const auto* map = dynamic_cast<const LinearMap*>(operation().get())) return map->reversed(from);
  return apply_new<LinearMap>({from}, node_, i, true);
}

}  // namespace nnlite
