#include "autograd/program.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "autograd/in_place.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/interrupt.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

// A step with fused updates cannot be stopped halfway. Above this many flops (about 20 ms of a core), gradients are
// stored separately, so that Ctrl-C takes effect between kernels.
constexpr double kFuseLimit = 2e9;

bool is_stopped(const Interrupt* interrupt) {
  return interrupt != nullptr && interrupt->stopped();
}

// Defers interruption while parameters change.
class Hold {
 public:
  Hold(Interrupt* interrupt, bool held) : interrupt_(held ? interrupt : nullptr) { set(true); }
  ~Hold() { set(false); }

 private:
  void set(bool held) {
    if (interrupt_ != nullptr) interrupt_->hold(held);
  }
  Interrupt* interrupt_;
};

// A copy of some arrays' values, restored on destruction unless discarded.
class Snapshot {
 public:
  void keep(void* data, size_t bytes) {
    kept_.push_back({static_cast<char*>(data), std::vector<char>(bytes)});
    std::memcpy(kept_.back().values.data(), data, bytes);
  }
  void discard() { kept_.clear(); }
  ~Snapshot() {
    for (const Kept& kept : kept_) std::memcpy(kept.data, kept.values.data(), kept.values.size());
  }

 private:
  struct Kept {
    char* data;
    std::vector<char> values;
  };
  std::vector<Kept> kept_;
};

// Throws backward()'s error if it would read an input of `node` that a later operation has written to.
void require_kept(const Node& node, const Array& written) {
  const size_t inputs = std::min<size_t>(node.inputs.size(), 63);  // that have a bit in Values
  Operation::Values wanted = 0;
  for (size_t i = 0; i < inputs; ++i)
    if (node.inputs[i] != nullptr && node.inputs[i]->requires_grad()) wanted |= Operation::Values{1} << i;
  const Operation::Values kept = node.operation->kept(wanted);
  for (size_t i = 0; i < inputs; ++i)
    if ((kept >> i & 1) != 0 && node.arrays[i] && written && node.arrays[i].overlaps(written))
      refuse_changed(node, text("its input ", i), node.arrays[i], node.arrays[i].version + 1);
}

}  // namespace

Program::Program(const Trace& trace, std::vector<TensorPtr> inputs, TensorPtr output, TensorPtr loss,
                 std::vector<std::shared_ptr<ParameterGroup>> groups, std::vector<TensorPtr> single_losses,
                 Stages stages)
    : inputs_(std::move(inputs)),
      output_(std::move(output)),
      loss_(std::move(loss)),
      single_losses_(std::move(single_losses)),
      groups_(std::move(groups)),
      stages_(std::move(stages)) {
  if (inputs_.empty() || inputs_[0] == nullptr || inputs_[0]->shape().rank() == 0)
    throw std::invalid_argument("a program needs at least one input, with a first dimension of rows");
  if (loss_ != nullptr && loss_->array().size() != 1)
    throw std::invalid_argument(text("the loss must be a single number to train on, it has shape ", loss_->shape(),
                                     "; use reduction='mean' or 'sum'"));
  if (loss_ != nullptr) require_floating("loss", loss_->dtype());
  if (loss_ != nullptr) share_ = BatchShare(*loss_, rows());
  plan_forward(trace);
  require_unread_state(trace);
  if (!groups_.empty()) plan_backward();
}

void Program::plan_forward(const Trace& trace) {
  std::unordered_set<const Node*> needed;
  std::vector<TensorPtr> ends{output_, loss_};
  ends.insert(ends.end(), single_losses_.begin(), single_losses_.end());
  for (const TensorPtr& end : ends)
    if (end != nullptr && end->node != nullptr) needed.insert(end->node.get());
  // Nodes are in order of creation, so that in reverse all readers of a node come before it.
  for (auto node = trace.nodes().rbegin(); node != trace.nodes().rend(); ++node) {
    if (needed.count(node->get()) == 0 && !(*node)->operation->is_stateful()) continue;
    for (const TensorPtr& input : (*node)->inputs)
      if (input != nullptr && input->node != nullptr) needed.insert(input->node.get());
    forward_.push_back({*node, (*node)->operation->work((*node)->arrays, (*node)->output)});
    work_ += forward_.back().work;
  }
  std::reverse(forward_.begin(), forward_.end());
}

// A value that Python read while recording is a constant of the program, so the step must not change it.
void Program::require_unread_state(const Trace& trace) const {
  for (const Array& read : trace.reads())
    for (const TensorPtr& tensor : changing())
      if (tensor->array().overlaps(read))
        throw CaptureError(
            "the forward pass reads the value of a tensor that the step itself changes (a parameter, a running "
            "statistic), so the step cannot be captured; pass compile=False to run it operation by operation");
}

