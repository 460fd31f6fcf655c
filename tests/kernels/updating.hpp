// An optimizer's update after three steps, for the programs that run every row of the table.
#pragma once

#include <vector>

#include "kernels/optimizers.hpp"

namespace nnlite {

// The tables of the instruction set that such a program is compiled for.
extern const WideTable NNLITE_WIDE;
extern const CommonTable NNLITE_COMMON;

// `make_buffer()` returns a buffer's address; it is called once for each buffer that the options use.
template <class T>
class Updating {
 public:
  template <class F>
  Updating(const Kernels<T>& table, int number, const std::vector<double>& options, const F& make_buffer) {
    const OptimizerRow& row = Optimizers::rows[number];
    (sizeof(T) == sizeof(float) ? row.make_float_rule : row.make_double_rule)(options.data(), 3, 0.5, rule_);
    update_ = {
        table.updates[number], rule_, {}, row.is_plain(options.data()), static_cast<T>(row.plain_rate(options.data()))};
    for (int b = 0; b < row.buffer_count; ++b)
      if ((row.in_use(options.data()) >> b & 1) != 0) update_.buffers[b] = make_buffer();
  }
  Updating(const Updating&) = delete;
  Updating& operator=(const Updating&) = delete;

  const Update<T>& update() const { return update_; }

 private:
  alignas(double) unsigned char rule_[kRuleBytes];
  Update<T> update_{};
};

// All options of an optimizer 0, which switches them off, or 0.25.
inline std::vector<double> options_of_all(bool on) {
  return std::vector<double>(kMostOptions, on ? 0.25 : 0.0);
}

}  // namespace nnlite
