// Reshaping, permuting, slicing and concatenating.
#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "autograd/in_place.hpp"
#include "autograd/trace.hpp"

namespace nnlite {
namespace {

// Moving elements depends only on their width.
template <class F>
void dispatch_width(DType dtype, F&& f) {
  if (size_of(dtype) == 1)
    f(uint8_t());
  else if (size_of(dtype) == 4)
    f(uint32_t());
  else
    f(uint64_t());
}

// One for each dimension; no allocation, so that no step can run out of memory here.
using Strides = std::array<int64_t, Shape::kMaxRank>;

// Visits the elements of `shape` in row-major order at offset + sum of index * stride; calls f(position, offset, count,
// stride) for each run along the last dimension.
template <class F>
void for_strided(const Shape& shape, const Strides& strides, int64_t offset, const F& f) {
  if (shape.size() == 0) return;
  if (shape.rank() == 0) return f(int64_t{0}, offset, int64_t{1}, int64_t{1});
  const int last = shape.rank() - 1;
  Strides index{};
  for (int64_t position = 0; position < shape.size(); position += shape[last]) {
    f(position, offset, shape[last], strides[static_cast<size_t>(last)]);
    for (int dim = last - 1; dim >= 0; --dim) {
      const auto at = static_cast<size_t>(dim);
      offset += strides[at];
      if (++index[at] < shape[dim]) break;
      offset -= strides[at] * shape[dim];
      index[at] = 0;
    }
  }
}

Strides row_major_strides(const Shape& shape) {
  Strides strides{};
  for (int i = 0; i < shape.rank(); ++i) strides[static_cast<size_t>(i)] = shape.count(i + 1, shape.rank());
  return strides;
}

// The elements of x's memory from `offset` on, with another shape.
class ViewOf final : public Operation {
 public:
  ViewOf(int64_t offset, const Shape& shape) : offset_(offset), shape_(shape) {}

  const char* name() const override { return "reshape"; }
  Values kept(Values) const override { return 0; }
  Attributes attributes() const override { return {{"offset", offset_}, {"shape", shape_}}; }
  bool aliases_input() const override { return true; }
  int64_t alias_offset() const override { return offset_; }

  Array infer(const Arrays& in) override { return {nullptr, in[0].dtype, shape_}; }
  void forward(const Arrays&, const Array&) override {}
  void vjp(const Arrays& in, const Array&, const Array& dout, const Gradients& din) override {
    const size_t before = static_cast<size_t>(offset_) * size_of(dout.dtype), end = before + dout.bytes();
    char* gradient = din[0].as<char>();
    std::memset(gradient, 0, before);
    std::memcpy(gradient + before, dout.data, dout.bytes());
    std::memset(gradient + end, 0, in[0].bytes() - end);
  }

 private:
  int64_t offset_;
  Shape shape_;
};

class Permute final : public Operation {
 public:
  explicit Permute(std::vector<int> dims) : dims_(std::move(dims)) {}

  const char* name() const override { return "permute"; }
  Values kept(Values) const override { return 0; }
  Attributes attributes() const override { return {{"dims", dims_}}; }

  Array infer(const Arrays& in) override {
    Shape out;
    for (int dim : dims_) out.push_back(in[0].shape[dim]);
    return {nullptr, in[0].dtype, out};
  }

  void forward(const Arrays& in, const Array& out) override { copy(in[0], out.data, out, false); }

  void vjp(const Arrays& in, const Array& out, const Array& dout, const Gradients& din) override {
    copy({din[0].data, in[0].dtype, in[0].shape}, dout.data, out, true);
  }

 private:
  // Copies `source`, in its own order, to `permuted`, in the order of `like`, or back.
  void copy(const Array& source, void* permuted, const Array& like, bool back) const {
    const Strides own = row_major_strides(source.shape);
    Strides strides{};
    for (size_t i = 0; i < dims_.size(); ++i) strides[i] = own[static_cast<size_t>(dims_[i])];
    dispatch_width(like.dtype, [&](auto zero) {
      using Word = decltype(zero);
      auto *a = source.as<Word>(), *b = static_cast<Word*>(permuted);
      for_strided(like.shape, strides, 0, [&](int64_t position, int64_t offset, int64_t count, int64_t stride) {
        for (int64_t i = 0; i < count; ++i)
          if (back)
            a[offset + i * stride] = b[position + i];
          else
            b[position + i] = a[offset + i * stride];
      });
    });
  }

