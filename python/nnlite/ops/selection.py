"""Choosing elements, and writing them into copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from .calling import Operand, array_of, integers, like, normal_dim
from .shaping import expand

Array = np.ndarray[Any, Any]


def _mask(name: str, mask: Operand) -> Tensor:
    tensor = _core.as_tensor(mask)
    if tensor.dtype.kind != "b":
        raise RuntimeError(f"{name}(): mask must be boolean, got {tensor.dtype}")
    return tensor


def masked_fill(input: Tensor, mask: Operand, value: Operand) -> Tensor:
    """`value`, one number, where the mask holds."""
    if np.ndim(value) != 0:
        raise RuntimeError(f"masked_fill(): value must be a single number, got shape {np.shape(value)}")
    return _core.where(_mask("masked_fill", mask), like(input, value).to(input.dtype), input)


def masked_select(input: Tensor, mask: Operand) -> Tensor:
    """The elements where the mask holds, in a row."""
    where = array_of(_mask("masked_select", mask))
    shape = np.broadcast_shapes(tuple(input.shape), where.shape)
    return expand(input, shape)[np.broadcast_to(where, shape)]


def _positions(name: str, shape: tuple[int, ...], dim: int, index: Array) -> Array:
    """Where input[i][index[i][j]][j] (for dim 1) stands in a row of all elements."""
    size = shape[dim] if shape else 1
    wrong = (index < 0) | (index >= size)
    if wrong.any():
        raise RuntimeError(f"{name}(): index {index[wrong][0]} is out of bounds for dimension {dim} with size {size}")
    grid: list[Array] = list(np.indices(index.shape, sparse=True))
    if not grid:
        return index
    grid[dim] = index
    strides = np.cumprod((1, *shape[:0:-1]))[::-1]
    return np.asarray(sum((g * n for g, n in zip(grid, strides, strict=True)), index * 0))


def _index(name: str, input: Tensor, dim: int, index: Operand, fits: bool = True) -> tuple[int, Array]:
    dim, array = normal_dim(name, dim, input.ndim), integers(name, index)
    if array.size == 0:
        return dim, array
    if array.ndim != input.ndim and max(array.ndim, 1) != max(input.ndim, 1):
        raise RuntimeError(
            f"{name}(): index of shape {array.shape} must have as many dimensions as input {tuple(input.shape)}"
        )
    if any(i != dim and n > m for i, (n, m) in enumerate(zip(array.shape, input.shape, strict=False))):
        raise RuntimeError(
            f"{name}(): index of shape {array.shape} exceeds input {tuple(input.shape)} outside dim {dim}"
        )
    return dim, array


def gather(input: Tensor, dim: int, index: Operand, *, sparse_grad: bool = False) -> Tensor:
    """For dim 1 result[i][j] = input[i][index[i][j]]."""
    dim, array = _index("gather", input, dim, index)
    flat = input.reshape(-1)
    if not array.size:
        return flat[:0].reshape(array.shape)
    return flat[_positions("gather", tuple(input.shape), dim, array)]


def take_along_dim(input: Tensor, indices: Operand, dim: int | None = None) -> Tensor:
    """As `gather`, where input and indices broadcast; along all elements where `dim` is None."""
    index = integers("take_along_dim", indices)
    if dim is None:
        return gather(input.reshape(-1), 0, index.reshape(-1))
    dim = normal_dim("take_along_dim", dim, input.ndim)
    shape = tuple(input.shape)
    if index.ndim != input.ndim:
        raise RuntimeError(f"take_along_dim(): indices {index.shape} must have the dimensions of input {shape}")
    common = np.broadcast_shapes(*(s[:dim] + s[dim + 1 :] for s in (shape, index.shape)))
    inputs, indexes = ((*common[:dim], s[dim], *common[dim:]) for s in (shape, index.shape))
    index = np.where(index < 0, index + input.shape[dim], index)
    return gather(expand(input, inputs), dim, np.broadcast_to(index, indexes))


def _source(name: str, src: Operand, input: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The part of `src` that an index of this shape uses."""
    source = like(input, src).to(input.dtype)
    if source.ndim != len(shape):
        if source.ndim == 0:
            return expand(source, shape)
        if source.ndim != max(len(shape), 1):
            raise RuntimeError(f"{name}(): src of shape {tuple(source.shape)} does not fit an index of shape {shape}")
    if any(n > m for n, m in zip(shape, source.shape, strict=False)):
        raise RuntimeError(f"{name}(): index of shape {shape} exceeds src of shape {tuple(source.shape)}")
    return source[tuple(slice(n) for n in shape)] if shape else source.reshape(())


