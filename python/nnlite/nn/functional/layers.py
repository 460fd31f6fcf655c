"""Affine maps, lookups, dropout, normalisation and distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import _core
from ..._core import Tensor
from ...autograd.grad_mode import no_grad
from ..options import floating, padding_row, require_probability

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike


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


_SELU_LIMIT = -1.7580993408473766  # of selu at minus infinity


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


def layer_norm(
    input: Operand,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Layer normalisation over the last dimensions, which must be `normalized_shape`."""
    return _core.layer_norm(input, len(normalized_shape), weight, bias, eps)


def rms_norm(
    input: Operand, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """See `nn.RMSNorm`."""
    x = floating(input)
    shape = tuple(normalized_shape)
    if x.shape[-len(shape) :] != shape:
        raise ValueError(f"rms_norm over {shape} got an input of shape {x.shape}")
    rows = x.reshape(*x.shape[: -len(shape)], math.prod(shape))
    scale = ((rows * rows).mean(-1, True) + float(np.finfo(x.dtype).eps if eps is None else eps)).sqrt()
    y = (rows / scale).reshape(x.shape)
    return y if weight is None else y * weight


def batch_norm(
    input: Operand,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """See `nn.BatchNorm1d`."""
    return _core.batch_norm(input, running_mean, running_var, None, weight, bias, training, momentum, eps)


def group_norm(
    input: Operand, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """See `nn.GroupNorm`."""
    x = floating(input)
    if x.ndim < 2 or num_groups < 1 or x.shape[1] % num_groups:
        raise ValueError(
            f"group_norm needs an input (N, C, ...) with C divisible by {num_groups} groups, got shape {x.shape}"
        )
    y = _core.layer_norm(
        x.reshape(x.shape[0], num_groups, math.prod(x.shape[1:]) // num_groups), 1, None, None, eps
    ).reshape(x.shape)
    channels = (x.shape[1], *(1,) * (x.ndim - 2))
    y = y if weight is None else y * weight.reshape(channels)
    return y if bias is None else y + bias.reshape(channels)


def instance_norm(
    input: Operand,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """See `nn.InstanceNorm1d`; without `use_input_stats` it normalises by the running statistics."""
    x = floating(input)
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    size = x.numel() // max(x.shape[0] * x.shape[1], 1)
    if size < 2:
        raise ValueError(f"instance_norm needs more than one value per channel, got shape {x.shape}")
    if running_mean is not None and running_var is not None:
        with no_grad():
            rows = x.detach().reshape(x.shape[0], x.shape[1], size)
            mean = rows.mean(2, True)
            var = ((rows - mean) ** 2.0).sum(2) / (size - 1.0)
            running_mean.copy_(running_mean * (1 - momentum) + mean.squeeze(2).mean(0) * momentum)
            running_var.copy_(running_var * (1 - momentum) + var.mean(0) * momentum)
    return group_norm(x, x.shape[1], weight, bias, eps)


def _norm(x: Tensor, p: float, dim: int, keepdim: bool) -> Tensor:
    """(sum |x|^p)^(1 / p), the largest |x| for p = inf."""
    if p == 2:
        return (x * x).sum(dim, keepdim).sqrt()
    size = x.abs()
    if p == 1:
        return size.sum(dim, keepdim)
    if math.isinf(p):
        return size.amax(dim, keepdim) if p > 0 else size.amin(dim, keepdim)
    return (size**p).sum(dim, keepdim) ** (1 / p)


def cosine_similarity(x1: Operand, x2: Operand, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """See `nn.CosineSimilarity`; x1 and x2 broadcast."""
    a, b = floating(x1), floating(x2)
    norms = [(x * x).sum(dim).clip(eps * eps).sqrt() for x in (a, b)]
    return (a * b).sum(dim) / (norms[0] * norms[1])


def pairwise_distance(x1: Operand, x2: Operand, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """See `nn.PairwiseDistance`; x1 and x2 broadcast."""
    return _norm(floating(x1) - floating(x2) + eps, p, -1, keepdim)


def normalize(input: Operand, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(norm, eps), the p-norm along `dim`."""
    x = floating(input)
    if p == 2:
        return x / (x * x).sum(dim, True).clip(eps * eps).sqrt()
    return x / _norm(x, p, dim, True).clip(eps)


def pad(input: Operand, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """`value` (0) before and after: `pad` is (before, after) of the last dimension, then of the one before it, and so on."""
    if mode != "constant":
        raise NotImplementedError(f"pad(): nnlite pads by constants, not by mode={mode!r}")
    x = _core.as_tensor(input)
    if len(pad) % 2 or len(pad) > 2 * x.ndim or min(pad, default=0) < 0:
        raise RuntimeError(f"pad(): pad must hold pairs of sizes for at most {x.ndim} dimensions, got {tuple(pad)}")
    for pair in range(len(pad) // 2):
        dim = x.ndim - 1 - pair
        ends = [
            Tensor(np.full((*x.shape[:dim], n, *x.shape[dim + 1 :]), value or 0), x.dtype) for n in pad[2 * pair :][:2]
        ]
        x = _core.concatenate([ends[0], x, ends[1]], dim)
    return x