std::vector<TensorPtr> Program::changing() const {
  std::vector<TensorPtr> found;
  for (const auto& group : groups_)
    for (const TensorPtr& parameter : group->parameters())
      if (parameter->requires_grad()) found.push_back(parameter);
  for (const ForwardStep& step : forward_)
    for (size_t i = 0; i < step.node->inputs.size(); ++i)
      if (step.node->operation->writes_input(i) && step.node->inputs[i] != nullptr)
        found.push_back(step.node->inputs[i]);
  return found;
}

std::vector<Program::ParameterGradient> Program::gradients() const {
  std::vector<ParameterGradient> found;
  for (const auto& slot : parameters_) found.push_back({slot.parameter, slot.gradient});
  return found;
}

Array Program::buffer(const Shape& shape, DType dtype) {
  const Tensor tensor(shape, dtype);
  buffers_.push_back(tensor.storage());
  return tensor.array();
}

void Program::plan_backward() {
  if (loss_ == nullptr || !loss_->requires_grad())
    throw std::runtime_error(
        "the loss does not depend on any parameter that requires a gradient; there is nothing to train");
  for (size_t g = 0; g < groups_.size(); ++g)
    for (size_t i = 0; i < groups_[g]->parameters().size(); ++i)
      parameters_.push_back({groups_[g]->parameters()[i], groups_[g], g, i, groups_[g]->parameters()[i]->array(), {}});
  const Array seed = buffer(loss_->shape(), loss_->dtype());
  dispatch(seed.dtype, [&](auto zero) { *seed.as<decltype(zero)>() = 1; });
  gradients_.emplace_back(loss_.get(), seed);
  for (auto step = forward_.rbegin(); step != forward_.rend(); ++step)
    if (step->node->needs_gradient) plan_step(step->node.get());
  require_kept_values();
  for (auto& slot : parameters_)
    for (const auto& [tensor, gradient] : gradients_)
      if (tensor == slot.parameter.get()) slot.gradient = gradient;
  parameters_.erase(
      std::remove_if(parameters_.begin(), parameters_.end(), [](const auto& slot) { return !slot.gradient; }),
      parameters_.end());
  if (!stages_.empty())
    plan_stages();
  else if (3 * work_ <= kFuseLimit)
    fuse_updates();
}

// Running statistics may be read before their update, unless the backward pass reads them again.
void Program::require_kept_values() const {
  for (const ForwardStep& writer : forward_)
    for (size_t i = 0; i < writer.node->arrays.size(); ++i) {
      if (!writer.node->operation->writes_input(i)) continue;
      for (const BackwardStep& step : backward_)
        if (step.node->number < writer.node->number) require_kept(*step.node, writer.node->arrays[i]);
    }
}

void Program::plan_step(Node* node) {
  Array doutput;
  for (const auto& [tensor, gradient] : gradients_)
    if (tensor->node.get() == node) doutput = gradient;
  if (!doutput) return;
  BackwardStep step{node, doutput, Gradients(node->inputs.size()), {}};
  for (size_t i = 0; i < node->inputs.size(); ++i) {
    const TensorPtr& input = node->inputs[i];
    if (input == nullptr || !input->requires_grad()) continue;
    step.gradients[i].data = planned_gradient(input, step).data;
  }
  backward_.push_back(std::move(step));
}

Array Program::planned_gradient(const TensorPtr& tensor, BackwardStep& step) {
  const Array made = buffer(tensor->shape(), tensor->dtype());
  for (const auto& [known, gradient] : gradients_)
    if (known == tensor.get()) {
      step.additions.push_back({gradient, made});
      return made;
    }
  gradients_.emplace_back(tensor.get(), made);
  return made;
}

// A parameter with a single reader can be updated where its gradient is computed, without storing the gradient.
// Operations on other views of its memory are readers too.
void Program::fuse_updates() {
  for (auto& slot : parameters_) {
    int64_t readers = 0;
    for (const ForwardStep& step : forward_)
      readers += std::count_if(step.node->arrays.begin(), step.node->arrays.end(),
                               [&](const Array& array) { return array && array.overlaps(slot.parameter->array()); });
    const auto same = std::count_if(parameters_.begin(), parameters_.end(),
                                    [&](const auto& other) { return other.parameter == slot.parameter; });
    if (readers != 1 || same != 1) continue;
    for (BackwardStep& step : backward_)
      for (size_t i = 0; i < step.gradients.size(); ++i)
        if (step.node->inputs[i] == slot.parameter && step.node->operation->can_update(i)) {
          step.gradients[i] = {slot.values.data, &slot.update()};
          slot.gradient = {};
        }
  }
}

void Program::plan_stages() {
  for (const auto& slot : parameters_) stage_gradients_.push_back(slot.gradient);
  for (const auto& stage : stages_) stage->prepare(stage_gradients_);
}

