"""Making tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._core import Generator, Tensor
from .devices import require_cpu

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

__all__ = [
    "arange", "as_tensor", "cat", "concatenate", "eye", "from_dlpack", "from_numpy", "full", "full_like", "linspace", "logspace", "maximum",
    "minimum", "ones", "ones_like", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "stack", "tensor",
    "where", "zeros", "zeros_like",
]  # fmt: skip


def tensor(
    data: ArrayLike | Tensor, dtype: DTypeLike | None = None, requires_grad: bool = False, *, device: Any = None
) -> Tensor:
    """A new tensor with a copy of `data`.

    Lists of floats become float32 and integers int64, as in PyTorch; arrays keep float32 and float64. Raises TypeError for
    anything but real numbers.

    >>> import nnlite as nl
    >>> nl.tensor([[1.0, 2.0], [3.0, 4.0]]).shape
    (2, 2)
    """
    require_cpu(device)
    return Tensor(data, dtype, requires_grad)


def as_tensor(data: ArrayLike | Tensor, dtype: DTypeLike | None = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing an array's memory where its layout and type allow; read-only memory is copied."""
    require_cpu(device)
    shared = _core.as_tensor(data)
    return shared if dtype is None else shared.to(dtype)


def from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
    """A tensor sharing the memory of a float32, float64 or int64 array; others are converted, read-only ones copied."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy needs a NumPy array, got {type(array).__name__}; use nl.tensor")
    return _core.as_tensor(array)


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor on the memory of another library's CPU tensor."""
    return _core.as_tensor(np.from_dlpack(ext_tensor))


def full(
    size: int | Sequence[int],
    fill_value: float,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    *,
    device: Any = None,
) -> Tensor:
    """A tensor filled with one value, of type bool, int64 or float32 as the value is, unless `dtype` says otherwise."""
    filled = np.full(size, fill_value, dtype)
    own = np.float32 if dtype is None and filled.dtype.kind == "f" else None
    return tensor(filled, own, requires_grad, device=device)


