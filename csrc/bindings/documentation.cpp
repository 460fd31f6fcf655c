// Docstrings of a tensor's methods and properties: formula, shapes, errors.
#include <cstdlib>
#include <cstring>

#include "bindings/bindings.hpp"

namespace nnlite {
namespace {

struct Documentation {
  const char* name;
  const char* text;
};

constexpr Documentation kDocumentation[] = {
    // Properties
    {"shape", "The sizes of the dimensions, as a tuple; () for a single value."},
    {"ndim", "The number of dimensions."},
    {"dtype", "The type of the elements, as NumPy's dtype: float32, float64, int64 or bool."},
    {"is_leaf",
     "Whether no recorded operation computed this tensor: created directly, or computed without a gradient."},
    {"requires_grad", "Whether operations on this tensor are recorded, so that backward() reaches it. Floats only."},
    {"grad", "The gradient accumulated by backward(), a Tensor of the same shape and type, or None."},
    {"data", "The same values without the record of operations; assigning a Tensor replaces memory, shape and type."},
    {"device", "nl.device('cpu'), the only device."},
    {"mT", "The tensor with its last two dimensions swapped."},
    {"T", "The tensor with its dimensions in reverse order: (d0, ..., dn) becomes (dn, ..., d0)."},
    {"numel", "The number of elements."},
    {"nelement", "The number of elements."},
    {"element_size", "The size of an element in bytes."},
    {"is_contiguous", "True: every tensor is contiguous."},
    {"is_floating_point", "Whether the elements are float32 or float64."},
    {"dim", "The number of dimensions."},
    {"size",
     "The shape as a tuple, or the size of the dimension `dim`.\n\nRaises IndexError if there is no such dimension."},
    // Values
    {"numpy",
     "The values as an array, without a copy; backward() does not see changes made through it.\n\nRaises "
     "RuntimeError for a tensor that requires a gradient: use "
     "x.detach().numpy()."},
    {"item", "The value of a tensor with one element, as a Python number.\n\nRaises ValueError for any other size."},
    {"tolist", "The values as nested lists of Python numbers; a number for shape ()."},
    {"detach", "The same values in the same memory, without the record of operations: no gradient flows back from it."},
    {"clone", "A copy in new memory, of the same shape; gradients flow back through it."},
    {"to",
     "The tensor with elements of another type, given as `dtype` or as a tensor's, same shape; itself if nothing "
     "changes, unless `copy`.\n\nGradients flow back in the original type. Raises ValueError for a `device` other "
     "than the CPU."},
    {"type", "The tensor with elements of type `dtype`, or without it the name of its type: 'nnlite.FloatTensor'."},
    {"type_as", "The tensor with elements of the type of `other`."},
    {"cpu", "The tensor itself: there is no other device."},
    {"contiguous", "The tensor itself: every tensor is contiguous."},
    {"cuda", "Raises ValueError: nnlite runs on the CPU."},
    {"float", "The tensor as float32; the same as to('float32')."},
    {"double", "The tensor as float64; the same as to('float64')."},
    {"long", "The tensor as int64, truncated towards 0; the same as to('int64')."},
    {"int", "The tensor as int64: there are no smaller integers."},
    {"bool", "The tensor as bool: whether each element differs from 0."},
    // In place
    {"copy_",
     "Replaces the values by those of `src`, broadcast, in place; gradients flow to `src`.\n\nRaises RuntimeError if "
     "it cannot be broadcast, for a leaf that requires a gradient outside nl.no_grad(), and for columns or a "
     "transposed tensor, which are copies: write w[:, 0] = value instead."},
    {"add_", "self + alpha other, in place.\n\nRaises RuntimeError as copy_."},
    {"sub_", "self - alpha other, in place.\n\nRaises RuntimeError as copy_."},
    {"mul_", "self * other, in place.\n\nRaises RuntimeError as copy_."},
    {"div_", "self / other, in place.\n\nRaises RuntimeError as copy_."},
    {"pow_", "self ** other, in place.\n\nRaises RuntimeError as copy_."},
    {"neg_", "-x, element by element, in place.\n\nRaises RuntimeError as copy_."},
    {"abs_", "|x|, element by element, in place.\n\nRaises RuntimeError as copy_."},
    {"exp_", "e ** x, element by element, in place.\n\nRaises RuntimeError as copy_."},
    {"sqrt_", "The square root, element by element, in place.\n\nRaises RuntimeError as copy_."},
    {"relu_", "max(x, 0), element by element, in place.\n\nRaises RuntimeError as copy_."},
    {"tanh_", "The hyperbolic tangent, element by element, in place.\n\nRaises RuntimeError as copy_."},
    {"sigmoid_", "1 / (1 + e ** -x), element by element, in place.\n\nRaises RuntimeError as copy_."},
    {"clamp_", "min(max(x, `min`), `max`), element by element, in place.\n\nRaises RuntimeError as copy_."},
    {"fill_", "Sets every element to `value`, in place.\n\nRaises RuntimeError as copy_."},
    {"zero_", "Sets every element to 0, in place.\n\nRaises RuntimeError as copy_."},
    {"uniform_",
     "Draws every element uniformly from [low, high), in place, from the default generator (nl.manual_seed).\n\n"
     "Raises TypeError for integers, RuntimeError as copy_."},
    {"normal_",
     "Draws every element from the normal distribution of `mean` and `std`, in place, from the default generator.\n\n"
     "Raises TypeError for integers, RuntimeError as copy_."},
    // Gradients
    {"requires_grad_", "Sets requires_grad and returns the tensor itself.\n\nRaises TypeError for integers."},
    {"backward",
     "Adds d self / d x to x.grad of every leaf x that self was computed from and that requires a gradient, or of the "
     "tensors `inputs` alone.\n\n"
     "`gradient` (shape of self) is the gradient of what follows, 1 for a single number. `retain_graph` keeps the "
     "record for another call; `create_graph` records the gradients too, see autograd.grad.\nRaises "
     "RuntimeError if nothing was recorded, or for more than one element without `gradient`."},
    {"register_hook",
     "Calls `hook(gradient)` in backward passes once the gradient of self is complete; what it returns, unless None, "
     "replaces the gradient. Returns a handle with remove().\n\nRaises RuntimeError for a tensor that requires no "
     "gradient. A step with hooks cannot be captured: fit(compile=False)."},
    {"retain_grad",
     "Makes backward() set the grad of self even if self is not a leaf.\n\nRaises RuntimeError for a tensor that "
     "requires no gradient."},
    {"retains_grad", "Whether retain_grad() was called."},
    {"grad_fn", "The operation that computed this tensor, if it was recorded; None for a leaf."},
    // Elementwise: the result has the shape of self
    {"exp", "e ** x, element by element; same shape."},
    {"log", "The natural logarithm, element by element: -inf at 0, NaN below; same shape."},
    {"sqrt", "The square root, element by element: NaN below 0; same shape."},
    {"abs", "|x|, element by element, with gradient 0 at 0; same shape."},
    {"relu", "max(x, 0), element by element, with gradient 0 at 0; same shape."},
    {"tanh", "(e ** x - e ** -x) / (e ** x + e ** -x), element by element; same shape."},
    {"sigmoid", "1 / (1 + e ** -x), element by element; same shape."},
    {"pow",
     "x ** exponent, element by element; `exponent` is a number or broadcasts against x.\n\nRaises ValueError for "
     "shapes that do not broadcast."},
    {"clip",
     "min(max(x, `min`), `max`), element by element; the gradient is 0 outside. Same shape.\n\nRaises ValueError "
     "without any bound."},
    {"clamp",
     "min(max(x, `min`), `max`), element by element; the gradient is 0 outside. Same shape.\n\nRaises ValueError "
     "without any bound."},
    {"matmul",
     "The matrix product self @ other: (..., n, k) @ (..., k, m) is (..., n, m). A vector (k,) counts as one row or "
     "column, whose dimension the result drops.\n\nRaises ValueError if the inner sizes differ."},
    // Comparisons, as bool; `other` broadcasts
    {"eq", "self == other, element by element."},
    {"ne", "self != other, element by element."},
    {"lt", "self < other, element by element."},
    {"le", "self <= other, element by element."},
    {"gt", "self > other, element by element."},
    {"ge", "self >= other, element by element."},
    {"logical_and", "Whether both differ from 0."},
    {"logical_or", "Whether at least one differs from 0."},
    {"logical_xor", "Whether exactly one differs from 0."},
    {"logical_not", "Whether each element is 0."},
    {"bitwise_and", "self & other, for bool and int64."},
    {"bitwise_or", "self | other, for bool and int64."},
    {"bitwise_xor", "self ^ other, for bool and int64."},
    {"bitwise_not", "~self, for bool and int64."},
    {"isnan", "Which elements are NaN."},
    {"isinf", "Which elements are infinite."},
    {"isfinite", "Which elements are neither infinite nor NaN."},
    {"isposinf", "Which elements are +inf."},
    {"isneginf", "Which elements are -inf."},
    {"signbit", "Which elements have a minus sign, including -0.0."},
    // Along a dimension, or several if the text says dimensions
    {"sum",
     "The sum along the dimensions `dim`, which the result drops unless `keepdim`; of all elements without it. The "
     "elements are converted to `dtype` first."},
    {"mean",
     "The mean along the dimensions `dim`, which the result drops unless `keepdim`; of all elements without it. The "
     "elements are converted to `dtype` first."},
    {"max",
     "The largest element, shape (); with `dim` a pair (values, indices) along it, without that dimension unless "
     "`keepdim`.\n\nEqual elements split the gradient; with `dim` the first gets it. Raises IndexError if there is "
     "no such dimension."},
    {"min",
     "The smallest element, shape (); with `dim` a pair (values, indices) along it, without that dimension unless "
     "`keepdim`.\n\nEqual elements split the gradient; with `dim` the first gets it. Raises IndexError if there is "
     "no such dimension."},
    {"amax",
     "The largest element along the dimensions `dim`, which the result drops unless `keepdim`; of all without "
     "it.\n\nEqual elements split the gradient."},
    {"amin",
     "The smallest element along the dimensions `dim`, which the result drops unless `keepdim`; of all without "
     "it.\n\nEqual elements split the gradient."},
    {"argmax", "The index of the largest element along `dim`, as int64; in the flat tensor without it."},
    {"argmin", "The index of the smallest element along `dim`, as int64; in the flat tensor without it."},
    {"any", "Whether some element along the dimensions `dim` differs from 0, as bool; of all elements without it."},
    {"all", "Whether every element along the dimensions `dim` differs from 0, as bool; of all elements without it."},
    {"softmax", "e ** x / sum(e ** x) along `dim`, without overflow; same shape."},
    {"log_softmax", "x - log(sum(e ** x)) along `dim`, without overflow; same shape."},
    // Shapes: the same elements in the same order unless stated otherwise
    {"reshape",
     "The same elements in another shape, given as numbers or a tuple; one size may be -1 and is inferred.\n\nRaises "
     "ValueError if the number of elements differs."},
    {"view",
     "The same elements in another shape, given as numbers or a tuple; one size may be -1 and is inferred.\n\nRaises "
     "ValueError if the number of elements differs."},
    {"flatten",
     "The dimensions from `start_dim` to `end_dim` as one: (2, 3, 4).flatten(1) is (2, 12).\n\nRaises IndexError if "
     "there is no such dimension."},
    {"squeeze", "Without the dimensions of size 1, or without `dim` if that has size 1."},
    {"unsqueeze", "With a new dimension of size 1 at `dim`: (2, 3).unsqueeze(0) is (1, 2, 3)."},
    {"transpose", "With the dimensions `dim0` and `dim1` swapped.\n\nRaises IndexError if there is no such dimension."},
    {"permute",
     "With the dimensions in another order: (a, b, c).permute(2, 0, 1) is (c, a, b).\n\nRaises ValueError unless every "
     "dimension is named once."},
};

// pybind11 owns a function's docstring, which begins with its signature, and frees it.
void append_docstring(PyCFunctionObject* function, const char* text) {
  PyMethodDef& definition = *function->m_ml;
  const std::string whole = std::string(definition.ml_doc) + '\n' + text + '\n';
  std::free(const_cast<char*>(definition.ml_doc));
  definition.ml_doc = strdup(whole.c_str());
}

}  // namespace

void document_tensor(TensorClass& tensor) {
  for (const Documentation& entry : kDocumentation) {
    const py::object member = tensor.attr("__dict__")[entry.name];
    if (PyInstanceMethod_Check(member.ptr()))
      append_docstring(reinterpret_cast<PyCFunctionObject*>(PyInstanceMethod_GET_FUNCTION(member.ptr())), entry.text);
    else
      member.attr("__doc__") = entry.text;
  }
}

}  // namespace nnlite
