// Integers, booleans and comparisons: NumPy computes them on the tensors' memory, and PyTorch's rules determine the
// type of the result.
#pragma once

#include "bindings/dims.hpp"

namespace nnlite {

// A tensor that shares the memory of the result of NumPy's `function`.
TensorPtr by_numpy(const char* function, const py::tuple& arguments, const py::dict& options = {});

// unary(), binary() and matmul() for tensors of every type.
TensorPtr elementwise(int index, const TensorPtr& x, double alpha = 0, double beta = 0);
TensorPtr arithmetic(int index, const TensorPtr& a, const TensorPtr& b);
TensorPtr matrix_product(const TensorPtr& a, const TensorPtr& b);

// NumPy's `function` of two operands converted to their common type.
TensorPtr binary_by_numpy(const char* function, const TensorPtr& a, const TensorPtr& b);

// NumPy's reductions: max, argmax, any, ...
TensorPtr reduced_by_numpy(const char* function, const TensorPtr& x, const Dims& given, bool keepdim);

}  // namespace nnlite
