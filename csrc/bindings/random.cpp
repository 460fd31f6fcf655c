// Random numbers.
#include "bindings/bindings.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/generator.hpp"
#include "runtime/team.hpp"

namespace nnlite {
namespace {

using GeneratorPtr = std::shared_ptr<Generator>;

// Fills a new array of `shape` from one stream by draw(T*, begin, n).
template <class Draw>
py::array drawn(py::handle sizes, py::handle dtype, const Draw& draw) {
  const auto tensor = std::make_shared<Tensor>(shape_from(sizes), dtype_from(dtype));
  if (!is_floating(tensor->dtype())) throw TypeError("random numbers are float32 or float64");
  const FloatingPointScope scope;
  dispatch(tensor->dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_spans(tensor->array().size(), 4096, 16,
                   [&](int64_t begin, int64_t end) { draw(tensor->array().as<T>() + begin, begin, end - begin); });
  });
  return numpy_view(tensor);
}

py::array uniform_of(Generator& generator, py::handle shape, double low, double high, py::handle dtype,
                     const std::string& purpose) {
  const RandomStream stream = generator.next(purpose_of(purpose));
  return drawn(shape, dtype, [&](auto* to, int64_t begin, int64_t n) {
    using T = std::remove_pointer_t<decltype(to)>;
    kernels<T>().uniform(to, begin, n, stream, static_cast<T>(low), static_cast<T>(high));
  });
}

py::array normal_of(Generator& generator, py::handle shape, double mean, double std, py::handle dtype,
                    const std::string& purpose) {
  const RandomStream stream = generator.next(purpose_of(purpose));
  return drawn(shape, dtype, [&](auto* to, int64_t begin, int64_t n) {
    using T = std::remove_pointer_t<decltype(to)>;
    kernels<T>().normal(to, begin, n, stream, static_cast<T>(mean), static_cast<T>(std));
  });
}

py::array_t<int64_t> permutation_of(int64_t n, const RandomStream& stream) {
  if (n < 0) throw std::invalid_argument(text("n must be at least 0, got ", n));
  py::array_t<int64_t> order(n);
  kernel_table().permutation(order.mutable_data(), n, stream);
  return order;
}

// Negative seeds count from 2^64 down, as in PyTorch.
uint64_t seed_from(const py::int_& seed) {
  const bool fits = seed.attr("bit_length")().cast<int>() <= (seed < py::int_(0) ? 63 : 64);
  if (!fits)
    throw std::invalid_argument(text("a seed must have at most 64 bits, got ", py::str(seed).cast<std::string>()));
  return PyLong_AsUnsignedLongLongMask(seed.ptr());
}

py::dict state_of(const Generator& generator) {
  py::dict state;
  state["seed"] = generator.seed();
  for (int i = 0; i < kPurposes; ++i) state[kPurposeNames[i]] = generator.draws(static_cast<Purpose>(i));
  return state;
}

void restore(Generator& generator, const py::dict& state) {
  std::array<uint32_t, kPurposes> draws{};
  for (int i = 0; i < kPurposes; ++i) draws[static_cast<size_t>(i)] = state[kPurposeNames[i]].cast<uint32_t>();
  generator.restore(state["seed"].cast<uint64_t>(), draws);
}

}  // namespace

void define_random(py::module_& module) {
  using py::arg;
  py::class_<Generator, GeneratorPtr>(module, "Generator")
      .def(py::init([](const py::int_& seed, const std::optional<py::dict>& state) {
             auto generator = std::make_shared<Generator>(seed_from(seed));
             if (state) restore(*generator, *state);
             return generator;
           }),
           arg("seed") = 0, arg("state") = py::none())
      .def_property_readonly("seed", &Generator::seed)
      .def("initial_seed", &Generator::seed)
      .def(
          "manual_seed",
          [](const GeneratorPtr& generator, const py::int_& seed) {
            generator->restore(seed_from(seed), {});
            return generator;
          },
          arg("seed"))
      .def("__repr__", [](const Generator& generator) { return text("Generator(seed=", generator.seed(), ')'); })
      .def("uniform", &uniform_of, arg("shape"), arg("low") = 0.0, arg("high") = 1.0, arg("dtype") = "float32",
           arg("purpose") = "data")
      .def("normal", &normal_of, arg("shape"), arg("mean") = 0.0, arg("std") = 1.0, arg("dtype") = "float32",
           arg("purpose") = "data")
      .def(
          "permutation",
          [](Generator& generator, int64_t n, const std::string& purpose) {
            return permutation_of(n, generator.next(purpose_of(purpose)));
          },
          arg("n"), arg("purpose") = "data")
      .def("state", &state_of)
      .def("__reduce__",
           [](const py::object& self) {
             const auto& generator = self.cast<const Generator&>();
             return py::make_tuple(py::type::of(self), py::make_tuple(generator.seed(), state_of(generator)));
           })
      .def("set_state", &restore, arg("state"));
  module.def(
      "permutation",
      [](int64_t n, uint64_t seed, uint32_t draw) {
        return permutation_of(n, {seed, static_cast<uint32_t>(Purpose::shuffle), draw});
      },
      arg("n"), arg("seed"), arg("draw"));
  module.def("default_generator", &default_generator);
  module.def(
      "use_generator",
      [](const std::optional<GeneratorPtr>& generator) { return use_generator(generator.value_or(nullptr)); },
      arg("generator"));
  module.def(
      "manual_seed",
      [](const py::int_& seed) {
        auto generator = std::make_shared<Generator>(seed_from(seed));
        set_default_generator(generator);
        return generator;
      },
      arg("seed"));
}

}  // namespace nnlite