bool Program::forward() {
  Interrupt* const interrupt = Interrupt::current();
  for (const ForwardStep& step : forward_)
    if (step.node->operation->is_stateful()) step.node->operation->save_state(step.node->arrays);
  for (const ForwardStep& step : forward_) {
    if (interrupt != nullptr && interrupt->spend(0)) break;  // kernels count their own work
    step.node->operation->forward(step.node->arrays, step.node->output);
  }
  if (is_stopped(interrupt)) undo();
  return !is_stopped(interrupt);
}

// Latest first: the first of several dropouts saved the count that all of them started from.
void Program::undo() {
  for (auto step = forward_.rbegin(); step != forward_.rend(); ++step)
    if (step->node->operation->is_stateful()) step->node->operation->restore_state(step->node->arrays);
}

// A parameter is an input of an operation that is neither computed in the step nor an input of the program.
void Program::freeze() {
  for (const ForwardStep& step : forward_) {
    const auto& inputs = step.node->inputs;
    const bool reads_parameters = inputs.size() > 1 && inputs[1] != nullptr && inputs[1]->node == nullptr &&
                                  std::find(inputs_.begin(), inputs_.end(), inputs[1]) == inputs_.end();
    if (reads_parameters) step.node->operation->freeze(step.node->arrays);
  }
}

void Program::thaw() {
  for (const ForwardStep& step : forward_) step.node->operation->thaw();
}

double Program::loss() const {
  return dispatch(loss_->dtype(), [&](auto zero) { return static_cast<double>(*loss_->array().as<decltype(zero)>()); });
}

void Program::set_options(const std::vector<UpdateOptions>& options) {
  for (const auto& slot : parameters_)
    if (slot.parameter->array().data != slot.values.data)
      throw std::runtime_error("the data of a parameter was replaced while a fit was using it");
  for (const auto& slot : parameters_) slot.group->prepare(slot.index, options[slot.group_number]);
}

StepStatus Program::backward_and_update(bool first) {
  Interrupt* const interrupt = Interrupt::current();
  const bool fused =
      std::any_of(parameters_.begin(), parameters_.end(), [](const auto& slot) { return !slot.gradient; });
  Snapshot before;
  if (first) {
    for (const auto& slot : parameters_) {
      if (slot.gradient) continue;
      before.keep(slot.values.data, slot.values.bytes());
      for (const TensorPtr& buffer : slot.update().buffers)
        if (buffer != nullptr) before.keep(buffer->array().data, slot.values.bytes());
    }
  }
  const Hold hold_all(interrupt, fused);
  run_backward();
  const bool finite = is_stopped(interrupt) || run_stages();
  if (is_stopped(interrupt) || !finite) {
    undo();
    return finite ? StepStatus::stopped : StepStatus::diverged;
  }
  before.discard();
  const Hold hold_updates(interrupt, true);
  update_parameters();
  return StepStatus::done;
}

void Program::run_backward() {
  for (const BackwardStep& step : backward_) {
    step.node->operation->vjp(step.node->arrays, step.node->output, step.doutput, step.gradients);
    for (const Addition& addition : step.additions)
      dispatch(addition.target.dtype, [&](auto zero) {
        using T = decltype(zero);
        kernels<T>().add(addition.target.as<T>(), addition.term.as<T>(), addition.target.as<T>(),
                         addition.target.size());
      });
    if (is_stopped(Interrupt::current())) return;
  }
}

// The result of an interrupted stage is meaningless.
bool Program::run_stages() {
  return std::all_of(stages_.begin(), stages_.end(), [&](const auto& stage) {
    return stage->apply(stage_gradients_) || is_stopped(Interrupt::current());
  });
}

void Program::update_parameters() {
  for (auto& slot : parameters_) {
    if (slot.gradient) update_parameter(slot.values, slot.gradient.data, slot.update());
    slot.group->finish(slot.index);
  }
}

void Program::count_changes() const {
  for (const auto& slot : parameters_) slot.parameter->storage()->count_change();
  for (const ForwardStep& step : forward_) step.node->count_changes();
}

std::vector<std::string> Program::describe() const {
  std::vector<std::string> lines;
  for (const ForwardStep& step : forward_)
    lines.push_back(text("forward ", step.node->operation->name(), ' ', step.node->output.shape));
  for (const BackwardStep& step : backward_) {
    std::string line = text("backward ", step.node->operation->name());
    for (size_t i = 0; i < step.gradients.size(); ++i)
      if (step.gradients[i]) line += text(step.gradients[i].update != nullptr ? " update " : " gradient ", i);
    lines.push_back(line);
  }
  for (const auto& slot : parameters_)
    if (slot.gradient) lines.push_back(text("update ", slot.parameter->shape()));
  return lines;
}

}  // namespace nnlite
