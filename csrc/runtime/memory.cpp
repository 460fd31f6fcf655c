#include "runtime/memory.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace nnlite {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

// Large buffers are on huge pages if the system has them: 16 MB are then 8 page faults and TLB entries instead of
// 4,096.
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

// Small blocks that a thread freed, kept for its next tensors of that size: a training loop in Python allocates and
// frees about twenty tensors per step, and aligned allocation is expensive. At most 511 KB per thread.
class SmallBlocks {
 public:
  static constexpr int kClasses = 9;  // 64 bytes ... 16 KB
  static constexpr int kKept = 16;    // of each

#ifdef __SANITIZE_ADDRESS__
  static constexpr bool kEnabled = false;  // a kept block would hide a use after free
#else
  static constexpr bool kEnabled = true;
#endif

  // The class of a size, or kClasses if blocks of that size are not kept.
  static int class_of(size_t bytes) {
    if (!kEnabled || bytes > size_of(kClasses - 1)) return kClasses;
    return bytes <= kAlignment ? 0 : 64 - __builtin_clzll((bytes - 1) / kAlignment);
  }
  static size_t size_of(int at) { return kAlignment << at; }

  SmallBlocks() = default;
  SmallBlocks(const SmallBlocks&) = delete;
  SmallBlocks& operator=(const SmallBlocks&) = delete;
  ~SmallBlocks() {
    for (Stack& stack : stacks_)
      while (stack.count > 0) std::free(stack.blocks[--stack.count]);
    closed_ = true;  // a tensor may outlive its thread's SmallBlocks
  }

  void* take(int at) {
    Stack& stack = stacks_[at];
    return stack.count == 0 ? allocate(size_of(at)) : stack.blocks[--stack.count];
  }
  void give(int at, void* block) {
    Stack& stack = stacks_[at];
    if (closed_ || stack.count == kKept)
      std::free(block);
    else
      stack.blocks[stack.count++] = block;
  }

 private:
  struct Stack {
    void* blocks[kKept];
    int count = 0;
  };
  Stack stacks_[kClasses];
  bool closed_ = false;
};

thread_local SmallBlocks small_blocks;

}  // namespace

Storage::Storage(size_t bytes) : size_class_(SmallBlocks::class_of(bytes)) {
  data_ = size_class_ < SmallBlocks::kClasses ? small_blocks.take(size_class_) : allocate(bytes);
}

Storage::Storage(void* data, std::function<void()> release) : data_(data), release_(std::move(release)) {}

Storage::~Storage() {
  if (release_)
    release_();
  else if (size_class_ < SmallBlocks::kClasses)
    small_blocks.give(size_class_, data_);
  else
    std::free(data_);
}

void* Scratch::of_bytes(size_t bytes) {
  if (bytes > bytes_ || storage_ == nullptr) {
    storage_ = std::make_unique<Storage>(bytes);
    bytes_ = bytes;
  }
  return storage_->data();
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
