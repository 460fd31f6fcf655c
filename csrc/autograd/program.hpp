// A recorded step as a flat list of kernel calls over preallocated buffers.
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
  // Without `loss` and `groups` the program only predicts. `single_losses` are computed along with the output. The
  // trace must be closed. `stages` run between the backward pass and the update.
  Program(const Trace& trace, std::vector<TensorPtr> inputs, TensorPtr output, TensorPtr loss,
          std::vector<std::shared_ptr<ParameterGroup>> groups, std::vector<TensorPtr> single_losses = {},
          Stages stages = {});

  const std::vector<TensorPtr>& inputs() const { return inputs_; }
  const std::vector<std::shared_ptr<ParameterGroup>>& groups() const { return groups_; }
  const TensorPtr& output() const { return output_; }
  const std::vector<TensorPtr>& single_losses() const { return single_losses_; }
  // What a step writes to: trained parameters and running statistics.
  std::vector<TensorPtr> changing() const;
  struct ParameterGradient {
    TensorPtr parameter;
    Array gradient;
  };
  // The gradients of the parameters that the loss depends on, after a backward pass with stages.
  std::vector<ParameterGradient> gradients() const;
  double work() const { return work_; }  // flops of forward()
  int64_t rows() const { return inputs_[0]->shape()[0]; }

  // False if an Interrupt stopped it; only activations have changed then.
  bool forward();
  // For a step that is abandoned: undoes all changes of the forward pass except activations.
  void undo();
  double loss() const;
  const BatchShare& share() const { return share_; }
  // Sets each group's options for the following updates; allocates memory first and changes nothing if that throws.
  void set_options(const std::vector<UpdateOptions>& options);
  // Computes the gradients, runs the stages and updates all parameters. If it is stopped, or a stage reports
  // divergence, the step is undone and no parameter changes. The same holds if it throws in the `first` step after
  // anything that affects memory may have changed: later ones allocate nothing.
  StepStatus backward_and_update(bool first);

  // Marks the memory that steps write as changed.
  void count_changes() const;

  // Between these calls no parameter may change, and forward() is faster.
  void freeze();
  void thaw();

  // One line per kernel call, for tests and debugging.
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
    size_t group_number, index;  // of the group, and of the parameter within it
    Array values;                // of the parameter
    Array gradient;              // empty if the update is fused into the step that computes it

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
  Arrays stage_gradients_;  // of all parameters, in the groups' order
  std::vector<StoragePtr> buffers_;
  std::vector<std::pair<const Tensor*, Array>> gradients_;  // planned so far, by tensor
  double work_ = 0;
};

}  // namespace nnlite
