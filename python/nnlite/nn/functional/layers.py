"""Affine maps, lookups and dropout."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import _core
from ..._core import Tensor
from ..options import floating, padding_row, require_probability

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike

__all__ = ["alpha_dropout", "bilinear", "dropout", "embedding", "embedding_bag", "linear", "one_hot"]

_SELU_LIMIT = -1.7580993408473766  # of selu at minus infinity


def linear(input: Operand, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (..., in) weight (out, in)^T + bias (out)."""
    return _core.linear(input, weight, bias)


def bilinear(input1: Operand, input2: Operand, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """See `nn.Bilinear`."""
    a, b = floating(input1), floating(input2)
    out, m, n = weight.shape
    if a.shape[:-1] != b.shape[:-1] or (a.shape[-1], b.shape[-1]) != (m, n):
        raise ValueError(
            f"bilinear: inputs of shapes {a.shape} and {b.shape} do not fit a weight of shape {weight.shape}"
        )
    rows = a.reshape(-1, m).matmul(weight.permute(1, 0, 2).reshape(m, out * n)).reshape(-1, out, n)
    y = (rows * b.reshape(-1, 1, n)).sum(-1).reshape(*a.shape[:-1], out)
    return y if bias is None else y + bias


def embedding(input: Operand, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Rows of weight (V, E) at indices `input` of any shape S: (S, E). Row `padding_idx` gets no gradient; -1 is the last row."""
    if padding_idx is None:
        return _core.embedding(input, weight)
    return _core.embedding(input, weight, padding_row(padding_idx, weight.shape[0]))


def embedding_bag(
    input: Operand,
    weight: Tensor,
    offsets: Operand | None = None,
    mode: str = "mean",
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """See `nn.EmbeddingBag`; `weight` has shape (V, E)."""
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"embedding_bag: mode must be 'sum', 'mean' or 'max', got {mode!r}")
    if per_sample_weights is not None and mode != "sum":
        raise ValueError(f"embedding_bag: per_sample_weights need mode='sum', got {mode!r}")
    shape = input.shape if isinstance(input, Tensor) else np.shape(input)
    if (len(shape) == 2) != (offsets is None):
        raise ValueError(f"embedding_bag needs indices (B, N) or, with offsets, (N,), got shape {shape}")
    rows = _core.embedding(input, weight)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(*per_sample_weights.shape, 1)
    if offsets is None and padding_idx is None:
        return _pooled(rows, mode, 1)
    indices = np.asarray(input.detach() if isinstance(input, Tensor) else input).reshape(-1)
    if offsets is None:
        ends = np.arange(shape[0] + 1) * shape[1]
    else:
        starts = np.asarray(offsets.detach() if isinstance(offsets, Tensor) else offsets)
        ends = starts if include_last_offset else np.append(starts, indices.size)
    counted = indices != (-1 if padding_idx is None else padding_row(padding_idx, weight.shape[0]))
    rows = rows.reshape(-1, weight.shape[1])
    bags = [begin + np.flatnonzero(counted[begin:end]) for begin, end in pairwise(ends)]
    return _core.stack([_pooled(rows[bag], mode, 0) if bag.size else rows[:0].sum(0) for bag in bags])


def _pooled(rows: Tensor, mode: str, dim: int) -> Tensor:
    return rows.sum(dim) if mode == "sum" else rows.mean(dim) if mode == "mean" else rows.amax(dim)


def dropout(input: Operand, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, zeroes elements with probability p and scales the others by 1 / (1 - p); ValueError for p outside [0, 1]."""
    require_probability(p)
    if training and p > 0:
        return _core.dropout(input, p)
    return input if isinstance(input, Tensor) else Tensor(input)


def alpha_dropout(input: Operand, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """See `nn.AlphaDropout`."""
    require_probability(p)
    x = floating(input)
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0.0
    kept = _core.dropout(Tensor(np.ones(x.shape, x.dtype)), p) * (1 - p)
    scale = 1 / math.sqrt((1 - p) * (1 + p * _SELU_LIMIT**2))
    return (x * kept + (1.0 - kept) * _SELU_LIMIT) * scale - scale * p * _SELU_LIMIT


def one_hot(tensor: ArrayLike | Tensor, num_classes: int = -1) -> Any:
    """Labels (S) as an int64 tensor (S, num_classes) of zeros and ones."""
    indices = np.asarray(tensor)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"one_hot needs integer labels, got dtype {indices.dtype}")
    classes = int(indices.max()) + 1 if num_classes < 0 else num_classes
    if indices.size and (indices.min() < 0 or indices.max() >= classes):
        raise ValueError(
            f"one_hot: labels run from {indices.min()} to {indices.max()}, but there are {classes} classes"
        )
    return Tensor((indices[..., None] == np.arange(classes)).astype(np.int64))
