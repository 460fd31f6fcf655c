#include "runtime/generator.hpp"

#include <mutex>
#include <stdexcept>
#include <utility>

namespace nnlite {
namespace {

std::mutex default_mutex;

std::shared_ptr<Generator>& default_slot() {
  static std::shared_ptr<Generator> generator = std::make_shared<Generator>(0);
  return generator;
}

}  // namespace

std::shared_ptr<Generator> default_generator() {
  const std::lock_guard<std::mutex> lock(default_mutex);
  return default_slot();
}

std::shared_ptr<Generator> set_default_generator(std::shared_ptr<Generator> generator) {
  const std::lock_guard<std::mutex> lock(default_mutex);
  return std::exchange(default_slot(), std::move(generator));
}

Purpose purpose_of(const std::string& name) {
  for (int i = 0; i < kPurposes; ++i)
    if (name == kPurposeNames[i]) return static_cast<Purpose>(i);
  throw std::invalid_argument("purpose '" + name + "' is unknown; use init, shuffle, dropout, data or split");
}

}  // namespace nnlite
