#include "autograd/epochs.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/generator.hpp"
#include "runtime/interrupt.hpp"

namespace nnlite {
namespace {

Target target_of(DType dtype) {
  return dtype == DType::float32 ? Target::float32 : dtype == DType::float64 ? Target::float64 : Target::int64;
}

// Freezes the programs for its lifetime, a pass of predictions, in which no parameter changes.
class Frozen {
 public:
  explicit Frozen(const Programs& programs) : programs_(programs) {
    try {
      for (const auto& [rows, program] : programs_) program->freeze();
    } catch (...) {  // out of memory: a program left frozen would continue with stale weights
      thaw();
      throw;
    }
  }
  ~Frozen() { thaw(); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  void thaw() {
    for (const auto& [rows, program] : programs_) program->thaw();
  }

  const Programs& programs_;
};

class Pass {
 public:
  explicit Pass(const EpochRequest& request)
      : request_(request),
        rows_(request.sources.at(0).rows),
        used_(request.drop_last ? rows_ - rows_ % request.batch_size : rows_),
        options_(request.options.size()),
        varies_(std::any_of(request.options.begin(), request.options.end(),
                            [](const OptionRows& group) { return group.rows > 1; })),
        interrupt_([this] { return request_.poll == nullptr || request_.poll(at_); }) {}

  EpochResult train() {
    EpochResult result;
    count_changes();
    result.losses.reserve(static_cast<size_t>(request_.epochs));
    result.total = request_.total;
    for (int64_t i = 0; i < request_.epochs; ++i) {
      at_ = {request_.first_epoch + i, i == 0 ? request_.first_batch : 0};
      set_order(i);
      result.status = train_epoch(request_.epoch_done || i + 1 == request_.epochs, result.total);
      result.batch = at_.batch;
      if (result.status != StepStatus::done) break;
      result.losses.push_back(result.total.value(request_.programs.begin()->second->share().is_sum()));
      result.total = {};
      if (!request_.epoch_done) continue;
      result.batch = 0;
      if (!epoch_done(result.losses.back())) break;
    }
    return result;
  }

  PassResult predict(bool with_loss) {
    PassResult result;
    const Frozen frozen(request_.programs);
    result.stopped = !for_batches([&](Program& program, int64_t begin, int64_t count) {
      if (!program.forward()) return false;
      keep(request_.outputs, *program.output(), begin, count);
      for (size_t i = 0; i < request_.single_losses.size(); ++i)
        keep(request_.single_losses[i], *program.single_losses()[i], begin, count);
      if (with_loss) {
        result.losses.push_back(program.loss());
        result.weights.push_back(program.share().weight(program.loss()));
      }
      return true;
    });
    return result;
  }

 private:
  void set_order(int64_t i) {
    if (request_.orders != nullptr) {
      order_ = request_.orders + std::min(i, request_.order_count - 1) * rows_;
      return;
    }
    permutation_.resize(static_cast<size_t>(rows_));
    kernel_table().permutation(
        permutation_.data(), rows_,
        {request_.seed, static_cast<uint32_t>(Purpose::shuffle), static_cast<uint32_t>(at_.epoch)});
    order_ = permutation_.data();
  }

  // Fills in the inputs of each batch from at_ on and calls f(program, begin, count), which returns false to end the
  // pass.
  template <class F>
  bool for_batches(const F& f) {
    for (; at_.batch * request_.batch_size < used_; ++at_.batch) {
      const int64_t begin = at_.batch * request_.batch_size;
      const int64_t count = std::min(request_.batch_size, used_ - begin);
      Program& program = *request_.programs.at(count);
      for (size_t i = 0; i < request_.sources.size(); ++i) {
        const Array& input = program.inputs()[i]->array();
        gather_rows(request_.sources[i], order_, begin, count, target_of(input.dtype), input.data);
      }
      const Lookahead next(request_.sources[0], order_, begin + count, request_.batch_size);
      if (interrupt_.stopped() || !f(program, begin, count)) return false;
    }
    return true;
  }

  // What the caller computes in between is not interrupted by this pass, and may change what programs depend on.
  bool epoch_done(double loss) {
    const Interrupt none([] { return true; });
    const bool goes_on = request_.epoch_done(loss);
    begun_.clear();
    if (goes_on) count_changes();
    return goes_on;
  }

  void count_changes() const {
    for (const auto& [rows, program] : request_.programs) program->count_changes();
  }

  StepStatus train_epoch(bool last, LossTotal& total) {
    StepStatus status = StepStatus::stopped;
    const bool whole = for_batches([&](Program& program, int64_t begin, int64_t count) {
      status = train_batch(program, total);
      if (status != StepStatus::done) return false;
      ++step_;
      if (last) keep(request_.outputs, *program.output(), begin, count);
      return true;
    });
    if (whole) return StepStatus::done;
    return status == StepStatus::diverged ? status : StepStatus::stopped;
  }

  // A batch of weight 0 is skipped.
  StepStatus train_batch(Program& program, LossTotal& total) {
    try {
      if (!program.forward()) return StepStatus::stopped;
      const double loss = program.loss();
      const bool is_empty = program.share().is_empty(loss);
      if (is_empty || !std::isfinite(loss)) {
        program.undo();
        return is_empty ? StepStatus::done : StepStatus::diverged;
      }
      const bool first = is_first(program);
      if (first || varies_) program.set_options(options_of_step());
      const StepStatus status = program.backward_and_update(first);
      if (status == StepStatus::done) total.add(loss, program.share());
      return status;
    } catch (...) {
      program.undo();
      throw;
    }
  }

  const std::vector<UpdateOptions>& options_of_step() {
    for (size_t g = 0; g < options_.size(); ++g) {
      const OptionRows& group = request_.options[g];
      std::copy_n(group.data + (group.rows > 1 ? step_ : 0) * group.columns, group.columns, options_[g].begin());
    }
    return options_;
  }

  // Whether this is the first step of a program in this pass.
  bool is_first(const Program& program) {
    if (std::find(begun_.begin(), begun_.end(), &program) != begun_.end()) return false;
    begun_.push_back(&program);
    return true;
  }

  // Copies a batch's results, row_bytes per row, to their rows in the result of the whole pass.
  void keep(const OutputRows& rows, const Tensor& computed, int64_t begin, int64_t count) const {
    if (rows.data == nullptr) return;
    const char* from = computed.array().as<const char>();
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = order_ == nullptr ? begin + i : order_[begin + i];
      std::memcpy(rows.data + static_cast<size_t>(row) * rows.row_bytes, from + static_cast<size_t>(i) * rows.row_bytes,
                  rows.row_bytes);
    }
  }

  const FloatingPointScope scope_;
  const EpochRequest& request_;
  int64_t rows_, used_;
  std::vector<UpdateOptions> options_;
  bool varies_;      // whether the options change from step to step
  size_t step_ = 0;  // within the call
  Progress at_;
  const int64_t* order_ = nullptr;
  std::vector<int64_t> permutation_;
  std::vector<const Program*> begun_;
  Interrupt interrupt_;
};

}  // namespace

EpochResult train_epochs(const EpochRequest& request) {
  return Pass(request).train();
}

PassResult run_batches(const EpochRequest& request, bool with_loss) {
  return Pass(request).predict(with_loss);
}

}  // namespace nnlite
