"""Other shapes and orders of the same elements. Results are tensors of their own, never views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from ..tensors import sizes
from .calling import Operand, integers, normal_dim, normal_dims


def _taken(input: Tensor, dim: int, index: Any) -> Tensor:
    """The positions `index` (an array or a slice) of one dimension."""
    return input[(slice(None),) * dim + (index,)]


def expand(input: Tensor, *size: Any) -> Tensor:
    """Repeats dimensions of size 1, and in front; -1 keeps a size."""
    shape = sizes(size)
    before = len(shape) - input.ndim
    if before < 0:
        raise RuntimeError(f"expand(): {shape} has fewer dimensions than the tensor's shape {tuple(input.shape)}")
    have = (1,) * before + tuple(input.shape)
    wanted = [n if m == -1 and i >= before else m for i, (n, m) in enumerate(zip(have, shape, strict=True))]
    if any(m < 0 or n not in (1, m) for n, m in zip(have, wanted, strict=True)):
        raise RuntimeError(f"expand(): a tensor of shape {tuple(input.shape)} cannot be expanded to {shape}")
    x = input.reshape(have)
    for dim, (n, m) in enumerate(zip(have, wanted, strict=True)):
        if n != m:
            x = _taken(x, dim, np.zeros(m, np.int64))
    return x


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of `other`."""
    return expand(input, other.shape)


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """`view` with the shape of `other`."""
    return input.view(other.shape)


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """So many copies side by side along each dimension, new ones in front."""
    counts = sizes(repeats)
    if len(counts) < input.ndim:
        raise RuntimeError(f"repeat(): {counts} has fewer numbers than the shape {tuple(input.shape)} has dimensions")
    x = input.reshape((1,) * (len(counts) - input.ndim) + tuple(input.shape))
    for dim, count in enumerate(counts):
        if count != 1:
            x = _taken(x, dim, np.tile(np.arange(x.shape[dim]), count))
    return x if counts else x.clone()


def tile(input: Tensor, *counts: Any, dims: Sequence[int] | None = None) -> Tensor:
    """As `repeat`, with ones in front where there are fewer numbers than dimensions."""
    wanted = sizes(counts) if dims is None else dims
    return repeat(input, [1] * (input.ndim - len(wanted)) + list(wanted))


def repeat_interleave(input: Tensor, repeats: Any, dim: int | None = None, *, output_size: int | None = None) -> Tensor:
    """Each element so many times in a row; along all elements where `dim` is None."""
    x = input.reshape(-1) if dim is None or input.ndim == 0 else input
    at = normal_dim("repeat_interleave", 0 if dim is None else dim, x.ndim)
    counts = integers("repeat_interleave", repeats)
    if counts.size not in (1, x.shape[at]):
        raise RuntimeError(f"repeat_interleave(): {counts.size} repeats do not fit {x.shape[at]} elements")
    index = np.repeat(np.arange(x.shape[at]), counts.reshape(-1))
    if output_size not in (None, index.size):
        raise RuntimeError(f"repeat_interleave(): output_size is {output_size}, the repeats make {index.size}")
    return _taken(x, at, index)


