// Elements chosen by position.
#include <cstring>

#include "autograd/operations.hpp"
#include "runtime/dispatch.hpp"

namespace nnlite {
namespace {

// out = x at the selection; the gradients of one element add up in their order.
class Gather final : public Operation {
 public:
  explicit Gather(Selection selection) : selection_(std::move(selection)) {}

  const char* name() const override { return "index"; }
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

}  // namespace

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

TensorPtr gather(const TensorPtr& x, Selection selection) {
  return apply_new<Gather>({x}, std::move(selection));
}

}  // namespace nnlite
