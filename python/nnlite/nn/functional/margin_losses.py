"""Losses of margins, embeddings and distributions, with the formulas of their modules. `reduction` is none, mean or sum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ... import _core
from ..._core import Tensor
from ..options import as_weight, floating, require_same_shape
from .activations import logsigmoid
from .distances import pairwise_distance
from .losses import reduced

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike

__all__ = [
    "cosine_embedding_loss", "gaussian_nll_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "poisson_nll_loss", "soft_margin_loss", "triplet_margin_loss",
]  # fmt: skip


def gaussian_nll_loss(
    input: Operand,
    target: Operand,
    var: Operand | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """See `nn.GaussianNLLLoss`."""
    x = floating(input)
    require_same_shape("GaussianNLLLoss", x, target)
    v = floating(var)
    if v.shape == x.shape[:-1] and v.ndim:
        v = v.reshape(*v.shape, 1)
    if v.ndim and (v.ndim != x.ndim or any(size not in (1, own) for size, own in zip(v.shape, x.shape, strict=True))):
        raise ValueError(
            f"GaussianNLLLoss: var has shape {v.shape}, the input {x.shape}; sizes must be equal, or var's 1"
        )
    known = v.detach()
    if not _core.is_tracing() and bool((known.numpy() < 0).any()):
        raise ValueError(f"GaussianNLLLoss needs a var >= 0, got {known.numpy().min()}")
    v = v + (known.clip(eps) - known)  # the bound passes the gradient
    losses = (v.log() + (x - floating(target)) ** 2.0 / v) * 0.5
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


def poisson_nll_loss(
    input: Operand,
    target: Operand,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """See `nn.PoissonNLLLoss`."""
    x, t = floating(input), floating(target)
    require_same_shape("PoissonNLLLoss", x, t)
    losses = x.exp() - t * x if log_input else x - t * (x + eps).log()
    if full:
        above = _core.unary("threshold", t.detach(), 1.0, 1.0)
        stirling = above * above.log() - above + (above * (2 * math.pi)).log() * 0.5
        losses = losses + stirling * _is_above(t.detach(), 1.0)
    return reduced(losses, reduction)


def _is_above(x: Tensor, bound: float) -> Tensor:
    """1 where x > bound >= 0, else 0: e^0 or e^-inf, since a captured step cannot record comparisons."""
    return _core.unary("threshold", x, bound, -math.inf).clip(None, 0.0).exp()


def _signs(name: str, target: Operand, like: Tensor) -> tuple[Tensor, Tensor]:
    """(1 where the target is 1, 1 where it is -1)."""
    t = floating(target).detach()
    if t.shape != like.shape:
        raise ValueError(f"{name}: the target has shape {t.shape}; it must be {like.shape}")
    return (1.0 + t) * 0.5, (1.0 - t) * 0.5


def hinge_embedding_loss(input: Operand, target: Operand, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """See `nn.HingeEmbeddingLoss`."""
    x = floating(input)
    alike, other = _signs("HingeEmbeddingLoss", target, x)
    return reduced(alike * x + other * (margin - x).clip(0.0), reduction)


def margin_ranking_loss(
    input1: Operand, input2: Operand, target: Operand, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """See `nn.MarginRankingLoss`."""
    a, b, t = floating(input1), floating(input2), floating(target)
    require_same_shape("MarginRankingLoss", a, b)
    require_same_shape("MarginRankingLoss", a, t)
    return reduced((margin - t * (a - b)).clip(0.0), reduction)


def soft_margin_loss(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """See `nn.SoftMarginLoss`."""
    x, t = floating(input), floating(target)
    require_same_shape("SoftMarginLoss", x, t)
    return reduced(-logsigmoid(t * x), reduction)


def multi_margin_loss(
    input: Operand,
    target: Operand,
    p: int = 1,
    margin: float = 1.0,
    weight: Operand | None = None,
    reduction: str = "mean",
) -> Tensor:
    """See `nn.MultiMarginLoss`."""
    if p not in (1, 2):
        raise ValueError(f"MultiMarginLoss needs p 1 or 2, got {p}")
    x = floating(input)
    if x.ndim not in (1, 2):
        raise ValueError(f"MultiMarginLoss needs an input (C) or (N, C), got shape {x.shape}")
    minus_own = _core.nll_loss(x, target, None, -100, "none")
    excess = _core.unary("relu", x + minus_own.reshape(*minus_own.shape, 1) + margin)
    excess = excess if p == 1 else excess * excess
    losses = (excess.sum(-1) + _core.nll_loss(excess, target, None, -100, "none")) / x.shape[-1]
    if weight is not None:
        minus_one = Tensor(np.full(x.shape, -1, x.dtype))
        losses = losses * _core.nll_loss(
            minus_one, target, as_weight("MultiMarginLoss", "weight", weight), -100, "none"
        )
    return reduced(losses, reduction)


def multilabel_margin_loss(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """See `nn.MultiLabelMarginLoss`."""
    x = floating(input)
    require_same_shape("MultiLabelMarginLoss", x, target)
    classes = x.shape[-1]
    labels = np.asarray(target.detach() if isinstance(target, Tensor) else target).reshape(-1, classes).astype(np.int64)
    if labels.size and (labels.min() < -1 or labels.max() >= classes):
        raise ValueError(
            f"MultiLabelMarginLoss: labels run from {labels.min()} to {labels.max()}, there are {classes} classes"
        )
    counts = np.zeros((len(labels), classes), x.dtype)
    for count, row in zip(counts, labels, strict=True):
        np.add.at(count, row[: int(np.argmax(np.append(row, -1) < 0))], 1)
    rows = x.reshape(-1, classes)
    excess = (rows.reshape(-1, 1, classes) - rows.reshape(-1, classes, 1) + 1.0).relu()
    losses = (excess * (counts[:, :, None] * (counts == 0)[:, None, :])).reshape(len(labels), -1).sum(1) / classes
    return reduced(losses.reshape(x.shape[:-1]), reduction)


def multilabel_soft_margin_loss(
    input: Operand, target: Operand, weight: Operand | None = None, reduction: str = "mean"
) -> Tensor:
    """See `nn.MultiLabelSoftMarginLoss`."""
    x, t = floating(input), floating(target)
    require_same_shape("MultiLabelSoftMarginLoss", x, t)
    losses = -(t * logsigmoid(x) + (1.0 - t) * logsigmoid(-x))
    if weight is not None:
        losses = losses * as_weight("MultiLabelSoftMarginLoss", "weight", weight)
    return reduced(losses.mean(-1), reduction)


def cosine_embedding_loss(
    input1: Operand, input2: Operand, target: Operand, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """See `nn.CosineEmbeddingLoss`."""
    a, b = floating(input1), floating(input2)
    require_same_shape("CosineEmbeddingLoss", a, b)
    square = ((a * a).sum(-1) + 1e-12) * ((b * b).sum(-1) + 1e-12)
    cosine = (a * b).sum(-1) / square.sqrt()
    alike, other = _signs("CosineEmbeddingLoss", target, cosine)
    return reduced(alike * (1.0 - cosine) + other * (cosine - margin).clip(0.0), reduction)


def triplet_margin_loss(
    anchor: Operand,
    positive: Operand,
    negative: Operand,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """See `nn.TripletMarginLoss`."""
    if not margin > 0:
        raise ValueError(f"TripletMarginLoss needs margin > 0, got {margin}")
    require_same_shape("TripletMarginLoss", floating(anchor), floating(positive))
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = _core.minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduced((near - far + margin).clip(0.0), reduction)
