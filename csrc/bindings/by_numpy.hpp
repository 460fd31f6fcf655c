// Integers, booleans and comparisons: NumPy computes them, on the tensors' own memory, and PyTorch's rules say of which
// type the result is.
#pragma once

#include "bindings/dims.hpp"

namespace nnlite {

// The tensor on the memory of what a function of NumPy's returns.
TensorPtr by_numpy(const char* function, const py::tuple& arguments, const py::dict& options = {});

// unary(), binary() and matmul() for tensors of every type.
TensorPtr elementwise(int index, const TensorPtr& x, double alpha = 0, double beta = 0);
TensorPtr arithmetic(int index, const TensorPtr& a, const TensorPtr& b);
TensorPtr matrix_product(const TensorPtr& a, const TensorPtr& b);

// A function of NumPy's of two operands in their common type.
TensorPtr binary_by_numpy(const char* function, const TensorPtr& a, const TensorPtr& b);

// max, argmax, any and their kind.
TensorPtr reduced_by_numpy(const char* function, const TensorPtr& x, const Dims& given, bool keepdim);

}  // namespace nnlite