  std::vector<int> dims_;
};

class SliceOf final : public Operation {
 public:
  SliceOf(std::vector<Slice> slices, const Shape& shape) : slices_(std::move(slices)), shape_(shape) {
    for (const Slice& slice : slices_) counts_.push_back(slice.count);
  }

  const char* name() const override { return "slice"; }
  Values kept(Values) const override { return 0; }
  Attributes attributes() const override {
    std::vector<int64_t> starts, steps, counts;
    for (const Slice& slice : slices_)
      starts.push_back(slice.start), steps.push_back(slice.step), counts.push_back(slice.count);
    return {{"starts", starts}, {"steps", steps}, {"counts", counts}, {"shape", shape_}};
  }

  Array infer(const Arrays& in) override { return {nullptr, in[0].dtype, shape_}; }

  void forward(const Arrays& in, const Array& out) override {
    dispatch_width(out.dtype, [&](auto zero) {
      using Word = decltype(zero);
      for_slice(in[0].shape, [&](int64_t position, int64_t offset, int64_t count, int64_t stride) {
        for (int64_t i = 0; i < count; ++i) out.as<Word>()[position + i] = in[0].as<Word>()[offset + i * stride];
      });
    });
  }

  void vjp(const Arrays& in, const Array& out, const Array& dout, const Gradients& din) override {
    std::memset(din[0].data, 0, in[0].bytes());
    dispatch_width(out.dtype, [&](auto zero) {
      using Word = decltype(zero);
      for_slice(in[0].shape, [&](int64_t position, int64_t offset, int64_t count, int64_t stride) {
        for (int64_t i = 0; i < count; ++i) din[0].as<Word>()[offset + i * stride] = dout.as<Word>()[position + i];
      });
    });
  }

 private:
  template <class F>
  void for_slice(const Shape& whole, const F& f) const {
    Strides strides = row_major_strides(whole);
    int64_t offset = 0;
    for (size_t i = 0; i < slices_.size(); ++i) {
      offset += slices_[i].start * strides[i];
      strides[i] *= slices_[i].step;
    }
    for_strided(counts_, strides, offset, f);
  }

  std::vector<Slice> slices_;
  Shape shape_, counts_;
};

class Concatenate final : public Operation {
 public:
  explicit Concatenate(int dim) : dim_(dim) {}

  const char* name() const override { return "concatenate"; }
  Values kept(Values) const override { return 0; }
  Attributes attributes() const override { return {{"dim", dim_}}; }

  Array infer(const Arrays& in) override {
    Shape out = in[0].shape;
    out[dim_] = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      Shape other = in[i].shape;
      if (other.rank() == out.rank()) other[dim_] = in[0].shape[dim_];
      if (other != in[0].shape)
        throw std::invalid_argument(text("[concatenate] tensor ", i, " has shape ", in[i].shape, ", tensor 0 ",
                                         in[0].shape, ": they may differ only in dimension ", dim_));
      out[dim_] += in[i].shape[dim_];
    }
    return {nullptr, in[0].dtype, out};
  }

  void forward(const Arrays& in, const Array& out) override {
    size_t at = 0;
    for (const Array& part : in) at = copy_part(part, part.as<char>(), out, out.as<char>(), at, false);
  }

  void vjp(const Arrays& in, const Array& out, const Array& dout, const Gradients& din) override {
    size_t at = 0;
    for (size_t i = 0; i < in.size(); ++i) at = copy_part(in[i], din[i].as<char>(), out, dout.as<char>(), at, true);
  }

 private:
  // The part begins `at` bytes into each row of the whole; returns where the next part begins.
  size_t copy_part(const Array& part, char* part_data, const Array& whole, char* whole_data, size_t at,
                   bool back) const {
    const size_t width = static_cast<size_t>(part.shape.count(dim_, part.shape.rank())) * size_of(part.dtype);
    const size_t stride = static_cast<size_t>(whole.shape.count(dim_, whole.shape.rank())) * size_of(whole.dtype);
    const auto outer = static_cast<size_t>(whole.shape.count(0, dim_));
    for (size_t i = 0; i < outer && part_data != nullptr; ++i) {
      char *inside = whole_data + i * stride + at, *own = part_data + i * width;
      std::memcpy(back ? own : inside, back ? inside : own, width);
    }
    return at + width;
  }

