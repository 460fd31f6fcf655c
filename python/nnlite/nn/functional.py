"""The layers and losses as functions, with PyTorch's names and arguments. They take tensors and arrays and return a Tensor.

In formulas x is the input and t the target. `inplace` changes nothing: the result is always a new tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._core import Tensor
from .options import (
    as_weight,
    broadcast_to_target,
    implicit_dim,
    number,
    padding_row,
    require_probability,
    require_same_shape,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike


def linear(input: Operand, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (..., in) weight (out, in)^T + bias (out)."""
    return _core.linear(input, weight, bias)


def embedding(input: Operand, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Rows of weight (V, E) at indices `input` of any shape S: (S, E). Row `padding_idx` gets no gradient; -1 is the last row."""
    if padding_idx is None:
        return _core.embedding(input, weight)
    return _core.embedding(input, weight, padding_row(padding_idx, weight.shape[0]))


def relu(input: Operand, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    return _core.unary("relu", input)


def leaky_relu(input: Operand, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, else negative_slope * x."""
    return _core.unary("leaky_relu", input, negative_slope)


def elu(input: Operand, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else alpha * (e^x - 1)."""
    return _core.unary("elu", input, alpha)


def gelu(input: Operand, approximate: str = "none") -> Tensor:
    """x Phi(x), exact or by the tanh approximation."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu's approximate must be 'none' or 'tanh', got {approximate!r}")
    return _core.unary("gelu" if approximate == "none" else "gelu_tanh", input)


def silu(input: Operand, inplace: bool = False) -> Tensor:
    """x sigmoid(x)."""
    return _core.unary("silu", input)


def sigmoid(input: Operand) -> Tensor:
    """1 / (1 + e^-x)."""
    return _core.unary("sigmoid", input)


def tanh(input: Operand) -> Tensor:
    """The hyperbolic tangent."""
    return _core.unary("tanh", input)


def softplus(input: Operand, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta x)) / beta, x itself where beta x > threshold."""
    return _core.unary("softplus", input, beta, threshold)


def softmax(input: Operand, dim: int | None = None) -> Tensor:
    """Softmax along `dim`; None: 0 for 0, 1 or 3 dimensions, else 1, with a UserWarning, as in PyTorch."""
    return _core.softmax(input, implicit_dim("softmax", input) if dim is None else dim)


def log_softmax(input: Operand, dim: int | None = None) -> Tensor:
    """The logarithm of softmax along `dim`, chosen as by `softmax` if None."""
    return _core.log_softmax(input, implicit_dim("log_softmax", input) if dim is None else dim)


def dropout(input: Operand, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, zeroes elements with probability p and scales the others by 1 / (1 - p); ValueError for p outside [0, 1]."""
    require_probability(p)
    if training and p > 0:
        return _core.dropout(input, p)
    return input if isinstance(input, Tensor) else Tensor(input)


def layer_norm(
    input: Operand,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Layer normalisation over the last dimensions, which must be `normalized_shape`."""
    return _core.layer_norm(input, len(normalized_shape), weight, bias, eps)


# Losses. `reduction` is none, mean or sum.


def _elementwise(
    name: str, kernel: str, input: Operand, target: Operand, reduction: str, parameter: float = 0.0
) -> Tensor:
    require_same_shape(name, input, target)
    return _core.loss(kernel, input, target, reduction, parameter)


def _reduced(losses: Tensor, reduction: str) -> Tensor:
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
