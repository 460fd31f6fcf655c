// Every kernel on operands that end, or begin, at an unreadable page: a read or write beyond either end is a fault, and
// the results must have the bits of operands in ordinary memory. Compiled by test_guard_pages.py together with
// kernels/wide.cpp, common.cpp and shared.cpp, run as `program FIRST LAST STEP` for the sizes FIRST, FIRST + STEP, ...
// LAST.
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/table.hpp"
#include "updating.hpp"

namespace {
using namespace nnlite;

const KernelTable table(NNLITE_WIDE, NNLITE_COMMON);

char current[200];  // the current case, for the fault handler
int64_t trials = 0;

void report_fault(int signal) {
  const char beginning[] = "fault in ";
  if (write(STDERR_FILENO, beginning, sizeof beginning - 1) < 0 ||
      write(STDERR_FILENO, current, std::strlen(current)) < 0)
    _exit(1);
  std::signal(signal, SIG_DFL);
  raise(signal);
}

// Where the operands of a case lie.
enum class Place { ordinary, before_a_guard, behind_a_guard };
const char* const kPlaces[] = {"ordinary memory", "operands before a guard page", "operands behind a guard page"};

// Spans of memory between guard pages; each case takes them in order.
class Memory {
 public:
  Memory() {
    for (char*& slot : slots_) {
      void* all = mmap(nullptr, kSlot + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (all == MAP_FAILED) std::perror("mmap"), std::exit(1);
      slot = static_cast<char*>(all) + kPage;
      if (mprotect(slot, kSlot, PROT_READ | PROT_WRITE) != 0) std::perror("mprotect"), std::exit(1);
    }
  }

  void start(Place place) { place_ = place, used_ = 0, state_ = 1; }

  // Fixed values between -1 and 1, in outputs too, so that each case starts from equal bits.
  template <class T>
  T* numbers(int64_t n) {
    T* data = take<T>(n);
    for (int64_t i = 0; i < n; ++i) data[i] = static_cast<T>(next() / 9007199254740992.0 * 2 - 1);
    return data;
  }
  template <class T>
  T* integers(int64_t n, int64_t below) {
    T* data = take<T>(n);
    for (int64_t i = 0; i < n; ++i) data[i] = static_cast<T>(static_cast<int64_t>(next()) % below);
    return data;
  }

  // The current contents of all memory that the case took.
  std::string contents() const {
    std::string all;
    for (int i = 0; i < used_; ++i) all.append(spans_[i].data, spans_[i].bytes);
    return all;
  }

 private:
  static constexpr size_t kPage = 4096, kSlot = 1024 * kPage;
  static constexpr int kSlots = 12;
  struct Span {
    const char* data;
    size_t bytes;
  };

  template <class T>
  T* take(int64_t n) {
    const size_t bytes = static_cast<size_t>(n) * sizeof(T);
    if (used_ == kSlots || bytes + 64 > kSlot) std::fprintf(stderr, "no room for %s\n", current), std::exit(1);
    // Ordinary memory is aligned and has neighbours on both sides.
    const size_t at = place_ == Place::before_a_guard ? kSlot - bytes
                      : place_ == Place::ordinary     ? kSlot / 2 - bytes / 128 * 64
                                                      : 0;
    char* data = slots_[used_] + at;
    spans_[used_++] = {data, bytes};
    return reinterpret_cast<T*>(data);
  }

  double next() {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<double>(state_ >> 11);
  }

  char* slots_[kSlots];
  Span spans_[kSlots];
  int used_ = 0;
  Place place_ = Place::ordinary;
  uint64_t state_ = 1;
};

Memory memory;

// `body` takes its operands from `memory` and calls a kernel. Their bits afterwards must not depend on the place.
template <class Body>
void check(const std::string& name, int64_t n, Body body) {
  std::string expected;
  for (const Place place : {Place::ordinary, Place::before_a_guard, Place::behind_a_guard}) {
    std::snprintf(current, sizeof current, "%s of size %lld, %s\n", name.c_str(), static_cast<long long>(n),
                  kPlaces[static_cast<int>(place)]);
    memory.start(place);
    body();
    if (place == Place::ordinary)
      expected = memory.contents();
    else if (++trials; memory.contents() != expected)
      std::printf("the bits differ: %s", current);
  }
}

auto checker_of_rows(const std::string& type, int64_t rows, int64_t columns) {
  const std::string end = " of " + std::to_string(rows) + " rows";
  return [=](const char* name, auto body) { check(type + name + end, columns, body); };
}

template <class T>
T* numbers(int64_t n) {
  return memory.numbers<T>(n);
}

template <class T>
void elementwise(const Kernels<T>& table, const std::string& type, int64_t n) {
  for (int k = 0; k < table.unary_count; ++k) {
    const UnaryKernel<T>& unary = table.unary[k];
    check(type + unary.name, n, [&] { unary.forward(numbers<T>(n), numbers<T>(n), n, T(0.7), T(1.9)); });
    check(type + "gradient of " + unary.name, n, [&] {
      const T *x = numbers<T>(n), *y = numbers<T>(n), *dy = numbers<T>(n);
      unary.backward(x, y, dy, numbers<T>(n), n, T(0.7), T(1.9));
    });
  }
  for (int k = 0; k < table.binary_count; ++k)
    for (int strides = 0; strides < 4; ++strides) {
      const BinaryKernel<T>& binary = table.binary[k];
      const int64_t a_stride = strides % 2, b_stride = strides / 2;
      const auto gradient = [&](auto backward) {
        const T *a = numbers<T>(a_stride ? n : 1), *b = numbers<T>(b_stride ? n : 1), *y = numbers<T>(n),
                *dy = numbers<T>(n);
        backward(a, a_stride, b, b_stride, y, dy, numbers<T>(n), n);
      };
      check(type + binary.name, n, [&] {
        const T *a = numbers<T>(a_stride ? n : 1), *b = numbers<T>(b_stride ? n : 1);
        binary.forward(a, a_stride, b, b_stride, numbers<T>(n), n);
      });
      check(type + "gradient a of " + binary.name, n, [&] { gradient(binary.backward_a); });
      check(type + "gradient b of " + binary.name, n, [&] { gradient(binary.backward_b); });
    }
  check(type + "add", n, [&] {
    const T *a = numbers<T>(n), *b = numbers<T>(n);
    table.add(a, b, numbers<T>(n), n);
  });
  check(type + "scale, sum_squares", n, [&] {
    const T* x = numbers<T>(n);
    table.scale(x, T(0.3), numbers<T>(n), n), table.sum_squares(x, n, numbers<double>(kDoubleLanes));
  });
  check(type + "first_nonfinite", n, [&] {
    T* x = numbers<T>(n);
    if (table.first_nonfinite(x, n) != -1) std::printf("first_nonfinite found one among finite numbers\n");
    x[n - 1] = static_cast<T>(__builtin_huge_val());
    if (table.first_nonfinite(x, n) != n - 1) std::printf("first_nonfinite missed the last number\n");
  });
}

template <class T>
void losses(const Kernels<T>& table, const std::string& type, int64_t n) {
  for (int k = 0; k < table.loss_count; ++k) {
    const LossKernel<T>& loss = table.losses[k];
    const std::string name = type + loss.name;
    check(name, n, [&] {
      const T *x = numbers<T>(n), *t = numbers<T>(n);
      loss.forward(x, t, numbers<T>(n), n, T(0.8));
    });
    for (const int64_t stride : {0, 1})
      for (const auto backward :
           {loss.backward, loss.target_backward == nullptr ? loss.backward : loss.target_backward})
        check("gradient of " + name, n, [&] {
          const T *x = numbers<T>(n), *t = numbers<T>(n), *dy = numbers<T>(stride ? n : 1);
          backward(x, t, dy, stride, numbers<T>(n), n, T(0.8));
        });
    for (const int64_t columns : {1, 3})
      check("sum of " + name, n, [&] {
        const T *x = numbers<T>(n * columns), *t = numbers<T>(n * columns);
        *numbers<T>(1) = table.loss_sum(loss, x, t, n, columns, T(0.8));
      });
  }
}

template <class T>
void sums(const Kernels<T>& table, const std::string& type, int64_t rows, int64_t columns) {
  const int64_t size = rows * columns;
  const auto check_rows = checker_of_rows(type, rows, columns);
  check_rows("transpose", [&] {
    const T* x = numbers<T>(size);
    table.transpose(x, rows, columns, numbers<T>(size));
  });
  for (const int64_t gap : {0, 5})
    check_rows("sum_rows", [&] {
      const T* x = numbers<T>(size + (rows - 1) * gap);
      table.sum_rows(x, rows, columns, columns + gap, numbers<T>(columns));
    });
  check_rows("sum_columns", [&] {
    const T* x = numbers<T>(size);
    table.sum_columns(x, rows, columns, numbers<T>(rows));
  });
  check_rows("sum_all", [&] {
    const T* x = numbers<T>(size);
    *numbers<T>(1) = table.sum_all(x, rows, columns);
  });
  check_rows("max_columns", [&] {
    const T* x = numbers<T>(size);
    T* largest = numbers<T>(rows);
    table.max_columns(x, rows, columns, largest, memory.integers<int64_t>(rows, 2));
  });
  for (const int64_t stride : {0, 1})
    check_rows("scale_rows", [&] {
      const T *x = numbers<T>(size), *dy = numbers<T>(stride ? rows : 1);
      table.scale_rows(x, dy, stride, numbers<T>(size), rows, columns);
    });
}

template <class T>
void softmaxes(const Kernels<T>& table, const std::string& type, int64_t rows, int64_t columns) {
  const int64_t size = rows * columns;
  const auto check_rows = checker_of_rows(type, rows, columns);
  for (const auto function : {table.softmax, table.log_softmax})
    check_rows("softmax", [&] {
      const T* x = numbers<T>(size);
      function(x, numbers<T>(size), rows, columns);
    });
  for (const auto gradient : {table.softmax_backward, table.log_softmax_backward})
    check_rows("gradient of softmax", [&] {
      const T *y = numbers<T>(size), *dy = numbers<T>(size);
      gradient(y, dy, numbers<T>(size), rows, columns);
    });
  for (int options = 0; options < 8; ++options)
    check_rows("cross_entropy", [&] {
      ClassTargets<T> targets{};
      targets.ignore_index = columns > 1 ? 1 : -1;
      targets.label_smoothing = options & 1 ? T(0.1) : T(0);
      targets.weight = options & 2 ? numbers<T>(columns) : nullptr;
      targets.labels = options & 4 ? memory.integers<int64_t>(rows, columns) : nullptr;
      targets.probabilities = options & 4 ? nullptr : numbers<T>(size);
      const T* logits = numbers<T>(size);
      T *loss = numbers<T>(rows), *gradient = numbers<T>(size);
      table.cross_entropy(logits, targets, loss, gradient, numbers<T>(rows), rows, columns);
    });
}

template <class T>
void normalizations(const Kernels<T>& table, const std::string& type, int64_t rows, int64_t columns) {
  const int64_t size = rows * columns;
  for (const bool affine : {true, false}) {
    const auto optional = [&](int64_t n) { return affine ? numbers<T>(n) : nullptr; };
    const auto check_rows = checker_of_rows(type, rows, columns);
    check_rows("layer_norm", [&] {
      const T *x = numbers<T>(size), *weight = optional(columns), *bias = optional(columns);
      T *y = numbers<T>(size), *normalized = numbers<T>(size);
      table.layer_norm(x, weight, bias, T(1e-5), y, normalized, numbers<T>(rows), rows, columns);
    });
    check_rows("gradient of layer_norm", [&] {
      const T *normalized = numbers<T>(size), *scale = numbers<T>(rows), *weight = optional(columns),
              *dy = numbers<T>(size);
      table.layer_norm_backward(normalized, scale, weight, dy, numbers<T>(size), rows, columns);
    });
    check_rows("normalize_columns", [&] {
      const T *x = numbers<T>(size), *mean = numbers<T>(columns), *scale = optional(columns),
              *weight = optional(columns), *bias = optional(columns);
      T* y = optional(size);
      table.normalize_columns(x, mean, scale, weight, bias, y, numbers<T>(size), rows, columns);
    });
    check_rows("gradient of batch_norm", [&] {
      const T *normalized = numbers<T>(size), *scale = numbers<T>(columns), *weight = optional(columns),
              *dy = numbers<T>(size), *mean = optional(columns), *mean_normalized = optional(columns);
      table.batch_norm_backward(normalized, scale, weight, dy, mean, mean_normalized, numbers<T>(size), rows, columns);
    });
  }
}

template <class T>
void updates(const Kernels<T>& table, const std::string& type, int64_t n) {
  for (int number = 0; number < Optimizers::count; ++number)
    for (const bool on : {false, true})
      check(type + Optimizers::rows[number].name, n, [&] {
        const Updating<T> updating(table, number, options_of_all(on), [&] { return numbers<T>(n); });
        updating.update().apply(numbers<T>(n), numbers<T>(n), updating.update(), 0, n);
        table.plain_update(numbers<T>(n), numbers<T>(n), updating.update(), 0, n);
      });
}

template <class T>
void random_numbers(const Kernels<T>& table, const std::string& type, int64_t n) {
  const RandomStream stream{123456789012345ull, 2, 7};
  for (const int64_t begin : {0, 5}) {
    check(type + "uniform", n, [&] { table.uniform(numbers<T>(n), begin, n, stream, T(-1), T(2)); });
    check(type + "normal", n, [&] { table.normal(numbers<T>(n), begin, n, stream, T(1), T(2)); });
    check(type + "dropout_mask", n, [&] { table.dropout_mask(numbers<T>(n), begin, n, stream, T(0.7), T(2)); });
  }
}

// One product, or the part of it that starts at `corner`; C's rows are `gap` elements apart.
template <class T>
void product(const Kernels<T>& table, int64_t m, int64_t n, int64_t k, int form, int epilogue, int64_t corner,
             int64_t gap) {
  const T *a = numbers<T>(m * k), *b = numbers<T>(k * n);
  const int64_t c_size = m * n + (m - 1) * gap;
  T* c = numbers<T>(c_size);
  const int number = epilogue < 2 ? 0 : (epilogue - 2) / 2;
  const Updating<T> updating(table, number, options_of_all(epilogue % 2 != 0), [&] { return numbers<T>(c_size); });
  GemmTask<T> task{
      m,       n,         k, {a, form == 2 ? 1 : k, form == 2 ? m : 1}, {b, form == 1 ? 1 : n, form == 1 ? k : 1}, c,
      n + gap, form == 2, {}};
  if (epilogue == 1) task.epilogue.bias = numbers<T>(n);
  if (epilogue >= 2) task.epilogue.update = &updating.update();
  const TileRange range{corner < m ? corner : 0, m, corner < n ? corner : 0, n};
  RowsAhead ahead{reinterpret_cast<const char*>(a),
                  k * int64_t{sizeof(T)},
                  k * int64_t{sizeof(T)},
                  memory.integers<int64_t>(m, m),
                  0,
                  m};
  table.gemm(task, range, numbers<T>(table.gemm_workspace(task, range)), &ahead);
}

template <class T>
void products(const Kernels<T>& table, const std::string& type, int64_t m, int64_t n, int64_t k) {
  const std::string name =
      type + "product of " + std::to_string(m) + " x " + std::to_string(k) + " x " + std::to_string(n) + " form ";
  constexpr int epilogues = 2 + 2 * Optimizers::count;  // nothing, a bias, then each optimizer's updates
  for (int form = 0; form < 3; ++form)
    for (int epilogue = 0; epilogue < epilogues; ++epilogue)
      check(name + std::to_string(form) + " epilogue " + std::to_string(epilogue), n,
            [&] { product(table, m, n, k, form, epilogue, epilogue == 0 ? 24 : 0, epilogue == 1 ? 3 : 0); });
}
constexpr int64_t kSizes[kSourceTypes] = {1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8};

void gathers(int64_t n) {
  constexpr int64_t rows = 9, gap = 3;
  for (int source = 0; source < kSourceTypes; ++source)
    for (int target = 0; target < kTargetTypes; ++target)
      for (const bool ordered : {true, false})
        check("gather from type " + std::to_string(source) + " to type " + std::to_string(target), n, [&] {
          const int64_t bytes = kSizes[source], stride = (n + gap) * bytes;
          const char* data = source < 9    ? memory.integers<char>(rows * stride - gap * bytes, 2)
                             : source == 9 ? reinterpret_cast<char*>(numbers<float>(rows * (n + gap) - gap))
                                           : reinterpret_cast<char*>(numbers<double>(rows * (n + gap) - gap));
          const int64_t* order = ordered ? memory.integers<int64_t>(rows, rows) : nullptr;
          const int64_t begin = 2, end = 6, size = (end - begin) * n;
          void* out = target == 0   ? static_cast<void*>(numbers<float>(size))
                      : target == 1 ? static_cast<void*>(numbers<double>(size))
                                    : static_cast<void*>(memory.integers<int64_t>(size, 2));
          table.gather[source][target]({data, n, stride, order, rows, begin, end, out});
        });
}

template <class T>
void all_of_size(const Kernels<T>& table, const std::string& type, int64_t n) {
  elementwise(table, type, n), losses(table, type, n), updates(table, type, n), random_numbers(table, type, n);
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{3, n}, {n, 5}, {1, n}}) {
    sums(table, type, rows, columns), softmaxes(table, type, rows, columns), normalizations(table, type, rows, columns);
  }
  products(table, type, n, 19, 7), products(table, type, 5, n, 11), products(table, type, 13, 35, n),
      products(table, type, 1, n, 3);
}

// Large enough for blocks, packed operands and the upper levels of the tree.
template <class T>
void large_products(const Kernels<T>& table, const std::string& type) {
  const int64_t sizes[][3] = {{257, 270, 40}, {129, 70, 530}, {33, 300, 1030}, {200, 65, 200}};
  for (const auto& [m, n, k] : sizes) products(table, type, m, n, k);
}
}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  std::signal(SIGSEGV, report_fault), std::signal(SIGBUS, report_fault);
  const int64_t first = std::atoll(arguments[1]), last = std::atoll(arguments[2]), step = std::atoll(arguments[3]);
  for (int64_t n = first; n <= last; n += step) {
    all_of_size(table.float32, "float32 ", n), all_of_size(table.float64, "float64 ", n);
    gathers(n);
    check("permutation", n, [&] { table.permutation(memory.integers<int64_t>(n, 2), n, RandomStream{42, 1, 3}); });
  }
  large_products(table.float32, "float32 "), large_products(table.float64, "float64 ");
  std::printf("%lld\n", static_cast<long long>(trials));
}
