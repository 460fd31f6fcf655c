// Functions of elements and of rows of logits, as one table.
template <class T>
constexpr ElementKernels<T> element_kernels() {
  ElementKernels<T> kernels{};
  kernels.unary = kUnaryKernels<T>;
  kernels.unary_count = count_of(kUnaryKernels<T>);
  kernels.binary = kBinaryKernels<T>;
  kernels.binary_count = count_of(kBinaryKernels<T>);
  kernels.updates = UpdateFunctions<T, Optimizers>::functions;
  kernels.plain_update = update_plainly<T>;
  kernels.softmax = softmax<T>;
  kernels.softmax_backward = softmax_backward<T>;
  kernels.log_softmax = log_softmax<T>;
  kernels.log_softmax_backward = log_softmax_backward<T>;
  kernels.cross_entropy = cross_entropy<T>;
  kernels.scale_rows = scale_rows<T>;
  return kernels;
}
