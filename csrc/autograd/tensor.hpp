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
  uint32_t version = 0;  // of the memory, where a node keeps the array

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
struct CopiedFrom;  // in_place.hpp

class Tensor : public SharedObject {
 public:
  Tensor(const Shape& shape, DType dtype);  // memory not initialised
  Tensor(const Shape& shape, DType dtype, StoragePtr storage);
  Tensor(const Array& array, StoragePtr storage);  // a part of the storage

  const Array& array() const { return array_; }
  const Shape& shape() const { return array_.shape; }
  DType dtype() const { return array_.dtype; }
  const StoragePtr& storage() const { return storage_; }

  bool requires_grad() const { return requires_grad_; }
  void set_requires_grad(bool requires_grad);
  bool is_leaf() const;

  // Takes the memory, shape and type of `other` and remains the same object. Nodes and programs
  // keep the memory that they were made with. Only for leaves.
  void set_data(const Tensor& other);

  // Throws CaptureError where there are no values to read: see `trace_number`.
  const Array& values() const;

  // What the tensor was to operations up to `number`, that of the node which an in-place operation then gave it.
  struct Past {
    uint64_t number;
    std::shared_ptr<Node> node;
    bool requires_grad;
  };
  void become(const std::shared_ptr<Node>& made_by);
  // What it was to the operation of that number.
  Past at(uint64_t number) const;
  // A tensor of the same memory and history as this one had then, and nothing else.
  TensorPtr snapshot(uint64_t number) const;

  TensorPtr grad;
  TensorPtr base;        // of a view: the tensor whose memory it shows
  uint64_t changes = 0;  // how often it became another node's; of a view, how often its base had when its node was made
  std::shared_ptr<const CopiedFrom> copied_from;  // of a copy that stands for a view
  std::vector<Past> past;                         // latest last
  std::shared_ptr<Node> node;                     // the operation that made it, if a gradient or a trace needs it
  // Not 0: this tensor only stands for a value in the trace of that number. Its memory is the captured program's, so
  // nothing but that trace may use it.
  uint64_t trace_number = 0;

 private:
  Array array_;
  StoragePtr storage_;
  bool requires_grad_ = false;
};

TensorPtr full(const Shape& shape, DType dtype, double value);

// Where an operation puts the gradient of one input. It writes all of `data`, or skips the input where data is null;
// with an update, `data` is the parameter itself and the gradient goes into its update instead.
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

// One application of a function of tensors: forward and its vector-Jacobian product side by side. An object serves one
// node and keeps there what the backward pass needs; a captured program calls the same object again and again.
class Operation {
 public:
  virtual ~Operation() = default;
  virtual const char* name() const = 0;
  // All settings that the results depend on; part of a trace's signature.
  virtual Attributes attributes() const { return {}; }
  // Shape and dtype of the output; checks the inputs. Data pointers need not be valid.
  virtual Array infer(const Arrays& inputs) = 0;
  virtual void forward(const Arrays& inputs, const Array& output) = 0;
  // inputs, output and doutput are valid; gradients[i] is empty where input i needs none.
  virtual void vjp(const Arrays& inputs, const Array& output, const Array& doutput, const Gradients& gradients) = 0;
  // True: the output is the first input's memory, from that element on.
  virtual bool aliases_input() const { return false; }
  virtual int64_t alias_offset() const { return 0; }
  // The values that vjp() reads where the inputs of `wanted` get a gradient: bit i for input i, and kOutput. It would
  // be wrong if they changed before.
  using Values = uint64_t;
  static constexpr Values kOutput = Values{1} << 63;
  virtual Values kept(Values) const { return ~Values{0}; }
  // True: input i's gradient can be an update in place (see Gradient).
  virtual bool can_update(size_t) const { return false; }
  // For operations whose forward pass changes something (running statistics, a count of draws): keep, and put back,
  // what it was, so that a step given up half-way leaves it as it was.
  virtual bool is_stateful() const { return false; }
  // True: the forward pass changes input i.
  virtual bool writes_input(size_t) const { return false; }
  virtual void save_state(const Arrays&) {}
  virtual void restore_state(const Arrays&) {}
  // The parameters do not change until thaw(): forward() may use a copy in a better layout.
  virtual void freeze(const Arrays&) {}
  virtual void thaw() {}
  // Flops of the forward pass, roughly.
  virtual double work(const Arrays&, const Array& output) const { return static_cast<double>(output.size()); }
};

using OperationPtr = std::shared_ptr<Operation>;

// A number above those of all nodes so far.
uint64_t next_number();

class Node {
 public:
  Node(OperationPtr operation, std::vector<TensorPtr> inputs, bool needs_gradient);
  ~Node();
  void count_changes() const;  // of the inputs that the operation writes

  OperationPtr operation;
  std::vector<TensorPtr> inputs;  // null entries are absent optional inputs
  Arrays arrays;                  // of the inputs
  // Of the inputs that are leaves, which set_data() may give another one; most operations have few.
  std::array<StoragePtr, 3> memory;
  std::vector<StoragePtr> more_memory;
  Array output;
  StoragePtr output_storage;
  uint64_t number;                       // creation order: a tape runs backward from the highest
  uint64_t last_walk = 0;                // the backward pass that met it last
  const Tensor* searched_for = nullptr;  // the last tensor whose readers were looked for here
  bool needs_gradient;
  bool released = false;  // the backward pass has let go of the inputs

  // The gradient of the output, while a backward pass is under way.
  TensorPtr doutput;

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

class WithoutGrad {
 public:
  WithoutGrad() : before_(set_grad_enabled(false)) {}
  ~WithoutGrad() { set_grad_enabled(before_); }
  WithoutGrad(const WithoutGrad&) = delete;
  WithoutGrad& operator=(const WithoutGrad&) = delete;

 private:
  bool before_;
};

// d root / d leaf is added to every leaf's grad. `gradient` may be null for a single element.
void backward(const TensorPtr& root, const TensorPtr& gradient, bool retain_graph);

}  // namespace nnlite
