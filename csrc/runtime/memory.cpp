#include "runtime/memory.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace nnlite {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

// Large buffers stand on huge pages where the system has them: a matrix of 16 MB is then 8 pages to fault in and to
// look up instead of 4,096.
void* allocate(size_t bytes) {
  if (bytes > PTRDIFF_MAX - kHugePage) throw std::bad_alloc();
  const size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kAlignment;
  const size_t size = (bytes + kAlignment) / kAlignment * kAlignment;
  void* data = nullptr;
  if (posix_memalign(&data, alignment, size) != 0) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (alignment == kHugePage) madvise(data, size, MADV_HUGEPAGE);
#endif
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
