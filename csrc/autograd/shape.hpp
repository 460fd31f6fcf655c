// Element types and shapes.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace nnlite {

// In the order of promotion. Booleans, one byte each, and integers are masks, indices and labels: kernels and the tape
// compute with floating types only.
enum class DType : uint8_t { boolean, int64, float32, float64 };

inline bool is_floating(DType dtype) {
  return dtype >= DType::float32;
}
inline size_t size_of(DType dtype) {
  return dtype == DType::float32 ? 4 : dtype == DType::boolean ? 1 : 8;
}
const char* name_of(DType dtype);

[[noreturn]] void refuse_dtype(const char* operation, DType dtype);
inline void require_floating(const char* operation, DType dtype) {
  if (!is_floating(dtype)) refuse_dtype(operation, dtype);
}

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::float32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::float64;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::int64;
}

// Calls f(T()) with the C++ type of a floating dtype.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  return dtype == DType::float64 ? f(double()) : f(float());
}

struct TypeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Dimensions of a row-major array, stored without allocation. Only those in use are set and copied, since every
// operation copies several shapes.
class Shape {
 public:
  static constexpr int kMaxRank = 16;

  Shape() {}  // "= default" would let Shape{} clear all dimensions
  Shape(const Shape& other) { *this = other; }
  Shape& operator=(const Shape& other) {
    rank_ = other.rank_;
    for (size_t i = 0; i < static_cast<size_t>(rank_); ++i) dims_[i] = other.dims_[i];
    return *this;
  }
  Shape(std::initializer_list<int64_t> dims) {
    for (int64_t dim : dims) push_back(dim);
  }

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  int64_t& operator[](int i) { return dims_[static_cast<size_t>(i)]; }
  int64_t back() const { return dims_[static_cast<size_t>(rank_ - 1)]; }
  const int64_t* begin() const { return dims_.data(); }
  const int64_t* end() const { return dims_.data() + rank_; }

  void push_back(int64_t dim);
  void insert(int at, int64_t dim);
  void erase(int at);

  // The number of elements in dimensions first ... last - 1.
  int64_t count(int first, int last) const {
    int64_t n = 1;
    for (int i = first; i < last; ++i) n *= dims_[static_cast<size_t>(i)];
    return n;
  }
  int64_t size() const { return count(0, rank_); }

  bool operator==(const Shape& other) const;
  bool operator!=(const Shape& other) const { return !(*this == other); }

 private:
  std::array<int64_t, kMaxRank> dims_;
  int rank_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);

// Concatenates printable values.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

// Resolves a dimension that may count from the end; throws std::out_of_range naming the operation.
int normalized_dim(const char* operation, int64_t dim, int rank);

// The shape of a and b broadcast together by NumPy's rules; throws std::invalid_argument naming the operation and both.
Shape broadcast_shape(const char* operation, const Shape& a, const Shape& b);

}  // namespace nnlite
