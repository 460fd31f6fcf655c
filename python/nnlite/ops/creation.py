"""Making tensors from sizes and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from .._core import Generator, Tensor
from .calling import sizes

DType = Any


def empty(*size: Any, dtype: DType = np.float32, requires_grad: bool = False) -> Tensor:
    """Zeros: memory whose values do not matter."""
    return Tensor(np.zeros(sizes(size), dtype), None, requires_grad)


def empty_like(input: Tensor, *, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """`empty` with the shape and type of `input`."""
    return full_like(input, 0, dtype=dtype, requires_grad=requires_grad)


def full_like(input: Tensor, fill_value: float, *, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """`fill_value` in the shape and type of `input`."""
    return Tensor(np.full(tuple(input.shape), fill_value), input.dtype if dtype is None else dtype, requires_grad)


def rand_like(
    input: Tensor, *, generator: Generator | None = None, dtype: DType = None, requires_grad: bool = False
) -> Tensor:
    """Uniform numbers in [0, 1) in the shape and type of `input`."""
    values = _from(generator).uniform(input.shape, dtype=input.dtype if dtype is None else dtype)
    return Tensor(values, None, requires_grad)


def randn_like(
    input: Tensor, *, generator: Generator | None = None, dtype: DType = None, requires_grad: bool = False
) -> Tensor:
    """Normal numbers in the shape and type of `input`."""
    values = _from(generator).normal(input.shape, dtype=input.dtype if dtype is None else dtype)
    return Tensor(values, None, requires_grad)


def _from(generator: Generator | None) -> Generator:
    return _core.default_generator() if generator is None else generator


def eye(n: int, m: int | None = None, *, dtype: DType = np.float32, requires_grad: bool = False) -> Tensor:
    """(n, m) with ones on the diagonal, else 0."""
    for size in (n, n if m is None else m):
        if size < 0:
            raise RuntimeError(f"eye(): sizes must not be negative, got {size}")
    return Tensor(np.eye(n, m), dtype, requires_grad)


def linspace(start: float, end: float, steps: int, *, dtype: DType = np.float32, requires_grad: bool = False) -> Tensor:
    """`steps` numbers from start to end, both included, at equal distances."""
    if steps < 0:
        raise RuntimeError(f"linspace(): number of steps must be non-negative, got {steps}")
    return Tensor(np.linspace(float(start), float(end), steps), dtype, requires_grad)


def logspace(
    start: float, end: float, steps: int, base: float = 10.0, *, dtype: DType = np.float32, requires_grad: bool = False
) -> Tensor:
    """base to the powers of `linspace`."""
    if steps < 0:
        raise RuntimeError(f"logspace(): number of steps must be non-negative, got {steps}")
    powers = Tensor(np.linspace(float(start), float(end), steps))
    return Tensor(_core.binary("pow", Tensor(np.float64(base)), powers).to(dtype), None, requires_grad)


def randint(
    low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None, dtype: DType = np.int64,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Whole numbers in [low, high), or in [0, low) where only one bound is given: randint(10, (3,))."""
    if size is None:
        low, high, size = 0, low, high
    if high <= low:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    uniform = _from(generator).uniform(size, dtype=np.float64)
    return Tensor((low + np.floor(uniform * (high - low))).astype(np.int64), dtype, requires_grad)


def randint_like(
    input: Tensor, low: int, high: int | None = None, *, generator: Generator | None = None, dtype: DType = None
) -> Tensor:
    """`randint` in the shape and type of `input`."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input.shape, generator=generator, dtype=input.dtype if dtype is None else dtype)


def randperm(
    n: int, *, generator: Generator | None = None, dtype: DType = np.int64, requires_grad: bool = False
) -> Tensor:
    """The numbers 0 to n - 1 in random order."""
    return Tensor(_from(generator).permutation(n), dtype, requires_grad)


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor on the memory of another library's CPU tensor."""
    return _core.as_tensor(np.from_dlpack(ext_tensor))
