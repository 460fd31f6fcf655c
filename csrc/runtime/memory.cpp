#include "runtime/memory.hpp"

#include <cstdlib>
#include <new>

namespace nnlite {
namespace {

void* allocate(size_t bytes) {
  if (bytes > PTRDIFF_MAX - kAlignment) throw std::bad_alloc();
  void* data = std::aligned_alloc(kAlignment, (bytes + kAlignment) / kAlignment * kAlignment);
  if (data == nullptr) throw std::bad_alloc();
  return data;
}

struct Free {
  void operator()(void* data) const { std::free(data); }
};

}  // namespace

Storage::Storage(size_t bytes) : data_(allocate(bytes)) {}

Storage::Storage(void* data, std::function<void()> release) : data_(data), release_(std::move(release)) {}

Storage::~Storage() {
  if (release_)
    release_();
  else
    std::free(data_);
}

void* thread_scratch(size_t bytes) {
  thread_local std::unique_ptr<void, Free> buffer;
  thread_local size_t capacity = 0;
  if (bytes > capacity) {
    capacity = 0;
    buffer.reset();
    buffer.reset(allocate(bytes));
    capacity = bytes;
  }
  return buffer.get();
}

}  // namespace nnlite
