"""Making tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._core import Generator, Tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

__all__ = [
    "arange", "as_tensor", "cat", "concatenate", "from_numpy", "full", "maximum", "minimum", "ones", "ones_like",
    "rand", "randn", "stack", "tensor", "where", "zeros", "zeros_like",
]  # fmt: skip


def tensor(data: ArrayLike | Tensor, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """A new tensor with a copy of `data`.

    Lists of floats become float32 and integers int64, as in PyTorch; arrays keep float32 and float64. Raises TypeError for
    anything but real numbers.

    >>> import nnlite as nl
    >>> nl.tensor([[1.0, 2.0], [3.0, 4.0]]).shape
    (2, 2)
    """
    return Tensor(data, dtype, requires_grad)


def as_tensor(data: ArrayLike | Tensor) -> Tensor:
    """`data` as a tensor, sharing an array's memory where its layout and type allow; read-only memory is copied."""
    return _core.as_tensor(data)


def from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
    """A tensor sharing the memory of a float32, float64 or int64 array; others are converted, read-only ones copied."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy needs a NumPy array, got {type(array).__name__}; use nl.tensor")
    return _core.as_tensor(array)


def full(
    size: int | Sequence[int], fill_value: float, dtype: DTypeLike | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor filled with one value, of type bool, int64 or float32 as the value is, unless `dtype` says otherwise."""
    filled = np.full(size, fill_value, dtype)
    return Tensor(filled, np.float32 if dtype is None and filled.dtype.kind == "f" else None, requires_grad)


def zeros(*shape: Any, dtype: DTypeLike = np.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros: `zeros(2, 3)` or `zeros((2, 3))`."""
    return full(_sizes(shape), 0, dtype, requires_grad)


def ones(*shape: Any, dtype: DTypeLike = np.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of ones: `ones(2, 3)` or `ones((2, 3))`."""
    return full(_sizes(shape), 1, dtype, requires_grad)


def zeros_like(input: Tensor, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Zeros with the shape of `input`, and its type unless `dtype` says otherwise."""
    return full(input.shape, 0, input.dtype if dtype is None else dtype, requires_grad)


def ones_like(input: Tensor, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Ones with the shape of `input`, and its type unless `dtype` says otherwise."""
    return full(input.shape, 1, input.dtype if dtype is None else dtype, requires_grad)


def arange(*bounds: float, dtype: DTypeLike | None = None) -> Tensor:
    """`arange(stop)`, `arange(start, stop)` or `arange(start, stop, step)`; int64 for integers, else float32."""
    values = np.arange(*bounds)
    default = np.int64 if values.dtype.kind == "i" else np.float32
    return Tensor(values.astype(default if dtype is None else dtype))


def rand(
    *size: Any, generator: Generator | None = None, dtype: DTypeLike = np.float32, requires_grad: bool = False
) -> Tensor:
    """Uniform numbers in [0, 1) from a generator, by default the one that `manual_seed` sets."""
    return Tensor((generator or _core.default_generator()).uniform(_sizes(size), dtype=dtype), None, requires_grad)


def randn(
    *size: Any, generator: Generator | None = None, dtype: DTypeLike = np.float32, requires_grad: bool = False
) -> Tensor:
    """Normal numbers of mean 0 and standard deviation 1 from a generator, by default the one that `manual_seed` sets."""
    return Tensor((generator or _core.default_generator()).normal(_sizes(size), dtype=dtype), None, requires_grad)


def where(condition: ArrayLike, input: Tensor | ArrayLike, other: Tensor | ArrayLike) -> Tensor:
    """`input` where the condition holds, else `other`, broadcast together; gradients flow to the chosen side."""
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


def _sizes(shape: tuple[Any, ...]) -> tuple[int, ...]:
    if len(shape) == 1 and not isinstance(shape[0], int):
        return tuple(shape[0])
    return shape
