// Python bindings, one family of definitions per file.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>

#include "autograd/tensor.hpp"
#include "bindings/gil.hpp"

namespace nnlite {

namespace py = pybind11;

using TensorClass = py::class_<Tensor, TensorPtr>;

void define_tensor(py::module_& module);
void define_tensor_operations(TensorClass& tensor);
void define_reductions(TensorClass& tensor);
void define_in_place(TensorClass& tensor);
void define_numpy_operators(TensorClass& tensor);
void define_backward(TensorClass& tensor);
void define_numpy_protocol(TensorClass& tensor);
void document_tensor(TensorClass& tensor);  // after all definitions
void define_functions(py::module_& module);
void define_random(py::module_& module);
void define_clipping(py::module_& module);
void define_optimizers(py::module_& module);
void define_training(py::module_& module);
void define_prediction(py::module_& module);
void define_gradients(py::module_& module);
void define_python_functions(py::module_& module);
void define_runtime(py::module_& module);
void define_modules(py::module_& module);

// python_functions.cpp; if true, a backward pass must hold the GIL
bool any_python_functions();
// PyTorch's name: "leaky_relu" is LeakyReluBackward0.
std::string gradient_name(const Node& node);

// conversions.cpp

// `value` as a tensor: a Tensor is returned as is; an array is shared if its layout allows and it is writable; else
// numbers or a list. Arrays and numbers take the type `like` if it is floating and become floats without it; beside
// integers and booleans they keep their own type.
TensorPtr operand(py::handle value, std::optional<DType> like = std::nullopt);

// A new tensor with PyTorch's defaults: lists of floats become float32, integers int64; booleans stay, and arrays keep
// their float type.
TensorPtr new_tensor(py::handle value, std::optional<DType> dtype);

// Class labels or probabilities: integers (and booleans) become int64, floats stay floats of type `like`.
TensorPtr target_operand(py::handle value, DType like);

// Any value, sharing its memory if the layout allows and it is writable. Values with a type of their own keep float64;
// lists of floats become float32.
TensorPtr as_tensor(py::handle value);

// Indices: any integers, as int64.
TensorPtr index_operand(py::handle value);

TensorPtr optional_operand(py::handle value, std::optional<DType> like = std::nullopt);

// A number that a function takes as an option, without a derivative: TypeError for a tensor that requires a gradient,
// which it would not get.
double number_option(const char* function, const char* option, py::handle value);

// The widest type of the Tensors among the values, if any.
std::optional<DType> common_dtype(std::initializer_list<py::handle> values);

DType dtype_from(py::handle dtype);
py::dtype numpy_dtype(DType dtype);
Shape shape_of(const py::array& array);
Shape shape_from(py::handle sizes);  // an int or a sequence of ints
Shape shape_from_args(const py::args& sizes);
py::tuple tuple_of(const Shape& shape);

// A view of the tensor's memory that keeps the memory alive.
py::array numpy_view(const TensorPtr& x);

// The same memory detached from the tape, as a tensor and as an array.
TensorPtr detached(const TensorPtr& x);
py::object plain_array(const TensorPtr& x);

bool is_tensor(py::handle value);

// Whether arithmetic supports the operand; others get NotImplemented, so that Python tries their own operator.
bool is_arithmetic(py::handle value);

// For py::init: creates the object in a shared pointer from the start. py::init<...> would create the pointer where
// nothing catches std::bad_alloc.
template <class T, class... Arguments>
std::shared_ptr<T> make(Arguments... arguments) {
  return std::make_shared<T>(std::forward<Arguments>(arguments)...);
}

// Runs f, without the GIL if it takes long enough to matter.
template <class F>
auto without_gil(double work, F&& f) {
  if (work <= 2e6) return f();
  const WithoutGil release;
  const std::shared_lock<std::shared_mutex> together(tensor_memory());
  return f();
}

}  // namespace nnlite
