#include "runtime/generator.hpp"

#include <pthread.h>

#include <mutex>
#include <stdexcept>
#include <utility>

namespace nnlite {
namespace {

std::mutex default_mutex;
// fork() waits for the mutex: a copy locked by another thread would never be released in the child.
const int registered =
    pthread_atfork([] { default_mutex.lock(); }, [] { default_mutex.unlock(); }, [] { default_mutex.unlock(); });
thread_local std::shared_ptr<Generator> own_generator;

std::shared_ptr<Generator>& default_slot() {
  static std::shared_ptr<Generator> generator = std::make_shared<Generator>(0);
  return generator;
}

}  // namespace

std::shared_ptr<Generator> default_generator() {
  if (own_generator != nullptr) return own_generator;
  const std::lock_guard<std::mutex> lock(default_mutex);
  return default_slot();
}

void set_default_generator(std::shared_ptr<Generator> generator) {
  const std::lock_guard<std::mutex> lock(default_mutex);
  default_slot() = std::move(generator);
}

std::shared_ptr<Generator> use_generator(std::shared_ptr<Generator> generator) {
  return std::exchange(own_generator, std::move(generator));
}

Purpose purpose_of(const std::string& name) {
  for (int i = 0; i < kPurposes; ++i)
    if (name == kPurposeNames[i]) return static_cast<Purpose>(i);
  throw std::invalid_argument("purpose '" + name + "' is unknown; use init, shuffle, dropout, data or split");
}

}  // namespace nnlite