def split(input: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of one size, the last may be smaller, or of the sizes given."""
    dim = normal_dim("split", dim, input.ndim)
    total, wanted = input.shape[dim], split_size_or_sections
    if isinstance(wanted, int):
        if wanted < 0 or (wanted == 0 and total):
            raise RuntimeError(f"split(): split_size must be positive, got {wanted}")
        count = max(1, -(-total // wanted)) if wanted else 1
        wanted = [min(wanted, total - i * wanted) for i in range(count)]
    if sum(wanted) != total or min(wanted, default=0) < 0:
        raise RuntimeError(f"split(): sections {list(wanted)} do not add up to the {total} elements of dimension {dim}")
    ends = np.cumsum(wanted).tolist()
    return tuple(_taken(input, dim, slice(end - n, end)) for end, n in zip(ends, wanted, strict=True))


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most so many pieces of equal size, the last may be smaller."""
    if chunks < 1:
        raise RuntimeError(f"chunk(): chunks must be greater than 0, got {chunks}")
    size = -(-input.shape[normal_dim("chunk", dim, input.ndim)] // chunks)
    return split(input, size, dim) if size else split(input, [0] * chunks, dim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along a dimension, without it."""
    dim = normal_dim("unbind", dim, input.ndim)
    return tuple(_taken(input, dim, i) for i in range(input.shape[dim]))


def flip(input: Tensor, *axes: Any, dims: Sequence[int] | None = None) -> Tensor:
    """Turns the order along dimensions around."""
    x, wanted = input, sizes(axes) if dims is None else dims
    for dim in normal_dims("flip", wanted, input.ndim) if wanted else []:
        x = _taken(x, dim, slice(None, None, -1))
    return x if x is not input else x.clone()


def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """Moves elements along dimensions, or along all of them in a row; those at the end come in at the front."""
    moves = [shifts] if isinstance(shifts, int) else list(shifts)
    if dims is None or (not isinstance(dims, int) and not len(dims)):
        if len(moves) != 1:
            raise RuntimeError(f"roll(): without dims there is one shift, got {moves}")
        return roll(input.reshape(-1), moves[0], 0).reshape(tuple(input.shape))
    axes = [normal_dim("roll", d, input.ndim) for d in ([dims] if isinstance(dims, int) else dims)]
    if len(axes) != len(moves):
        raise RuntimeError(f"roll(): shifts {moves} and dims {axes} must align")
    x = input
    for dim, move in zip(axes, moves, strict=True):
        if input.ndim:
            x = _taken(x, dim, np.roll(np.arange(x.shape[dim]), move))
    return x if x is not input else x.clone()


def t(input: Tensor) -> Tensor:
    """A matrix transposed; a vector as it is."""
    if input.ndim > 2:
        raise RuntimeError(f"t(): expects at most 2 dimensions, got shape {tuple(input.shape)}")
    return input.T


def _diagonals(name: str, input: Tensor) -> np.ndarray[Any, Any]:
    """The number of the diagonal on which each element of a matrix lies."""
    if input.ndim < 2:
        raise RuntimeError(f"{name}(): needs at least 2 dimensions, got shape {tuple(input.shape)}")
    return np.arange(input.shape[-1]) - np.arange(input.shape[-2])[:, None]


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of each matrix up to a diagonal, else 0."""
    return _core.where(_diagonals("tril", input) <= diagonal, input, False)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of each matrix from a diagonal on, else 0."""
    return _core.where(_diagonals("triu", input) >= diagonal, input, False)


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A matrix with a vector on its diagonal, or the diagonal of a matrix."""
    if input.ndim not in (1, 2):
        raise RuntimeError(f"diag(): expects a vector or a matrix, got shape {tuple(input.shape)}")
    if input.ndim == 2:
        return input[(_diagonals("diag", input) == diagonal).nonzero()]
    size = input.shape[0] + abs(diagonal)
    index = np.full((size, size), input.shape[0])  # a 0 behind the vector
    index[np.eye(size, k=diagonal, dtype=bool)] = np.arange(input.shape[0])
    return _core.concatenate([input, Tensor(np.zeros(1), input.dtype)], 0)[index]


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Puts dimensions elsewhere; the others keep their order."""
    sources, places = (normal_dims("movedim", d, input.ndim) if d != () else [] for d in (source, destination))
    if len(sources) != len(places):
        raise RuntimeError(f"movedim(): source {source} and destination {destination} must have as many dimensions")
    order = [i for i in range(input.ndim) if i not in sources]
    for place, dim in sorted(zip(places, sources, strict=True)):
        order.insert(place, dim)
    return input.permute(*order)


def _listed(tensors: tuple[Operand, ...]) -> list[Tensor]:
    given = tensors[0] if len(tensors) == 1 and not isinstance(tensors[0], Tensor) else tensors
    return [_core.as_tensor(x) for x in given]


def meshgrid(*tensors: Operand, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Grids of the coordinates in vectors: result k holds coordinate k of each point; "xy" swaps the first two dimensions."""
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f"meshgrid(): indexing must be 'ij' or 'xy', got {indexing!r}")
    axes = [x.reshape(-1) for x in _listed(tensors)]
    shape = [x.shape[0] for x in axes]
    grids = []
    for i, axis in enumerate(axes):
        grid = expand(axis.reshape([-1 if j == i else 1 for j in range(len(axes))]), shape)
        grids.append(grid.transpose(0, 1) if indexing == "xy" and len(axes) > 1 else grid)
    return tuple(grids)


def hstack(tensors: Sequence[Operand]) -> Tensor:
    """Joins along the second dimension, vectors along their only one."""
    parts = [x if x.ndim else x.reshape(1) for x in _listed((tensors,))]
    return _core.concatenate(parts, 0 if parts[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Operand]) -> Tensor:
    """Joins along the first dimension, vectors as rows."""
    return _core.concatenate([x if x.ndim > 1 else x.reshape(1, -1) for x in _listed((tensors,))], 0)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors, expanded to one shape."""
    shape = np.broadcast_shapes(*(tuple(x.shape) for x in tensors))
    return tuple(expand(x, shape) for x in tensors)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations (n, k) of the elements of k vectors."""
    if len(tensors) == 1:
        return tensors[0]
    return _core.concatenate([x.reshape(-1, 1) for x in meshgrid(*tensors, indexing="ij")], 1)
