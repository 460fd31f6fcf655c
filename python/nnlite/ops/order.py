"""Order, counts and comparison of elements. Indices are int64; of equal elements the first comes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .._core import Tensor
from .calling import Operand, array_of, by_numpy, like, normal_dim, normal_dims
from .elementwise import lerp
from .reductions import merged, shaped
from .selection import gather

Array = np.ndarray[Any, Any]


class Chosen(NamedTuple):
    """Elements, and where they stood."""

    values: Tensor
    indices: Tensor


def _chosen(input: Tensor, dim: int, index: Array, keepdim: bool = True) -> Chosen:
    found = Chosen(gather(input, dim, index), _core.as_tensor(index))
    return found if keepdim or not input.ndim else Chosen(*(x.squeeze(dim) for x in found))


def _order(name: str, input: Tensor, dim: int, descending: bool = False) -> Array:
    """NaNs count as the largest."""
    dim, x = normal_dim(name, dim, input.ndim), array_of(input)
    if x.ndim == 0:
        return np.array(0)
    if not descending:
        return np.argsort(x, dim, kind="stable")
    return np.asarray(x.shape[dim] - 1 - np.flip(np.argsort(np.flip(x, dim), dim, kind="stable"), dim))


def _part(index: Array, dim: int, positions: slice) -> Array:
    return index[(slice(None),) * (dim % index.ndim) + (positions,)] if index.ndim else index


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices of `sort`."""
    return _core.as_tensor(_order("argsort", input, dim, descending))


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Chosen:
    """(values, indices) in order along a dimension."""
    return _chosen(input, dim, _order("sort", input, dim, descending))


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Chosen:
    """(values, indices) of the k largest or smallest elements, in order."""
    order = _order("topk", input, dim, largest)
    if not 0 <= k <= (order.shape[dim] if order.ndim else 1):
        raise RuntimeError(f"topk(): k is {k}, dimension {dim} of shape {tuple(input.shape)} has fewer elements")
    if not input.ndim and not k:
        return Chosen(input.reshape(1)[:0], _core.as_tensor(order.reshape(1)[:0]))
    return _chosen(input, dim, _part(order, dim, slice(k)))


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Chosen:
    """(value, index) of the k-th smallest element, counted from 1."""
    order = _order("kthvalue", input, dim)
    if not 1 <= k <= (order.shape[dim] if order.ndim else 1):
        raise RuntimeError(f"kthvalue(): k is {k}, out of range for dimension {dim} of shape {tuple(input.shape)}")
    return _chosen(input, dim, _part(order, dim, slice(k - 1, k)), keepdim)


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower median, NaN where there is one; (values, indices) along a dimension. Of all elements, equal ones share
    the gradient."""
    if dim is None:
        x = input.reshape(-1)
        if not x.shape[0]:
            return Tensor(np.nan, input.dtype)
        value, values = array_of(median(x, 0)[0]), array_of(x)
        return x[np.flatnonzero((values == value) | ((values != values) & (value != value)))].amax()
    order, values = _order("median", input, dim), array_of(input)
    size = values.shape[dim] if values.ndim else 1
    if not size:
        raise IndexError(f"median(): dimension {dim} has no elements")
    index = _part(order, dim, slice((size - 1) // 2, (size + 1) // 2))
    if values.ndim:
        nan = values != values
        index = np.where(nan.any(dim, keepdims=True), nan.argmax(dim, keepdims=True), index)
    return _chosen(input, dim, index, keepdim)


def quantile(
    input: Tensor, q: Operand, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The elements below which shares `q` in [0, 1] lie; several q become the first dimension. Between two elements
    "linear", "lower", "higher", "midpoint" or "nearest" applies."""
    share = like(input, q).to(input.dtype)
    if share.ndim > 1 or not ((share >= 0) & (share <= 1)).all():
        raise RuntimeError(f"quantile(): q must be a number or a vector of numbers in [0, 1], got {q}")
    dims = normal_dims("quantile", dim, input.ndim)
    x = sort(merged(input, dims))[0]
    if not x.shape[-1]:
        raise RuntimeError("quantile(): input tensor must be non-empty")
    rank = share.reshape(-1) * (x.shape[-1] - 1)
    place = array_of(rank)
    rounded = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}.get(interpolation)
    low, high = (np.floor(place), np.ceil(place)) if rounded is None else (rounded(place),) * 2
    if rounded is None and interpolation not in ("linear", "midpoint"):
        raise RuntimeError(
            f"quantile(): interpolation can be linear, lower, higher, midpoint or nearest, not {interpolation!r}"
        )
    weight = rank - low if interpolation == "linear" else like(input, (high - low) / 2)
    found = lerp(x[..., low.astype(int)], x[..., high.astype(int)], weight)
    found = _core.where(x[..., -1:].isnan(), x[..., -1:], found)
    rows = [shaped(found[..., i], input, dims, keepdim) for i in range(len(place))]
    return _core.stack(rows, 0) if share.ndim else rows[0]


def _extremes(input: Tensor, dim: int, function: Any, further: Any) -> Chosen:
    x = array_of(input)
    if not x.ndim:
        return _chosen(input, dim, np.array(0))
    y, places = function.accumulate(x, dim), np.arange(x.shape[dim])
    places = places.reshape([-1 if i == dim % x.ndim else 1 for i in range(x.ndim)])
    return _chosen(input, dim, np.maximum.accumulate(np.where(further(x, y) | (x != x), places, 0), dim))


def cummax(input: Tensor, dim: int) -> Chosen:
    """(values, indices) of the largest element up to each, the last one of equals."""
    return _extremes(input, normal_dim("cummax", dim, input.ndim), np.maximum, np.greater_equal)


def cummin(input: Tensor, dim: int) -> Chosen:
    """(values, indices) of the smallest element up to each, the last one of equals."""
    return _extremes(input, normal_dim("cummin", dim, input.ndim), np.minimum, np.less_equal)


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements in order, or slices of `dim`; on request also which of them each is, and how often it is."""
    found: Any = np.unique(array_of(input), False, return_inverse, return_counts, dim, equal_nan=False)  # type: ignore[call-overload]
    if not isinstance(found, tuple):
        return _core.as_tensor(found)
    results = [_core.as_tensor(x) for x in found]
    if return_inverse:
        results[1] = results[1].reshape(tuple(input.shape) if dim is None else -1)
    return tuple(results)


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, ... occurs in a vector of integers, or the sums of their weights."""
    if input.ndim != 1 or input.dtype.kind != "i" or (input < 0).any():
        raise RuntimeError("bincount(): input must be a vector of integers that are not negative")
    counts = np.bincount(array_of(input), None if weights is None else array_of(weights), minlength)
    return Tensor(counts, np.float32 if weights is not None and weights.dtype == np.float32 else None)


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of elements other than 0: a row each, or a vector a dimension."""
    if as_tuple:
        return tuple(map(_core.as_tensor, np.nonzero(np.atleast_1d(array_of(input)))))
    return by_numpy(np.argwhere, input)


def count_nonzero(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """How many elements are not 0."""
    dims = normal_dims("count_nonzero", dim, input.ndim)
    return _core.as_tensor(np.count_nonzero(array_of(input), tuple(dims)) if dims else array_of(input) != 0).long()


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Where |input - other| <= atol + rtol * |other|."""
    return by_numpy(lambda a, b: np.isclose(a, b, rtol, atol, equal_nan), input, other)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether `isclose` holds everywhere."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shapes and values are the same."""
    return np.array_equal(array_of(input), array_of(other))
