// Whole epochs of a captured step: shuffle, gather, forward, backward, update.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "autograd/program.hpp"
#include "runtime/gather.hpp"

namespace nnlite {

// Programs by their number of rows: one for full batches, one for a shorter last batch.
using Programs = std::map<int64_t, Program*>;

// Destination of one result per row: row r at data + r * row_bytes.
struct OutputRows {
  char* data = nullptr;
  size_t row_bytes = 0;
};

// A group's options: one row for all steps of a call, or one per step, skipped batches included.
struct OptionRows {
  const double* data = nullptr;  // (rows, columns)
  int64_t rows = 0;
  size_t columns = 0;
};

struct Progress {
  int64_t epoch = 0, batch = 0;
};

struct EpochRequest {
  Programs programs;
  std::vector<RowSource> sources;  // one for each of the programs' inputs
  int64_t batch_size = 1;
  // (order_count, rows), of which later epochs reuse the last; null: shuffle by the seed.
  const int64_t* orders = nullptr;
  int64_t order_count = 0;
  uint64_t seed = 0;
  int64_t first_epoch = 0, epochs = 1;
  int64_t first_batch = 0;                    // of the first epoch, not 0 if it is resumed
  LossTotal total;                            // of the first epoch's batches before that one
  std::vector<OptionRows> options;            // one per group
  OutputRows outputs;                         // of the last epoch
  bool drop_last = false;                     // skip a last batch that is not full
  std::vector<OutputRows> single_losses;      // one for each of the programs', in a pass without updates
  std::function<bool(const Progress&)> poll;  // false: stop
  // Called with the loss of each epoch if set; `outputs` are then those of this epoch. It may change the options, one
  // row for each group, and what the steps read; false: stop.
  std::function<bool(double)> epoch_done;
};

struct EpochResult {
  std::vector<double> losses;            // of each completed epoch
  StepStatus status = StepStatus::done;  // of the last step
  int64_t batch = 0;  // where it stopped, in epoch first_epoch + losses.size(), and that epoch's total so far
  LossTotal total;
};

EpochResult train_epochs(const EpochRequest& request);

// One pass in order, without updates: outputs, single losses, and each batch's loss and weight if the programs have a
// loss.
struct PassResult {
  std::vector<double> losses, weights;
  bool stopped = false;
};
PassResult run_batches(const EpochRequest& request, bool with_loss);

}  // namespace nnlite