  int dim_;
};

}  // namespace

TensorPtr reshape(const TensorPtr& x, const Shape& wanted) {
  Shape shape = wanted;
  const int64_t size = x->shape().size();
  int unknown = -1;
  int64_t known = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] >= 0)
      known *= shape[i];
    else if (shape[i] == -1 && unknown < 0)
      unknown = i;
    else
      throw std::invalid_argument(
          text("[reshape] ", wanted, " is not a shape: one size may be -1, the others must not be negative"));
  }
  if (unknown >= 0 && known > 0) shape[unknown] = size / known;
  if (shape.size() != size || (unknown >= 0 && known == 0))
    throw std::invalid_argument(
        text("[reshape] a tensor of shape ", x->shape(), " (", size, " elements) cannot be reshaped to ", wanted));
  return shape == x->shape() ? x : view(x, 0, shape);
}

// In a trace it is recorded like any other operation, so that the operations that compute x run.
TensorPtr detach(const TensorPtr& x) {
  const Trace* trace = Trace::current();
  if (trace != nullptr && (x->trace_number == trace->number() || x->requires_grad())) {
    const WithoutGrad scope;
    return view(x, 0, x->shape());
  }
  auto tensor = std::make_shared<Tensor>(x->array(), x->storage());
  tensor->copied_from = detached_mark(x);
  tensor->trace_number = x->trace_number;
  return tensor;
}

TensorPtr permute(const TensorPtr& x, const std::vector<int>& dims) {
  const int rank = x->shape().rank();
  std::vector<int> sorted(dims), natural(static_cast<size_t>(rank));
  std::iota(natural.begin(), natural.end(), 0);
  std::sort(sorted.begin(), sorted.end());
  if (sorted != natural)
    throw std::invalid_argument(
        text("[permute] needs each of the ", rank, " dimensions of shape ", x->shape(), " once"));
  if (dims == natural) return x;
  Shape shape;
  std::vector<int> moved;  // dimensions of size 1 move without moving any element
  for (int dim : dims) {
    shape.push_back(x->shape()[dim]);
    if (x->shape()[dim] != 1) moved.push_back(dim);
  }
  return std::is_sorted(moved.begin(), moved.end()) ? view(x, 0, shape) : apply_new<Permute>({x}, dims);
}

TensorPtr view(const TensorPtr& x, int64_t offset, const Shape& shape) {
  return apply_new<ViewOf>({x}, offset, shape);
}

// Consecutive rows are a view; other selections are copies.
TensorPtr slice(const TensorPtr& x, const std::vector<Slice>& slices, const Shape& shape) {
  int64_t offset = 0, stride = 1;
  bool together = true, whole = true;  // all later dimensions are taken completely
  for (int i = x->shape().rank(); i-- > 0; stride *= x->shape()[i]) {
    const Slice& slice = slices[static_cast<size_t>(i)];
    offset += slice.start * stride;
    together &= slice.count == 1 || (whole && slice.step == 1);
    whole &= slice.count == x->shape()[i];
  }
  if (shape.size() == 0) return view(x, 0, shape);
  if (!together) return apply_new<SliceOf>({x}, slices, shape);
  return whole ? reshape(x, shape) : view(x, offset, shape);
}

TensorPtr concatenate(const std::vector<TensorPtr>& tensors, int64_t dim) {
  if (tensors.empty()) throw std::invalid_argument("[concatenate] needs at least one tensor");
  DType dtype = tensors[0]->dtype();
  for (const TensorPtr& tensor : tensors) {
    if (tensor->shape().rank() == 0)
      throw std::invalid_argument("[concatenate] tensors need at least 1 dimension; use stack for single values");
    dtype = std::max(dtype, tensor->dtype());
  }
  std::vector<TensorPtr> parts;
  for (const TensorPtr& tensor : tensors) parts.push_back(cast(tensor, dtype));
  return apply_new<Concatenate>(parts, normalized_dim("concatenate", dim, tensors[0]->shape().rank()));
}

}  // namespace nnlite
