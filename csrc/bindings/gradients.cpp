// A loss as a function of one vector, for external code.
#include <mutex>

#include "autograd/program.hpp"
#include "bindings/bindings.hpp"
#include "runtime/floating_point.hpp"

namespace nnlite {
namespace {

// Leaves the update of the parameters to the caller.
class NoUpdate final : public Stage {
 public:
  bool apply(const Arrays&) override { return false; }
};

Stages no_update() {
  Stages stages;
  stages.push_back(std::make_unique<NoUpdate>());
  return stages;
}

using Vector = py::array_t<double, py::array::c_style | py::array::forcecast>;

class ValueAndGradient {
 public:
  // `input` is a placeholder of the trace: a program has at least one.
  ValueAndGradient(const Trace& trace, TensorPtr input, const TensorPtr& loss, std::shared_ptr<ParameterGroup> group)
      : program_(trace, {std::move(input)}, loss, loss, {group}, {}, no_update()) {
    const std::vector<Program::ParameterGradient> made = program_.gradients();
    for (const TensorPtr& parameter : group->parameters()) {
      Array gradient;
      for (const auto& each : made)
        if (each.parameter == parameter) gradient = each.gradient;
      parts_.push_back({parameter, parameter->array(), gradient});
      size_ += gradient ? gradient.size() : parameter->array().size();
    }
  }

  // (loss, gradient) at a vector of all elements.
  py::tuple call(const Vector& vector) {
    if (vector.ndim() != 1 || vector.size() != size_)
      throw std::invalid_argument(text("the vector must have the shape (", size_, ",) of all parameters, got ",
                                       vector.ndim(), " dimensions and ", vector.size(), " elements"));
    for (const Part& part : parts_)
      if (part.parameter->array().data != part.values.data)
        throw std::runtime_error("the data of a parameter was replaced: call value_and_grad again");
    py::array_t<double> gradient(size_);
    const double* from = vector.data();
    double* to = gradient.mutable_data();
    without_gil(3 * program_.work(), [&] {
      const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
      if (!lock) throw std::runtime_error("another thread is running this function: create one per thread");
      const FloatingPointScope scope;
      for (const Part& part : parts_) from = read(part.values, from);
      program_.forward();
      program_.backward_and_update(false);
      for (const Part& part : parts_) to = write(part, to);
      program_.count_changes();
    });
    return py::make_tuple(program_.loss(), gradient);
  }

 private:
  struct Part {
    TensorPtr parameter;
    Array values, gradient;  // of the parameter; no gradient if the loss does not depend on it
  };

  static const double* read(const Array& values, const double* from) {
    dispatch(values.dtype, [&](auto zero) {
      for (int64_t i = 0; i < values.size(); ++i) values.as<decltype(zero)>()[i] = static_cast<decltype(zero)>(from[i]);
    });
    return from + values.size();
  }

  static double* write(const Part& part, double* to) {
    if (!part.gradient) return std::fill_n(to, part.values.size(), 0.0);
    dispatch(part.gradient.dtype,
             [&](auto zero) { std::copy_n(part.gradient.as<decltype(zero)>(), part.gradient.size(), to); });
    return to + part.gradient.size();
  }

  Program program_;
  std::vector<Part> parts_;
  int64_t size_ = 0;
  std::mutex mutex_;  // the program's buffers serve one call at a time
};

}  // namespace

void define_gradients(py::module_& module) {
  module.def(
      "value_and_gradient",
      [](const Trace& trace, const TensorPtr& input, const TensorPtr& loss,
         const std::shared_ptr<ParameterGroup>& group) {
        const auto made = std::make_shared<ValueAndGradient>(trace, input, loss, group);
        return py::cpp_function([made](const Vector& vector) { return made->call(vector); });
      },
      py::arg("trace"), py::arg("input"), py::arg("loss"), py::arg("group"));
}

}  // namespace nnlite
