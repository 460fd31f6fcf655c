#include "autograd/shape.hpp"

#include <algorithm>
#include <ostream>

namespace nnlite {

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::int64:
      return "int64";
    default:
      return "bool";
  }
}

void refuse_dtype(const char* operation, DType dtype) {
  throw TypeError(
      text('[', operation, "] needs float32 or float64, got ", name_of(dtype), "; convert it with .float()"));
}

void Shape::push_back(int64_t dim) {
  insert(rank_, dim);
}

void Shape::insert(int at, int64_t dim) {
  if (rank_ == kMaxRank) throw std::invalid_argument(text("tensors have at most ", kMaxRank, " dimensions"));
  std::copy_backward(dims_.begin() + at, dims_.begin() + rank_, dims_.begin() + rank_ + 1);
  dims_[static_cast<size_t>(at)] = dim;
  ++rank_;
}

void Shape::erase(int at) {
  std::copy(dims_.begin() + at + 1, dims_.begin() + rank_, dims_.begin() + at);
  --rank_;
}

bool Shape::operator==(const Shape& other) const {
  if (rank_ != other.rank_) return false;
  for (int i = 0; i < rank_; ++i)
    if ((*this)[i] != other[i]) return false;
  return true;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '(';
  for (int i = 0; i < shape.rank(); ++i) out << (i > 0 ? ", " : "") << shape[i];
  return out << (shape.rank() == 1 ? ",)" : ")");
}

int normalized_dim(const char* operation, int64_t dim, int rank) {
  const int64_t bound = std::max(rank, 1);
  if (dim < -bound || dim >= bound)
    throw std::out_of_range(
        text('[', operation, "] dim ", dim, " is out of range for a tensor of ", rank, " dimensions"));
  return static_cast<int>(dim < 0 ? dim + bound : dim);
}

Shape broadcast_shape(const char* operation, const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  for (int i = 1; i <= shorter.rank(); ++i) {
    int64_t& dim = out[longer.rank() - i];
    const int64_t other = shorter[shorter.rank() - i];
    if (dim == 1)
      dim = other;
    else if (other != 1 && other != dim)
      throw std::invalid_argument(text('[', operation, "] shapes ", a, " and ", b, " cannot be broadcast: sizes ", dim,
                                       " and ", other, " differ in dimension -", i));
  }
  return out;
}

}  // namespace nnlite
