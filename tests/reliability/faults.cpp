// Preloaded into a process: makes the n-th system call or allocation of the arming thread fail.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

enum Target { nothing, system_calls, library_allocations, large_allocations };
constexpr int kShortWrite = -1, kKill = -2;  // instead of an errno

struct Plan {
  Target target = nothing;
  long at = 0, seen = 0;
  int fault = 0;
};
thread_local Plan plan;

const char* library_begin = nullptr;  // the address range of the library under test
const char* library_end = nullptr;
size_t large = 0;

bool strikes(Target target) {
  if (plan.target != target || ++plan.seen != plan.at) return false;
  if (plan.fault == kKill) kill(getpid(), SIGKILL);
  return true;
}

bool allocation_strikes(size_t size, const void* caller) {
  if (plan.target == library_allocations)
    return caller >= library_begin && caller < library_end && strikes(library_allocations);
  return size >= large && strikes(large_allocations);
}

// For calls that cannot be cut short.
bool fails() {
  return strikes(system_calls) && plan.fault != kShortWrite;
}

template <class Function>
Function genuine(Function, const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

int failed() {
  errno = plan.fault;
  return -1;
}

}  // namespace

extern "C" {

void fault_arm(int target, long at, int fault) {
  plan = {static_cast<Target>(target), at, 0, fault};
}

// How many calls or allocations were seen since fault_arm.
long fault_disarm() {
  const long seen = plan.seen;
  plan = {};
  return seen;
}

void fault_bounds(const char* begin, const char* end, size_t large_size) {
  library_begin = begin, library_end = end, large = large_size;
}

int open(const char* path, int flags, ...) {
  static const auto call = genuine(&open, "open");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return fails() ? failed() : call(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  static const auto call = genuine(&open64, "open64");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return fails() ? failed() : call(path, flags, mode);
}

ssize_t write(int file, const void* data, size_t size) {
  static const auto call = genuine(&write, "write");
  if (!strikes(system_calls)) return call(file, data, size);
  if (plan.fault == kShortWrite) return call(file, data, (size + 1) / 2);
  return failed();
}

ssize_t read(int file, void* data, size_t size) {
  static const auto call = genuine(&read, "read");
  if (!strikes(system_calls)) return call(file, data, size);
  if (plan.fault == kShortWrite) return call(file, data, (size + 1) / 2);
  return failed();
}

off_t lseek(int file, off_t offset, int from) {
  static const auto call = genuine(&lseek, "lseek");
  return fails() ? failed() : call(file, offset, from);
}

off64_t lseek64(int file, off64_t offset, int from) {
  static const auto call = genuine(&lseek64, "lseek64");
  return fails() ? failed() : call(file, offset, from);
}

int stat(const char* path, struct stat* result) {
  static const auto call = genuine(static_cast<int (*)(const char*, struct stat*)>(&stat), "stat");
  return fails() ? failed() : call(path, result);
}

int stat64(const char* path, struct stat64* result) {
  static const auto call = genuine(static_cast<int (*)(const char*, struct stat64*)>(&stat64), "stat64");
  return fails() ? failed() : call(path, result);
}

int lstat(const char* path, struct stat* result) {
  static const auto call = genuine(&lstat, "lstat");
  return fails() ? failed() : call(path, result);
}

int lstat64(const char* path, struct stat64* result) {
  static const auto call = genuine(&lstat64, "lstat64");
  return fails() ? failed() : call(path, result);
}

int fstat(int file, struct stat* result) {
  static const auto call = genuine(&fstat, "fstat");
  return fails() ? failed() : call(file, result);
}

int fstat64(int file, struct stat64* result) {
  static const auto call = genuine(&fstat64, "fstat64");
  return fails() ? failed() : call(file, result);
}

int fchmod(int file, mode_t mode) {
  static const auto call = genuine(&fchmod, "fchmod");
  return fails() ? failed() : call(file, mode);
}

int fsync(int file) {
  static const auto call = genuine(&fsync, "fsync");
  return fails() ? failed() : call(file);
}

int rename(const char* from, const char* to) {
  static const auto call = genuine(&rename, "rename");
  return fails() ? failed() : call(from, to);
}

int unlink(const char* path) {
  static const auto call = genuine(&unlink, "unlink");
  return fails() ? failed() : call(path);
}

// A file is closed even if close reports a failure.
int close(int file) {
  static const auto call = genuine(&close, "close");
  const int result = call(file);
  return fails() ? failed() : result;
}

// glibc's internal names: looking up malloc would need memory.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* data, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  if (allocation_strikes(size, __builtin_return_address(0))) return errno = ENOMEM, nullptr;
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  if (allocation_strikes(count * size, __builtin_return_address(0))) return errno = ENOMEM, nullptr;
  return __libc_calloc(count, size);
}

void* realloc(void* data, size_t size) {
  if (allocation_strikes(size, __builtin_return_address(0))) return errno = ENOMEM, nullptr;
  return __libc_realloc(data, size);
}

int posix_memalign(void** result, size_t alignment, size_t size) {
  if (allocation_strikes(size, __builtin_return_address(0))) return ENOMEM;
  *result = __libc_memalign(alignment, size);
  return *result == nullptr ? ENOMEM : 0;
}

void* aligned_alloc(size_t alignment, size_t size) {
  if (allocation_strikes(size, __builtin_return_address(0))) return errno = ENOMEM, nullptr;
  return __libc_memalign(alignment, size);
}

}  // extern "C"

void* operator new(size_t size) {
  if (allocation_strikes(size, __builtin_return_address(0))) throw std::bad_alloc();
  void* data = __libc_malloc(size);
  if (data == nullptr) throw std::bad_alloc();
  return data;
}

void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return allocation_strikes(size, __builtin_return_address(0)) ? nullptr : __libc_malloc(size);
}

void operator delete(void* data) noexcept {
  std::free(data);
}
void operator delete(void* data, size_t) noexcept {
  std::free(data);
}