def scatter(input: Tensor, dim: int, index: Operand, src: Operand = None, *, value: Operand = None) -> Tensor:
    """For dim 1 a copy of input with result[i][index[i][j]] = src[i][j]; the last one stays where indices repeat."""
    dim, array = _index("scatter", input, dim, index)
    source = _source("scatter", value if src is None else src, input, array.shape)
    if not array.size:
        return input.clone()
    count = input.numel()
    chosen = np.arange(count)
    chosen[_positions("scatter", tuple(input.shape), dim, array).reshape(-1)] = count + np.arange(array.size)
    both = _core.concatenate([input.reshape(-1), source.reshape(-1)], 0)
    return both[chosen].reshape(tuple(input.shape))


def _added(input: Tensor, positions: Array, values: Tensor) -> Tensor:
    """`input` plus values at flat positions; those of one position are added in pairs, then in pairs of pairs."""
    positions = positions.reshape(-1)
    order = np.argsort(positions, kind="stable")
    positions, values = positions[order], values.reshape(-1)[order]
    nothing = Tensor(np.zeros(1), input.dtype)
    while (positions[1:] == positions[:-1]).any():
        first = np.searchsorted(positions, positions)  # of the values with this position
        left = np.flatnonzero((np.arange(positions.size) - first) % 2 == 0)
        right = np.where(np.append(positions, -1)[left + 1] == positions[left], left + 1, positions.size)
        values = values[left] + _core.concatenate([values, nothing], 0)[right]
        positions = positions[left]
    index = np.full(input.numel(), positions.size)
    index[positions] = np.arange(positions.size)
    flat = input.reshape(-1) + _core.concatenate([values, nothing], 0)[index]
    return flat.reshape(tuple(input.shape))


def scatter_add(input: Tensor, dim: int, index: Operand, src: Tensor) -> Tensor:
    """For dim 1 a copy of input with result[i][index[i][j]] += src[i][j], in that order."""
    dim, array = _index("scatter_add", input, dim, index)
    source = _source("scatter_add", src, input, array.shape)
    if not array.size:
        return input.clone()
    return _added(input, _positions("scatter_add", tuple(input.shape), dim, array), source)


def _vector(name: str, input: Tensor, dim: int, index: Operand) -> tuple[int, Array]:
    dim, array = normal_dim(name, dim, input.ndim), integers(name, index)
    if array.ndim > 1:
        raise IndexError(f"{name}(): index must be a vector, got shape {array.shape}")
    size, array = input.shape[dim] if input.ndim else 1, array.reshape(-1)
    wrong = (array < 0) | (array >= size)
    if wrong.any():
        raise IndexError(f"{name}(): index {array[wrong][0]} is out of range for dimension {dim} of size {size}")
    return dim, array


def index_select(input: Tensor, dim: int, index: Operand) -> Tensor:
    """The positions `index`, a vector, of one dimension."""
    dim, array = _vector("index_select", input, dim, index)
    return input[(slice(None),) * dim + (array,)] if input.ndim else input.clone()


def index_add(input: Tensor, dim: int, index: Operand, source: Tensor, *, alpha: float = 1) -> Tensor:
    """A copy of input to whose positions `index` of one dimension those of alpha * source are added."""
    dim, array = _vector("index_add", input, dim, index)
    shape = tuple(input.shape)
    wanted = (*shape[:dim], array.size, *shape[dim + 1 :]) if shape else ()
    if tuple(source.shape) != wanted and source.numel() != int(np.prod(wanted)):
        raise RuntimeError(f"index_add(): source has shape {tuple(source.shape)}, the index asks for {wanted}")
    rows = np.arange(input.numel()).reshape(shape or (1,))
    return _added(input, rows.take(array, dim), source if alpha == 1 else source * alpha)


def index_fill(input: Tensor, dim: int, index: Operand, value: float) -> Tensor:
    """`value` at the positions `index` of one dimension."""
    dim, array = _vector("index_fill", input, dim, index)
    mask = np.zeros(tuple(input.shape) or (1,), bool)
    mask[(slice(None),) * dim + (array,)] = True
    return masked_fill(input, mask.reshape(input.shape), value)
