// Tensors, the operations between them, and the tape that links both.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "autograd/attributes.hpp"
#include "autograd/shape.hpp"
#include "runtime/memory.hpp"

namespace nnlite {

class Node;

// A non-owning view of contiguous, row-major elements.
struct Array {
  void* data = nullptr;
  DType dtype = DType::float32;
  Shape shape;
  uint32_t version = 0;  // of the memory when a node saved the array

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  int64_t size() const { return shape.size(); }
  size_t bytes() const { return static_cast<size_t>(size()) * size_of(dtype); }
  bool overlaps(const Array& other) const;
  explicit operator bool() const { return data != nullptr; }
};

class Tensor;
using TensorPtr = std::shared_ptr<Tensor>;
struct CopiedFrom;     // in_place.hpp
struct GradientHooks;  // gradients.hpp

class Tensor : public SharedObject {
 public:
  Tensor(const Shape& shape, DType dtype);  // memory not initialised
  Tensor(const Shape& shape, DType dtype, StoragePtr storage);
  Tensor(const Array& array, StoragePtr storage);  // part of the storage

  const Array& array() const { return array_; }
  const Shape& shape() const { return array_.shape; }
  DType dtype() const { return array_.dtype; }
  const StoragePtr& storage() const { return storage_; }

  bool requires_grad() const { return requires_grad_; }
  void set_requires_grad(bool requires_grad);
  bool is_leaf() const;

  // Takes over the memory, shape and type of `other` but remains the same object. Existing nodes and programs keep the
  // old memory. Only for leaves.
  void set_data(const Tensor& other);

  // Throws CaptureError if there are no values to read: see `trace_number`.
  const Array& values() const;

  // The tensor's state before an in-place operation, for operations up to `number`, that of the in-place operation's
  // node.
  struct Past {
    uint64_t number;
    std::shared_ptr<Node> node;
    bool requires_grad;
  };
  void become(const std::shared_ptr<Node>& made_by);
  // Its state for the operation of that number.
  Past at(uint64_t number) const;
  // A tensor with the same memory and the state for that number, and nothing else.
  TensorPtr snapshot(uint64_t number) const;

  TensorPtr grad;
  std::shared_ptr<GradientHooks> hooks;  // of a leaf; other tensors' hooks belong to their node
  TensorPtr base;                        // of a view: the tensor whose memory it shares
  uint64_t changes = 0;  // in-place operations on it; of a view, those on its base when the view's node was created
  std::shared_ptr<const CopiedFrom> copied_from;  // of a copy that stands for a view
  std::vector<Past> past;                         // latest last
  std::shared_ptr<Node> node;                     // the operation that created it, if a gradient or a trace needs it
  // If not 0, this tensor is a placeholder in the trace of that number. Its memory belongs to the captured program, so
  // only that trace may use it.
  uint64_t trace_number = 0;

 private:
  Array array_;
  StoragePtr storage_;
  bool requires_grad_ = false;
};

TensorPtr full(const Shape& shape, DType dtype, double value);

// Where an operation writes the gradient of one input. It writes all of `data`, or skips the input if data is null;
// with an update, `data` is the parameter itself, and the operation applies the gradient to it instead.
struct ParameterUpdate;
struct Gradient {
  void* data = nullptr;
  const ParameterUpdate* update = nullptr;

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  explicit operator bool() const { return data != nullptr; }
};

using Arrays = std::vector<Array>;
using Gradients = std::vector<Gradient>;

// One application of a function of tensors: its forward pass and its vector-Jacobian product. An object belongs to one
// node and stores what the backward pass needs; a captured program calls the same object repeatedly.
class Operation {
 public:
  virtual ~Operation() = default;
  virtual const char* name() const = 0;
  // All settings that the results depend on; part of a trace's signature.
  virtual Attributes attributes() const { return {}; }
  // Shape and dtype of the output; checks the inputs. Data pointers need not be valid.
  virtual Array infer(const Arrays& inputs) = 0;
  virtual void forward(const Arrays& inputs, const Array& output) = 0;
  // inputs, output and doutput are valid; gradients[i] is empty if input i needs none.
  virtual void vjp(const Arrays& inputs, const Array& output, const Array& doutput, const Gradients& gradients) = 0;
  // Whether the output is the first input's memory, starting at element alias_offset().
  virtual bool aliases_input() const { return false; }
  virtual int64_t alias_offset() const { return 0; }
  // The values that vjp() reads if the inputs in `wanted` get a gradient, so that they must not change before: bit i
  // for input i, and kOutput.
  using Values = uint64_t;
  static constexpr Values kOutput = Values{1} << 63;
  virtual Values kept(Values) const { return ~Values{0}; }
  // Whether input i's gradient can be applied as an update in place (see Gradient).
  virtual bool can_update(size_t) const { return false; }
  // For operations whose forward pass changes state (running statistics, a count of draws): saves and restores it, so
  // that an abandoned step leaves it unchanged.
  virtual bool is_stateful() const { return false; }
  // Whether the forward pass writes to input i.
  virtual bool writes_input(size_t) const { return false; }
  virtual void save_state(const Arrays&) {}
  virtual void restore_state(const Arrays&) {}
  // The parameters do not change until thaw(): forward() may use a copy in a better layout.
  virtual void freeze(const Arrays&) {}
  virtual void thaw() {}
  // Approximate flops of the forward pass.
  virtual double work(const Arrays&, const Array& output) const { return static_cast<double>(output.size()); }
};

using OperationPtr = std::shared_ptr<Operation>;

// A number greater than those of all existing nodes.
uint64_t next_number();

class Node {
 public:
  Node(OperationPtr operation, std::vector<TensorPtr> inputs, bool needs_gradient);
  ~Node();
  void count_changes() const;  // to the inputs that the operation writes

  OperationPtr operation;
  std::vector<TensorPtr> inputs;  // null entries are absent optional inputs
  Arrays arrays;                  // of the inputs
  // Memory of the inputs that are leaves, which set_data() may give other memory; most operations have few.
  std::array<StoragePtr, 3> memory;
  std::vector<StoragePtr> more_memory;
  Array output;
  StoragePtr output_storage;
  uint64_t number;                       // in order of creation; a backward pass starts at the highest
  uint64_t last_walk = 0;                // the last backward pass that visited it
  const Tensor* searched_for = nullptr;  // the last tensor whose readers were searched for here
  bool needs_gradient;
  bool released = false;  // a backward pass has released the inputs

  // The gradient of the output, during a backward pass.
  TensorPtr doutput;
  std::shared_ptr<GradientHooks> hooks;  // of the output

 private:
  std::shared_ptr<Node> next_doomed;  // while a chain is destroyed
};

// Runs (or, under a trace, only records) an operation.
TensorPtr apply_operation(OperationPtr operation, std::vector<TensorPtr> inputs);

template <class Op, class... Settings>
TensorPtr apply_new(std::vector<TensorPtr> inputs, Settings&&... settings) {
  return apply_operation(std::make_shared<Op>(std::forward<Settings>(settings)...), std::move(inputs));
}

bool grad_enabled();
bool set_grad_enabled(bool enabled);  // of this thread; returns the previous state

class GradMode {
 public:
  explicit GradMode(bool enabled) : before_(set_grad_enabled(enabled)) {}
  ~GradMode() { set_grad_enabled(before_); }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};

struct WithoutGrad : GradMode {
  WithoutGrad() : GradMode(false) {}
};

// Adds d root / d leaf to every leaf's grad. `gradient` may be null for a single element.
void backward(const TensorPtr& root, const TensorPtr& gradient, bool retain_graph);

}  // namespace nnlite
