// Buffers aligned to a cache line, and the scratch memory of each thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace nnlite {

constexpr size_t kAlignment = 64;

// Memory that the library allocated, or foreign memory that `release` frees.
class Storage {
 public:
  explicit Storage(size_t bytes);  // throws std::bad_alloc
  Storage(void* data, std::function<void()> release);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }

  // How often the values have been changed in place. The tape compares it with the count at the time it saved them.
  uint32_t version() const { return version_; }
  void count_change() { ++version_; }

 private:
  void* data_;
  uint32_t version_ = 0;
  int size_class_ = 0;             // of memory allocated here
  std::function<void()> release_;  // empty for memory allocated here
};

using StoragePtr = std::shared_ptr<Storage>;

// Base of classes whose objects belong to shared pointers. If a binding runs out of memory while wrapping one, it
// passes the object to operator delete although its owner also frees it.
struct SharedObject {
  static void operator delete(void*) noexcept {}
};

// Memory for intermediate results, allocated when first used and kept: a later use allocates only if it needs more.
class Scratch {
 public:
  template <class T>
  T* of(int64_t count) {
    return static_cast<T*>(of_bytes(static_cast<size_t>(count) * sizeof(T)));
  }

 private:
  void* of_bytes(size_t bytes);

  std::unique_ptr<Storage> storage_;
  size_t bytes_ = 0;
};

// Aligned scratch memory of the calling thread, valid until its next call; it grows and is reused.
void* thread_scratch(size_t bytes);

}  // namespace nnlite
