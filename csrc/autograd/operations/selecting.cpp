// Selection of elements by position.
#include <cstring>

#include "autograd/operations.hpp"
#include "runtime/dispatch.hpp"

namespace nnlite {
namespace {

// out = x at the selection; the gradients of a repeated element are added in order.
class Gather final : public Operation {
 public:
  explicit Gather(Selection selection) : selection_(std::move(selection)) {}

  const char* name() const override { return "index"; }
  Values kept(Values) const override { return 0; }
  Attributes attributes() const override {
    return {{"shape", selection_.shape}, {"run", selection_.run}, {"starts", selection_.starts}};
  }

  Array infer(const Arrays& in) override { return {nullptr, in[0].dtype, selection_.shape}; }

  void forward(const Arrays& in, const Array& out) override {
    const size_t width = size_of(out.dtype), bytes = static_cast<size_t>(selection_.run) * width;
    char* to = out.as<char>();
    for (int64_t start : selection_.starts) {
      std::memcpy(to, in[0].as<char>() + static_cast<size_t>(start) * width, bytes);
      to += bytes;
    }
  }

  void vjp(const Arrays& in, const Array&, const Array& dout, const Gradients& din) override {
    std::memset(din[0].data, 0, in[0].bytes());
    dispatch(dout.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* from = dout.as<T>();
      for (int64_t start : selection_.starts) {
        T* to = din[0].as<T>() + start;
        for (int64_t j = 0; j < selection_.run; ++j) to[j] += from[j];
        from += selection_.run;
      }
    });
  }

 private:
  Selection selection_;
};

// Writes a value into x's own memory at the selection. Where positions repeat, the last one wins.
class Assign final : public Operation {
 public:
  explicit Assign(Selection selection) : selection_(std::move(selection)) {}

  const char* name() const override { return "assign"; }
  Attributes attributes() const override { return {{"run", selection_.run}, {"starts", selection_.starts}}; }
  Values kept(Values) const override { return 0; }
  bool aliases_input() const override { return true; }

  Array infer(const Arrays& in) override { return {nullptr, in[0].dtype, in[0].shape}; }

  void forward(const Arrays& in, const Array& out) override {
    for_runs(out, in[1], [](char* inside, char* value, size_t bytes) { std::memcpy(inside, value, bytes); });
  }

  void vjp(const Arrays& in, const Array& out, const Array& dout, const Gradients& din) override {
    if (din[1])
      for_runs(dout, {din[1].data, in[1].dtype, in[1].shape},
               [](char* inside, char* value, size_t bytes) { std::memcpy(value, inside, bytes); });
    if (!din[0]) return;
    std::memcpy(din[0].data, dout.data, dout.bytes());
    for_runs({din[0].data, out.dtype, out.shape}, {},
             [](char* inside, char*, size_t bytes) { std::memset(inside, 0, bytes); });
  }

 private:
  template <class F>
  void for_runs(const Array& whole, const Array& part, const F& f) const {
    const size_t width = size_of(whole.dtype), bytes = static_cast<size_t>(selection_.run) * width;
    char* value = part.as<char>();
    for (int64_t start : selection_.starts) {
      f(whole.as<char>() + static_cast<size_t>(start) * width, value, bytes);
      if (value != nullptr) value += bytes;
    }
  }

  Selection selection_;
};

// out (outer, count, inner) = x (outer, axis, inner) at the indices; the gradients of a repeated index are added in
// order.
class Take final : public Operation {
 public:
  Take(int dim, int64_t padding_index, const char* name) : dim_(dim), padding_index_(padding_index), name_(name) {}

  const char* name() const override { return name_; }
  Values kept(Values) const override { return 0; }
  Attributes attributes() const override { return {{"dim", dim_}, {"padding_index", padding_index_}}; }

