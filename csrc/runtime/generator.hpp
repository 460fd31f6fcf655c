// Counter-based random numbers: (seed, purpose, draw) alone determines the values of a stream.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/types.hpp"
#include "runtime/memory.hpp"

namespace nnlite {

enum class Purpose : uint32_t { initialization, shuffle, dropout, data, split };
constexpr int kPurposes = 5;
constexpr const char* kPurposeNames[kPurposes] = {"init", "shuffle", "dropout", "data", "split"};

// Creates streams. Each purpose counts its own draws, so draws for one never shift another's.
class Generator : public SharedObject {
 public:
  explicit Generator(uint64_t seed) : seed_(seed) {}

  uint64_t seed() const { return seed_; }
  RandomStream next(Purpose purpose) {
    return {seed_, static_cast<uint32_t>(purpose), draws_[static_cast<size_t>(purpose)]++};
  }
  uint32_t draws(Purpose purpose) const { return draws_[static_cast<size_t>(purpose)]; }
  void set_draws(Purpose purpose, uint32_t draws) { draws_[static_cast<size_t>(purpose)] = draws; }
  void restore(uint64_t seed, const std::array<uint32_t, kPurposes>& draws) {
    seed_ = seed;
    for (size_t i = 0; i < draws.size(); ++i) draws_[i] = draws[i];
  }

 private:
  uint64_t seed_;
  std::array<std::atomic<uint32_t>, kPurposes> draws_{};
};

// The generator operations draw from: this thread's if use_generator set one, else the process's.
std::shared_ptr<Generator> default_generator();
void set_default_generator(std::shared_ptr<Generator> generator);
// Sets this thread's generator; null removes it. Returns the previous one.
std::shared_ptr<Generator> use_generator(std::shared_ptr<Generator> generator);

Purpose purpose_of(const std::string& name);  // throws std::invalid_argument

}  // namespace nnlite
