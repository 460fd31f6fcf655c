"""Losses of elements and of classes. `reduction` is none, mean or sum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ... import _core
from ..._core import Tensor
from ..options import as_weight, broadcast_to_target, number, require_same_shape

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "kl_div", "l1_loss", "mse_loss",
    "nll_loss", "smooth_l1_loss",
]  # fmt: skip


def _elementwise(
    name: str, kernel: str, input: Operand, target: Operand, reduction: str, parameter: float = 0.0
) -> Tensor:
    require_same_shape(name, input, target)
    return _core.loss(kernel, input, target, reduction, parameter)


def reduced(losses: Tensor, reduction: str) -> Tensor:
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
    return reduced(losses * broadcast_to_target("BCELoss", "weight", weight, losses), reduction)


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
    return reduced(losses, reduction)


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
