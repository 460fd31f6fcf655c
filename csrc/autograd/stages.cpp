#include "autograd/stages.hpp"

#include <cmath>

#include "autograd/clipping.hpp"

namespace nnlite {
namespace {

class NormClipping final : public Stage {
 public:
  explicit NormClipping(double max_norm) : max_norm_(max_norm) {}

  void prepare(const Arrays& gradients) override { norm_.emplace(gradients); }

  bool apply(const Arrays& gradients) override {
    const double norm = (*norm_)(gradients);
    if (std::isfinite(norm)) clip_to_norm(gradients, norm, max_norm_);
    return std::isfinite(norm);
  }

 private:
  double max_norm_;
  std::optional<GradientNorm> norm_;
};

class ValueClipping final : public Stage {
 public:
  explicit ValueClipping(double max_value) : max_value_(max_value) {}

  bool apply(const Arrays& gradients) override {
    clip_to_value(gradients, max_value_);
    return true;
  }

 private:
  double max_value_;
};

}  // namespace

Stages clipping_stages(std::optional<double> max_norm, std::optional<double> max_value) {
  Stages stages;
  if (max_norm) stages.push_back(std::make_unique<NormClipping>(*max_norm));
  if (max_value) stages.push_back(std::make_unique<ValueClipping>(*max_value));
  return stages;
}

}  // namespace nnlite
