"""Losses, with the formulas of their modules where none stands here. `reduction` is none, mean or sum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ... import _core
from ..._core import Tensor
from ..options import as_weight, broadcast_to_target, floating, number, require_same_shape
from .activations import logsigmoid
from .layers import pairwise_distance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike


def _elementwise(
    name: str, kernel: str, input: Operand, target: Operand, reduction: str, parameter: float = 0.0
) -> Tensor:
    require_same_shape(name, input, target)
    return _core.loss(kernel, input, target, reduction, parameter)


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    """The losses, their mean or their sum."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"reduction '{reduction}' is unknown; use 'none', 'mean' or 'sum'")
    return losses if reduction == "none" else _core.reduced_loss(losses, reduction)


def mse_loss(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """(x - t)^2; shapes must be equal."""
    return _elementwise("MSELoss", "mse", input, target, reduction)


def l1_loss(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """|x - t|; shapes must be equal."""
    return _elementwise("L1Loss", "l1", input, target, reduction)


def huber_loss(input: Operand, target: Operand, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """(x - t)^2 / 2 where |x - t| < delta, else delta (|x - t| - delta / 2)."""
    if not number("huber_loss: delta", delta) > 0:
        raise ValueError(f"huber_loss needs delta > 0, got {delta}")
    return _elementwise("HuberLoss", "huber", input, target, reduction, delta)


def smooth_l1_loss(input: Operand, target: Operand, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """(x - t)^2 / (2 beta) where |x - t| < beta, else |x - t| - beta / 2; beta = 0 is the L1 loss."""
    if not number("smooth_l1_loss: beta", beta) >= 0:
        raise ValueError(f"smooth_l1_loss needs beta >= 0, got {beta}")
    return _elementwise("SmoothL1Loss", "smooth_l1", input, target, reduction, beta)


def binary_cross_entropy(
    input: Operand, target: Operand, weight: Operand | None = None, reduction: str = "mean"
) -> Tensor:
    """-(t log x + (1 - t) log(1 - x)) of probabilities x in [0, 1], logarithms clamped at -100."""
    require_same_shape("BCELoss", input, target)
    if not _core.is_tracing():
        _require_probabilities(input)
    if weight is None:
        return _core.loss("bce", input, target, reduction)
    losses = _core.loss("bce", input, target, "none")
    return _reduced(losses * broadcast_to_target("BCELoss", "weight", weight, losses), reduction)


def _require_probabilities(input: Operand) -> None:
    values = input.detach().numpy() if isinstance(input, Tensor) else np.asarray(input)
    outside = ~((values >= 0) & (values <= 1)).reshape(-1)
    if outside.any():
        at = int(outside.argmax())
        raise ValueError(
            f"BCELoss needs probabilities between 0 and 1, but element {at} is {values.reshape(-1)[at]}; "
            "for logits use BCEWithLogitsLoss"
        )


def binary_cross_entropy_with_logits(
    input: Operand,
    target: Operand,
    weight: Operand | None = None,
    reduction: str = "mean",
    pos_weight: Operand | None = None,
) -> Tensor:
    """Binary cross-entropy of logits x, max(x, 0) - x t + log(1 + e^-|x|); positive terms times pos_weight."""
    require_same_shape("BCEWithLogitsLoss", input, target)
    if weight is None and pos_weight is None:
        return _core.loss("bce_with_logits", input, target, reduction)
    losses = (
        _core.loss("bce_with_logits", input, target, "none")
        if pos_weight is None
        else _weighted_positives(input, target, pos_weight)
    )
    if weight is not None:
        losses = losses * broadcast_to_target("BCEWithLogitsLoss", "weight", weight, losses)
    return _reduced(losses, reduction)


def _weighted_positives(input: Operand, target: Operand, pos_weight: Operand) -> Tensor:
    """pos_weight t softplus(-x) + (1 - t) softplus(x): no difference of large numbers for any logits."""
    logits = input if isinstance(input, Tensor) else _core.as_tensor(input)
    t = target if isinstance(target, Tensor) else Tensor(target, logits.dtype)
    no = _core.unary("softplus", logits, 1.0, math.inf)
    yes = _core.unary("softplus", -logits, 1.0, math.inf)
    return broadcast_to_target("BCEWithLogitsLoss", "pos_weight", pos_weight, yes) * t * yes + (1 - t) * no


def kl_div(input: Operand, target: Operand, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """t (log t - x) of log-probabilities x; 'batchmean' divides the sum by the first dimension."""
    return _elementwise("KLDivLoss", "kl_div_log_target" if log_target else "kl_div", input, target, reduction)


def cross_entropy(
    input: Operand,
    target: Operand,
    weight: Operand | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Softmax cross-entropy of logits (C), (N, C) or (N, C, d1, ...) with class indices or probabilities."""
    weight = None if weight is None else as_weight("CrossEntropyLoss", "weight", weight)
    return _core.cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)


def nll_loss(
    input: Operand, target: Operand, weight: Operand | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """-weight[t] x[t] of log-probabilities (C), (N, C) or (N, C, d1, ...) with class indices."""
    weight = None if weight is None else as_weight("NLLLoss", "weight", weight)
    return _core.nll_loss(input, target, weight, ignore_index, reduction)


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
            f"GaussianNLLLoss: var has shape {v.shape}, the input {x.shape}; sizes must be equal, or 1 in var"
        )
    known = v.detach()
    if not _core.is_tracing() and bool((known.numpy() < 0).any()):
        raise ValueError(f"GaussianNLLLoss needs a var >= 0, got {known.numpy().min()}")
    v = v + (known.clip(eps) - known)  # the bound passes the gradient
    losses = (v.log() + (x - floating(target)) ** 2.0 / v) * 0.5
    return _reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


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
    return _reduced(losses, reduction)


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
    return _reduced(alike * x + other * (margin - x).clip(0.0), reduction)


def margin_ranking_loss(
    input1: Operand, input2: Operand, target: Operand, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """See `nn.MarginRankingLoss`."""
    a, b, t = floating(input1), floating(input2), floating(target)
    require_same_shape("MarginRankingLoss", a, b)
    require_same_shape("MarginRankingLoss", a, t)
    return _reduced((margin - t * (a - b)).clip(0.0), reduction)


def soft_margin_loss(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """See `nn.SoftMarginLoss`."""
    x, t = floating(input), floating(target)
    require_same_shape("SoftMarginLoss", x, t)
    return _reduced(-logsigmoid(t * x), reduction)


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
    return _reduced(losses, reduction)


def multilabel_margin_loss(input: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """See `nn.MultiLabelMarginLoss`."""
    x = floating(input)
    require_same_shape("MultiLabelMarginLoss", x, target)
    classes = x.shape[-1]
    labels = np.asarray(target.detach() if isinstance(target, Tensor) else target).reshape(-1, classes).astype(np.int64)
    if labels.size and (labels.min() < -1 or labels.max() >= classes):
        raise ValueError(
            f"MultiLabelMarginLoss: labels run from {labels.min()} to {labels.max()}, but there are {classes} classes"
        )
    counts = np.zeros((len(labels), classes), x.dtype)
    for count, row in zip(counts, labels, strict=True):
        np.add.at(count, row[: int(np.argmax(np.append(row, -1) < 0))], 1)
    rows = x.reshape(-1, classes)
    excess = (rows.reshape(-1, 1, classes) - rows.reshape(-1, classes, 1) + 1.0).relu()
    losses = (excess * (counts[:, :, None] * (counts == 0)[:, None, :])).reshape(len(labels), -1).sum(1) / classes
    return _reduced(losses.reshape(x.shape[:-1]), reduction)


def multilabel_soft_margin_loss(
    input: Operand, target: Operand, weight: Operand | None = None, reduction: str = "mean"
) -> Tensor:
    """See `nn.MultiLabelSoftMarginLoss`."""
    x, t = floating(input), floating(target)
    require_same_shape("MultiLabelSoftMarginLoss", x, t)
    losses = -(t * logsigmoid(x) + (1.0 - t) * logsigmoid(-x))
    if weight is not None:
        losses = losses * as_weight("MultiLabelSoftMarginLoss", "weight", weight)
    return _reduced(losses.mean(-1), reduction)


def cosine_embedding_loss(
    input1: Operand, input2: Operand, target: Operand, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """See `nn.CosineEmbeddingLoss`."""
    a, b = floating(input1), floating(input2)
    require_same_shape("CosineEmbeddingLoss", a, b)
    square = ((a * a).sum(-1) + 1e-12) * ((b * b).sum(-1) + 1e-12)
    cosine = (a * b).sum(-1) / square.sqrt()
    alike, other = _signs("CosineEmbeddingLoss", target, cosine)
    return _reduced(alike * (1.0 - cosine) + other * (cosine - margin).clip(0.0), reduction)


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
    return _reduced((near - far + margin).clip(0.0), reduction)
