// Prints a checksum of every kernel's output on fixed inputs: equal lines mean equal bits. Compiled by test_neon.py for
// several machines together with kernels/wide.cpp, common.cpp and shared.cpp.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/table.hpp"
#include "updating.hpp"

namespace {
using namespace nnlite;

uint64_t state = 1;

double next_value() {
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return (static_cast<double>(state >> 11) / 9007199254740992.0 - 0.5) * 8;
}

template <class T>
std::vector<T> values(int64_t n) {
  std::vector<T> out(static_cast<size_t>(n));
  for (T& value : out) value = static_cast<T>(next_value());
  return out;
}

// All NaNs count as one value: their signs and payloads differ between processors.
template <class T>
void print(const std::string& name, const std::vector<T>& out) {
  uint64_t hash = 14695981039346656037ull;
  for (T value : out) {
    if (value != value) value = T(12345);
    unsigned char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    for (unsigned char byte : bytes) hash = (hash ^ byte) * 1099511628211ull;
  }
  std::printf("%s %016llx\n", name.c_str(), static_cast<unsigned long long>(hash));
}

template <class T>
std::vector<T> with_specials(int64_t n) {
  std::vector<T> x = values<T>(n);
  const double specials[] = {0.0,  -0.0,  1.0,   -1.0,   1e-40, -1e-40, 88.0,  -104.0,
                             1e30, -1e30, 1e300, 1e-310, 0.9,   1.1,    700.0, -745.0};
  for (size_t i = 0; i < 16; ++i) x[i * 3] = static_cast<T>(specials[i]);
  x[50] = static_cast<T>(__builtin_huge_val());
  x[51] = -x[50];
  x[52] = x[50] - x[50];
  return x;
}

template <class T>
void elementwise(const Kernels<T>& table, const std::string& type) {
  const int64_t n = 133;
  const std::vector<T> x = with_specials<T>(n), t = values<T>(n), dy = values<T>(n);
  std::vector<T> y(x.size()), dx(x.size());
  for (int k = 0; k < table.unary_count; ++k) {
    table.unary[k].forward(x.data(), y.data(), n, T(0.7), T(1.9));
    table.unary[k].backward(x.data(), y.data(), dy.data(), dx.data(), n, T(0.7), T(1.9));
    print(type + " unary " + table.unary[k].name, y);
    print(type + " gradient of " + table.unary[k].name, dx);
  }
  for (int k = 0; k < table.binary_count; ++k) {
    table.binary[k].forward(x.data(), 1, t.data(), 1, y.data(), n);
    print(type + " binary " + table.binary[k].name, y);
    table.binary[k].backward_a(x.data(), 1, t.data(), 0, y.data(), dy.data(), dx.data(), n);
    print(type + " gradient a of " + table.binary[k].name, dx);
    table.binary[k].backward_b(x.data(), 0, t.data(), 1, y.data(), dy.data(), dx.data(), n);
    print(type + " gradient b of " + table.binary[k].name, dx);
  }
  for (int k = 0; k < table.loss_count; ++k) {
    table.losses[k].forward(x.data(), t.data(), y.data(), n, T(0.8));
    print(type + " loss " + table.losses[k].name, y);
    table.losses[k].backward(x.data(), t.data(), dy.data(), 1, dx.data(), n, T(0.8));
    print(type + " gradient of " + table.losses[k].name, dx);
    const std::vector<T> clean = values<T>(390);
    print(type + " sum of " + table.losses[k].name,
          std::vector<T>{table.loss_sum(table.losses[k], clean.data(), clean.data() + 195, 65, 3, T(0.8))});
  }
}

template <class T>
void products(const Kernels<T>& table, const std::string& type) {
  const int64_t sizes[][3] = {{1, 1, 1},     {7, 19, 5},  {13, 70, 150}, {33, 130, 600},
                              {64, 3, 1200}, {2, 37, 50}, {4, 16, 16},   {9, 37, 3}};
  for (const auto& [m, n, k] : sizes)
    for (int form = 0; form < 3; ++form)
      for (bool leaves : {false, true}) {
        const std::vector<T> a = values<T>(m * k), b = values<T>(k * n), bias = values<T>(n);
        std::vector<T> c(static_cast<size_t>(m * n));
        GemmTask<T> task{m,
                         n,
                         k,
                         {a.data(), form == 2 ? 1 : k, form == 2 ? m : 1},
                         {b.data(), form == 1 ? 1 : n, form == 1 ? k : 1},
                         c.data(),
                         n,
                         leaves,
                         {}};
        task.epilogue.bias = bias.data();
        const TileRange range{0, m, 0, n};
        std::vector<T> workspace(static_cast<size_t>(table.gemm_workspace(task, range)));
        table.gemm(task, range, workspace.data(), nullptr);
        print(type + " gemm " + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + " form " +
                  std::to_string(form) + (leaves ? " leaves" : ""),
              c);
      }
}

// Compares bits, so that NaNs, such as the root of a negative variance from random buffers, are equal.
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// An update in the epilogue gives the result of a separate pass, whether plain (in the tile) or from memory.
template <class T>
void epilogues(const Kernels<T>& table, const std::string& type, int64_t k) {
  const int64_t m = 13, n = 70;
  const std::vector<T> a = values<T>(m * k), b = values<T>(k * n), start = values<T>(m * n);
  const auto product = [&](std::vector<T>& c, const GemmEpilogue<T>& epilogue) {
    const GemmTask<T> task{m, n, k, {a.data(), k, 1}, {b.data(), n, 1}, c.data(), n, true, epilogue};
    const TileRange range{0, m, 0, n};
    std::vector<T> workspace(static_cast<size_t>(table.gemm_workspace(task, range)));
    table.gemm(task, range, workspace.data(), nullptr);
  };
  std::vector<T> gradient(start.size());
  product(gradient, {});
  for (int number = 0; number < Optimizers::count; ++number)
    for (const bool on : {false, true}) {
      const std::string name = type + ' ' + Optimizers::rows[number].name + (on ? " on" : " off");
      std::vector<std::vector<T>> memory;
      const auto make_buffer = [&] {
        memory.push_back(values<T>(m * n));
        for (T& value : memory.back()) value *= value;  // some buffers hold sums of squares
        return memory.back().data();
      };
      const Updating<T> fused(table, number, options_of_all(on), make_buffer);
      const size_t used = memory.size();
      size_t copied = 0;
      const Updating<T> apart(table, number, options_of_all(on), [&] {
        memory.push_back(std::vector<T>(memory[copied++]));
        return memory.back().data();
      });
      std::vector<T> weight = start, expected = start;
      GemmEpilogue<T> epilogue;
      epilogue.update = &fused.update();
      product(weight, epilogue);
      apart.update().apply(expected.data(), gradient.data(), apart.update(), 0, m * n);
      if (apart.update().is_plain) {
        std::vector<T> plain = start;
        table.plain_update(plain.data(), gradient.data(), apart.update(), 0, m * n);
        if (!same(plain, expected)) std::printf("MISMATCH %s plain\n", name.c_str());
      }
      print(name, weight);
      if (!same(weight, expected)) std::printf("MISMATCH %s\n", name.c_str());
      for (size_t i = 0; i < used; ++i) {
        print(name + " buffer", memory[i]);
        if (!same(memory[i], memory[used + i])) std::printf("MISMATCH %s buffer\n", name.c_str());
      }
    }
}

template <class T>
void rows(const Kernels<T>& table, const std::string& type) {
  const int64_t n = 150, classes = 21;
  const std::vector<T> x = values<T>(n * classes), dy = values<T>(n * classes), weight = values<T>(classes);
  std::vector<T> y(x.size()), dx(x.size()), losses(static_cast<size_t>(n)), row_weight(losses.size());
  table.softmax(x.data(), y.data(), n, classes), print(type + " softmax", y);
  table.softmax_backward(y.data(), dy.data(), dx.data(), n, classes), print(type + " softmax gradient", dx);
  table.log_softmax(x.data(), y.data(), n, classes), print(type + " log_softmax", y);
  table.log_softmax_backward(y.data(), dy.data(), dx.data(), n, classes), print(type + " log_softmax gradient", dx);
  std::vector<int64_t> labels(losses.size());
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int64_t>(i) % classes;
  for (T smoothing : {T(0), T(0.1)}) {
    table.cross_entropy(x.data(), {labels.data(), nullptr, weight.data(), 3, smoothing}, losses.data(), dx.data(),
                        row_weight.data(), n, classes);
    print(type + " cross_entropy", losses), print(type + " cross_entropy gradient", dx);
    table.cross_entropy(x.data(), {nullptr, dy.data(), nullptr, 3, smoothing}, losses.data(), dx.data(),
                        row_weight.data(), n, classes);
    print(type + " cross_entropy of probabilities", losses);
  }
  std::vector<T> sums(static_cast<size_t>(classes)), column(losses.size());
  table.sum_rows(x.data(), n, classes, classes, sums.data()), print(type + " sum_rows", sums);
  table.sum_columns(x.data(), n, classes, column.data()), print(type + " sum_columns", column);
  print(type + " sum_all", std::vector<T>{table.sum_all(x.data(), n, classes)});
  std::vector<double> lanes(kDoubleLanes);
  table.sum_squares(x.data(), n * classes, lanes.data()), print(type + " sum_squares", lanes);
  table.layer_norm(x.data(), weight.data(), weight.data(), T(1e-5), y.data(), dx.data(), column.data(), n, classes);
  print(type + " layer_norm", y);
  table.layer_norm_backward(dx.data(), column.data(), weight.data(), dy.data(), y.data(), n, classes),
      print(type + " layer_norm gradient", y);
}

template <class T>
void random_numbers(const Kernels<T>& table, const std::string& type) {
  std::vector<T> out(301);
  const RandomStream stream{123456789012345ull, 2, 7};
  table.uniform(out.data(), 5, 301, stream, T(-1), T(2)), print(type + " uniform", out);
  table.normal(out.data(), 5, 301, stream, T(1), T(2)), print(type + " normal", out);
  table.dropout_mask(out.data(), 5, 301, stream, T(0.7), T(2)), print(type + " dropout_mask", out);
}

template <class T>
void all(const Kernels<T>& table, const std::string& type) {
  elementwise(table, type), products(table, type), rows(table, type), random_numbers(table, type);
  for (int64_t k : {150, 3}) epilogues(table, type, k);
}
}  // namespace

int main() {
  const KernelTable table(NNLITE_WIDE, NNLITE_COMMON);
  all(table.float32, "float32");
  all(table.float64, "float64");
  std::vector<int64_t> order(500);
  table.permutation(order.data(), 500, {42, 1, 3});
  print("permutation", std::vector<double>(order.begin(), order.end()));
}
