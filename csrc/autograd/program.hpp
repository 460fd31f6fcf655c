// A recorded step as a flat list of kernel calls over buffers planned once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "autograd/optimizer.hpp"
#include "autograd/reduced_loss.hpp"
#include "autograd/stages.hpp"
#include "autograd/trace.hpp"

namespace nnlite {

enum class StepStatus { done, diverged, stopped };

class Program : public SharedObject {
 public:
  // `loss` and `groups` may be absent: then the program only predicts. `single_losses` are computed beside the output.
  // The trace must have been closed. `stages` stand between the backward pass and the update.
  Program(const Trace& trace, std::vector<TensorPtr> inputs, TensorPtr output, TensorPtr loss,
          std::vector<std::shared_ptr<ParameterGroup>> groups, std::vector<TensorPtr> single_losses = {},
          Stages stages = {});

  const std::vector<TensorPtr>& inputs() const { return inputs_; }
  const std::vector<std::shared_ptr<ParameterGroup>>& groups() const { return groups_; }
  const TensorPtr& output() const { return output_; }
  const std::vector<TensorPtr>& single_losses() const { return single_losses_; }
  // Parameters to train and running statistics: what a step writes into.
  std::vector<TensorPtr> changing() const;
  struct ParameterGradient {
    TensorPtr parameter;
    Array gradient;
  };
  // Where the gradients are after a backward pass with stages, of the parameters that the loss depends on.
  std::vector<ParameterGradient> gradients() const;
  double work() const { return work_; }  // flops of forward()
  int64_t rows() const { return inputs_[0]->shape()[0]; }

  // False: stopped by an Interrupt; nothing but activations has changed.
  bool forward();
  // Undoes what the forward pass changed besides activations, for a step that will not be finished.
  void undo();
  double loss() const;
  const BatchShare& share() const { return share_; }
  // Sets each group's options for the following updates; allocates memory first and changes nothing if that throws.
  void set_options(const std::vector<UpdateOptions>& options);
  // Gradients, stages and updates of all parameters. Stopped, or diverged by what a stage says: undone, no parameter
  // changed. The same holds where it throws, if it is the `first` step since anything that memory depends on may have
  // changed: later ones allocate nothing.
  StepStatus backward_and_update(bool first);

  // Marks the memory that steps write as changed.
  void count_changes() const;

  // No parameter may change between the two calls; forward() is faster there.
  void freeze();
  void thaw();

  // One line for each kernel call, for tests and the curious.
  std::vector<std::string> describe() const;

 private:
  struct ForwardStep {
    std::shared_ptr<Node> node;
    double work;
  };
  // The second and later contributions to a gradient are computed separately and added.
  struct Addition {
    Array target, term;
  };
  struct BackwardStep {
    Node* node;
    Array doutput;
    Gradients gradients;
    std::vector<Addition> additions;
  };
  struct ParameterSlot {
    TensorPtr parameter;
    std::shared_ptr<ParameterGroup> group;
    size_t group_number, index;  // within the groups, within its group
    Array values;                // of the parameter
    Array gradient;              // empty when the update is fused into the step that makes the gradient

    const ParameterUpdate& update() const { return group->update(index); }
  };

  void plan_forward(const Trace& trace);
  void plan_backward();
  void plan_step(Node* node);
  void require_kept_values() const;
  Array planned_gradient(const TensorPtr& tensor, BackwardStep& step);
  void require_unread_state(const Trace& trace) const;
  Array buffer(const Shape& shape, DType dtype);
  void fuse_updates();
  void plan_stages();
  void run_backward();
  bool run_stages();
  void update_parameters();

  std::vector<TensorPtr> inputs_;
  TensorPtr output_, loss_;
  std::vector<TensorPtr> single_losses_;
  BatchShare share_;
  std::vector<std::shared_ptr<ParameterGroup>> groups_;
  std::vector<ForwardStep> forward_;
  std::vector<BackwardStep> backward_;
  std::vector<ParameterSlot> parameters_;
  Stages stages_;
  Arrays stage_gradients_;  // what they see: the gradients of all parameters in the groups' order
  std::vector<StoragePtr> buffers_;
  std::vector<std::pair<const Tensor*, Array>> gradients_;  // planned so far, by tensor
  double work_ = 0;
};

}  // namespace nnlite