  Array infer(const Arrays& in) override {
    const Shape &x = in[0].shape, &indices = in[1].shape;
    outer_ = x.count(0, dim_), axis_ = x[dim_], inner_ = x.count(dim_ + 1, x.rank()), count_ = indices.size();
    Shape out;
    for (int i = 0; i < dim_; ++i) out.push_back(x[i]);
    for (int64_t size : indices) out.push_back(size);
    for (int i = dim_ + 1; i < x.rank(); ++i) out.push_back(x[i]);
    positions_.resize(static_cast<size_t>(count_));
    return {nullptr, in[0].dtype, out};
  }

  void forward(const Arrays& in, const Array& out) override {
    check_indices(in[1].as<int64_t>());
    const size_t row = static_cast<size_t>(inner_) * size_of(out.dtype);
    char* to = out.as<char>();
    for (int64_t i = 0; i < outer_; ++i)
      for (int64_t position : positions_) {
        std::memcpy(to, in[0].as<char>() + static_cast<size_t>(i * axis_ + position) * row, row);
        to += row;
      }
  }

  void vjp(const Arrays& in, const Array&, const Array& dout, const Gradients& din) override {
    std::memset(din[0].data, 0, in[0].bytes());
    dispatch(dout.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* from = dout.as<T>();
      for (int64_t i = 0; i < outer_; ++i)
        for (int64_t position : positions_) {
          T* to = din[0].as<T>() + (i * axis_ + position) * inner_;
          if (position != padding_index_)
            for (int64_t j = 0; j < inner_; ++j) to[j] += from[j];
          from += inner_;
        }
    });
  }

 private:
  void check_indices(const int64_t* indices) {
    for (int64_t i = 0; i < count_; ++i) {
      const int64_t index = indices[i];
      if (index < -axis_ || index >= axis_ || (index < 0 && std::strcmp(name_, "embedding") == 0))
        throw std::out_of_range(text('[', name_, "] index ", index, " at position ", i,
                                     " is out of range for dimension ", dim_, " of size ", axis_));
      positions_[static_cast<size_t>(i)] = index < 0 ? index + axis_ : index;
    }
  }

  int dim_;
  int64_t padding_index_;
  const char* name_;
  int64_t outer_ = 0, axis_ = 0, inner_ = 0, count_ = 0;
  std::vector<int64_t> positions_;
};

}  // namespace

TensorPtr take(const TensorPtr& x, const TensorPtr& indices, int dim, int64_t padding_index, const char* name) {
  if (indices->dtype() != DType::int64)
    throw TypeError(text('[', name, "] indices must be integers, got ", name_of(indices->dtype())));
  return apply_new<Take>({x, indices}, dim, padding_index, name);
}

void Selection::add_dim(int64_t size, int64_t stride) {
  std::vector<int64_t> offsets;
  for (int64_t i = 0; i < size; ++i) offsets.push_back(i * stride);
  add_offsets(offsets, {size});
}

void Selection::add_offsets(const std::vector<int64_t>& offsets, const Shape& more) {
  std::vector<int64_t> all;
  all.reserve(starts.size() * offsets.size());
  for (int64_t start : starts)
    for (int64_t offset : offsets) all.push_back(start + offset);
  starts = std::move(all);
  for (int64_t size : more) shape.push_back(size);
}

TensorPtr assigned(const TensorPtr& x, const TensorPtr& value, Selection selection) {
  return apply_new<Assign>({x, value}, std::move(selection));
}

TensorPtr expand(const TensorPtr& x, const Shape& shape) {
  const int before = shape.rank() - x->shape().rank();
  Selection selection(0);
  int last = shape.rank();
  for (; last > before && x->shape()[last - 1 - before] == shape[last - 1]; --last) selection.run *= shape[last - 1];
  for (int i = 0; i < last; ++i) {
    const int64_t size = i < before ? 1 : x->shape()[i - before];
    const int64_t stride = size == 1 ? 0 : x->shape().count(i - before + 1, x->shape().rank());
    selection.add_dim(shape[i], stride);
  }
  for (; last < shape.rank(); ++last) selection.shape.push_back(shape[last]);
  return gather(x, std::move(selection));
}

TensorPtr gather(const TensorPtr& x, Selection selection) {
  return apply_new<Gather>({x}, std::move(selection));
}

}  // namespace nnlite
