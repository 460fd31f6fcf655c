"""Reductions and running sums along dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from .calling import floating, is_floating, normal_dim, normal_dims
from .elementwise import sign

Dims = int | Sequence[int] | None


def merged(input: Tensor, dims: list[int]) -> Tensor:
    """`input` with `dims` merged into one dimension, at the end."""
    kept = [i for i in range(input.ndim) if i not in dims]
    size = int(np.prod([input.shape[i] for i in dims]))
    return (
        input.permute(*kept, *dims).reshape(*(input.shape[i] for i in kept), size) if input.ndim else input.reshape(1)
    )


def shaped(result: Tensor, input: Tensor, dims: list[int], keepdim: bool) -> Tensor:
    """A result without `dims`, or with each of size 1."""
    shape = [1 if i in dims else n for i, n in enumerate(input.shape) if keepdim or i not in dims]
    return result.reshape(tuple(shape))


def _typed(input: Tensor, dtype: Any) -> Tensor:
    """Of the type asked for; else integers and booleans are int64."""
    return input.to(dtype) if dtype is not None else input if is_floating(input) else input.long()


def _safe_sqrt(input: Tensor) -> Tensor:
    """The square root, whose gradient at 0 is 0."""
    zero = 1 - sign(input.abs())
    zero = zero * sign(input.abs() + 1)  # NaN is not 0
    return _core.where(zero, 0.0, _core.where(zero, 1.0, input).sqrt())


def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product over one dimension, or of everything; pairs first, then pairs of pairs."""
    dims = normal_dims("prod", dim, input.ndim)
    x = merged(_typed(input, dtype), dims)
    while (size := x.shape[-1]) > 1:
        half = size // 2
        pairs = x[..., :half] * x[..., half : 2 * half]
        x = _core.concatenate([pairs, x[..., 2 * half :]], -1) if size % 2 else pairs
    if size == 0:
        x = x.sum(-1) + 1
    return shaped(x, input, dims, keepdim)


def _running(name: str, input: Tensor, dim: int, dtype: Any, join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Hillis and Steele 1986: after the step of size s each element joins the 2 s before it."""
    dim, x = normal_dim(name, dim, input.ndim), _typed(input, dtype)
    if input.ndim == 0:
        return x.clone()
    x, step = x.transpose(dim, -1), 1
    while step < x.shape[-1]:
        x = _core.concatenate([x[..., :step], join(x[..., step:], x[..., :-step])], -1)
        step *= 2
    return x.transpose(dim, -1)


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Sums of the elements up to each."""
    return _running("cumsum", input, dim, dtype, lambda a, b: a + b)


def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Products of the elements up to each."""
    return _running("cumprod", input, dim, dtype, lambda a, b: a * b)


def _moments(
    name: str, input: Tensor, dim: Any, unbiased: bool | None, keepdim: bool, correction: float | None
) -> tuple[Tensor, Tensor]:
    """Variance and mean. PyTorch's older form has `unbiased` where `dim` stands."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    dims = normal_dims(name, dim, input.ndim)
    x = floating(input)
    mean = x.mean(dims, True)
    difference = x - mean
    count = math.prod(input.shape[i] for i in dims)
    variance = (difference * difference).sum(dims, keepdim) / float(max(count - correction, 0))
    return variance, mean.reshape(tuple(variance.shape))


def var(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The variance: squared distances from the mean over n - correction (1, or 0 where `unbiased` is False)."""
    return _moments("var", input, dim, unbiased, keepdim, correction)[0]


def std(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The standard deviation, the root of `var`."""
    return _safe_sqrt(_moments("std", input, dim, unbiased, keepdim, correction)[0])


def var_mean(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """(variance, mean)"""
    return _moments("var_mean", input, dim, unbiased, keepdim, correction)


def std_mean(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """(standard deviation, mean)"""
    variance, mean = _moments("std_mean", input, dim, unbiased, keepdim, correction)
    return _safe_sqrt(variance), mean


def norm(
    input: Tensor, p: float | str | None = "fro", dim: Dims = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The vector norm sum(|x|^p)^(1/p); "fro" is that of p = 2, float("inf") the largest |x|. Its gradient at 0 is 0."""
    if isinstance(p, str) and p != "fro":
        raise ValueError(f"norm(): p must be a number or 'fro', got {p!r}")
    dims = normal_dims("norm", dim, input.ndim)
    x = floating(_typed(input, dtype)).abs()
    power = 2.0 if p in ("fro", None) else float(p)
    if power == 2:
        return _safe_sqrt((x * x).sum(dims, keepdim))
    if power == 0:
        return sign(x).sum(dims, keepdim)
    if power in (math.inf, -math.inf):
        return x.amax(dims, keepdim) if power > 0 else x.amin(dims, keepdim)
    total = x.pow(power).sum(dims, keepdim)
    zero = 1 - sign(total)
    return _core.where(zero, 0.0, _core.where(zero, 1.0, total).pow(1 / power))


def logsumexp(input: Tensor, dim: int | Sequence[int], keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))), without overflow."""
    dims = normal_dims("logsumexp", dim, input.ndim)
    x = floating(input)
    top = x.amax(dims, True).detach()
    top = _core.where(sign((top - top).abs() + 1), top, 0.0)  # 0 for infinities
    total = (x - top).exp().sum(dims, keepdim).log()
    return total + top.reshape(tuple(total.shape))


def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """The differences of neighbours along one dimension, n times; `prepend` and `append` are joined to it before."""
    dim = normal_dim("diff", dim, input.ndim)
    if n < 0 or input.ndim == 0:
        raise RuntimeError(f"diff(): needs n of at least 0 and a dimension, got n={n} and shape {tuple(input.shape)}")
    parts = [x for x in (prepend, input, append) if x is not None]
    x = _core.concatenate(parts, dim) if n and len(parts) > 1 else input
    later, earlier = ((*(slice(None),) * dim, part) for part in (slice(1, None), slice(-1)))
    for _ in range(min(n, x.shape[dim])):
        x = x[later].logical_xor(x[earlier]) if x.dtype.kind == "b" else x[later] - x[earlier]
    return x