def zeros(*shape: Any, dtype: DTypeLike = np.float32, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros: `zeros(2, 3)` or `zeros((2, 3))`."""
    return full(sizes(shape), 0, dtype, requires_grad, device=device)


def ones(*shape: Any, dtype: DTypeLike = np.float32, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones: `ones(2, 3)` or `ones((2, 3))`."""
    return full(sizes(shape), 1, dtype, requires_grad, device=device)


def full_like(
    input: Tensor,
    fill_value: float,
    *,
    dtype: DTypeLike | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`fill_value` in the shape of `input`, and its type unless `dtype` says otherwise."""
    values = np.full(input.shape, fill_value)
    return tensor(values, input.dtype if dtype is None else dtype, requires_grad, device=device)


def zeros_like(
    input: Tensor, *, dtype: DTypeLike | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`full_like` of 0."""
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones_like(
    input: Tensor, *, dtype: DTypeLike | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`full_like` of 1."""
    return full_like(input, 1, dtype=dtype, device=device, requires_grad=requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DTypeLike = np.float32,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """(n, m), by default (n, n), with ones on the diagonal, else 0."""
    return tensor(np.eye(n, m), dtype, requires_grad, device=device)


def arange(
    start: float = 0,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`arange(end)`, `arange(start, end)` or `arange(start, end, step)`; int64 for integers, else float32."""
    bounds = [0, start, step] if end is None else [start, end, step]
    if dtype is not None and np.dtype(dtype).kind in "iu":
        bounds = [int(bound) for bound in bounds]
    values = np.arange(*bounds)
    default = np.int64 if values.dtype.kind == "i" else np.float32
    return tensor(values, default if dtype is None else dtype, requires_grad, device=device)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: DTypeLike = np.float32,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers from start to end, both included, at equal distances."""
    return tensor(np.linspace(float(start), float(end), steps), dtype, requires_grad, device=device)


def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: DTypeLike = np.float32,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """base to the powers of `linspace`."""
    powers = linspace(start, end, steps, dtype=np.float64)
    return tensor(_core.binary("pow", float(base), powers), dtype, requires_grad, device=device)


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: DTypeLike = np.float32,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform numbers in [0, 1) from a generator, by default the one that `manual_seed` sets."""
    return tensor(generator_or_default(generator).uniform(sizes(size), dtype=dtype), None, requires_grad, device=device)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: DTypeLike = np.float32,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers of mean 0 and standard deviation 1 from a generator, as `rand`."""
    return tensor(generator_or_default(generator).normal(sizes(size), dtype=dtype), None, requires_grad, device=device)


def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`rand` in the shape and type of `input`."""
    own = dtype or input.dtype
    return rand(input.shape, generator=generator, dtype=own, device=device, requires_grad=requires_grad)


def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`randn` in the shape and type of `input`."""
    own = dtype or input.dtype
    return randn(input.shape, generator=generator, dtype=own, device=device, requires_grad=requires_grad)


def randint(
    low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None, dtype: DTypeLike = np.int64,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Whole numbers in [low, high), or in [0, low) where only one bound is given: randint(10, (3,))."""
    if size is None:
        low, high, size = 0, low, high
    if high <= low:
        raise RuntimeError(f"randint(): low must be less than high, got {low} and {high}")
    uniform = generator_or_default(generator).uniform(size, dtype=np.float64)
    values = (low + np.floor(uniform * (high - low))).astype(np.int64)
    return tensor(values, dtype, requires_grad, device=device)


def randint_like(
    input: Tensor,
    low: int,
    high: int | None = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    device: Any = None,
) -> Tensor:
    """`randint` in the shape and type of `input`."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input.shape, generator=generator, dtype=dtype or input.dtype, device=device)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike = np.int64,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The numbers 0 to n - 1 in random order."""
    return tensor(generator_or_default(generator).permutation(n), dtype, requires_grad, device=device)


def generator_or_default(generator: Generator | None) -> Generator:
    """The generator, or for None the one that `manual_seed` sets."""
    return generator or _core.default_generator()


def new_full(
    input: Tensor,
    size: int | Sequence[int],
    fill_value: float,
    *,
    dtype: DTypeLike | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`full` of the type of `input`."""
    return full(size, fill_value, dtype or input.dtype, requires_grad, device=device)


def new_zeros(
    input: Tensor, *size: Any, dtype: DTypeLike | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`zeros` of the type of `input`."""
    return zeros(*size, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def new_ones(
    input: Tensor, *size: Any, dtype: DTypeLike | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`ones` of the type of `input`."""
    return ones(*size, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def new_tensor(
    input: Tensor, data: Any, *, dtype: DTypeLike | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`tensor` of the type of `input`."""
    return tensor(data, dtype or input.dtype, requires_grad, device=device)


def is_tensor(obj: object) -> bool:
    """Whether it is a Tensor."""
    return isinstance(obj, Tensor)


def where(condition: ArrayLike, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, else `other`, broadcast together; gradients flow to the chosen side.

    Without them the positions where it holds, an int64 tensor for each dimension.
    """
    if input is None and other is None:
        return tuple(map(from_numpy, np.nonzero(_core.as_tensor(condition).detach().numpy())))
    return _core.where(condition, input, other)


def maximum(input: Tensor | ArrayLike, other: Tensor | ArrayLike) -> Tensor:
    """The larger of `input` and `other` elementwise, broadcast; ties share the gradient, NaN propagates."""
    return _core.maximum(input, other)


def minimum(input: Tensor | ArrayLike, other: Tensor | ArrayLike) -> Tensor:
    """The smaller of `input` and `other` elementwise, broadcast; ties share the gradient, NaN propagates."""
    return _core.minimum(input, other)


def concatenate(tensors: Sequence[Tensor | ArrayLike], dim: int = 0) -> Tensor:
    """Joins tensors along an existing dimension, the only one in which their shapes may differ."""
    return _core.concatenate(tensors, dim)


cat = concatenate


def stack(tensors: Sequence[Tensor | ArrayLike], dim: int = 0) -> Tensor:
    """Joins tensors of one shape along a new dimension."""
    return _core.stack(tensors, dim)


def sizes(values: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes one by one or as one sequence."""
    return tuple(values[0]) if len(values) == 1 and not isinstance(values[0], int) else values
