"""Loss modules, with PyTorch's names, options and defaults.

`reduction` is "mean" (default), "sum" or "none". Elementwise losses raise ValueError where input and target differ
in shape: PyTorch silently broadcasts (N, 1) against (N,) to N x N, the one deviation. A mean over weights that sum to 0 (all
labels ignored, or in classes of weight 0) is NaN with gradient 0, as in PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from .._core import Tensor
from . import functional
from .module import Module
from .options import as_weight, number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss", "NLLLoss", "SmoothL1Loss",
]  # fmt: skip


class Loss(Module):
    """A loss with a reduction."""

    takes_classes: ClassVar[bool] = False  # whether integer targets are class indices

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in self._reductions():
            raise ValueError(f"{type(self).__name__}: reduction {reduction!r} is unknown; use {self._reductions()}")
        self.reduction = reduction

    def _reductions(self) -> tuple[str, ...]:
        return ("none", "mean", "sum")


class WeightedLoss(Loss):
    """A loss with a weight, kept as a buffer."""

    weight: Tensor | None

    def __init__(self, weight: Operand | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self._register_weight("weight", weight)

    def _register_weight(self, option: str, value: Operand | None) -> None:
        name = type(self).__name__
        self.register_buffer(option, None if value is None else as_weight(name, option, value))


class MSELoss(Loss):
    """(x - t)^2. Shapes: input and target of equal shape (*); output scalar, or (*) without reduction.

    >>> from nnlite import nn
    >>> nn.MSELoss()([1.0, 2.0], [0.0, 4.0]).item()
    2.5
    """

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.mse_loss(input, target, self.reduction)


class L1Loss(Loss):
    """|x - t|. Shapes as MSELoss."""

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.l1_loss(input, target, self.reduction)


class HuberLoss(Loss):
    """(x - t)^2 / 2 where |x - t| < delta, else delta (|x - t| - delta / 2). Shapes as MSELoss (Huber 1964)."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.huber_loss(input, target, self.reduction, self.delta)


class SmoothL1Loss(Loss):
    """(x - t)^2 / (2 beta) where |x - t| < beta, else |x - t| - beta / 2. Shapes as MSELoss."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.smooth_l1_loss(input, target, self.reduction, self.beta)


class BCELoss(WeightedLoss):
    """Binary cross-entropy of probabilities in [0, 1], -(t log x + (1 - t) log(1 - x)), times `weight`.

    `weight`, a number, list or array, must broadcast to the target's shape. Shapes as MSELoss. Logarithms are clamped at -100.
    For logits, BCEWithLogitsLoss is more accurate.
    """

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """Binary cross-entropy of logits, max(x, 0) - x t + log(1 + e^-|x|), which neither overflows nor loses digits.

    `weight` multiplies each element, `pos_weight` the terms of positive targets; both must broadcast to the
    target's shape. Shapes as MSELoss.
    """

    pos_weight: Tensor | None

    def __init__(
        self, weight: Operand | None = None, reduction: str = "mean", pos_weight: Operand | None = None
    ) -> None:
        super().__init__(weight, reduction)
        self._register_weight("pos_weight", pos_weight)

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class CrossEntropyLoss(WeightedLoss):
    """Softmax cross-entropy of logits.

    Shapes: input (C), (N, C) or (N, C, d1, ...); target class indices, int64 of the shape without C, or class probabilities,
    floats of the input's shape. `weight` (C) rescales classes; rows of class `ignore_index` do not count; with `label_smoothing` s
    the target is (1 - s) target + s / C. With reduction "mean" the sum is divided by the weights of the rows that count.

    >>> from nnlite import nn
    >>> round(nn.CrossEntropyLoss()([[0.0, 0.0]], [1]).item(), 4)
    0.6931
    """

    takes_classes = True

    def __init__(
        self,
        weight: Operand | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction)
        if not 0 <= number("label_smoothing", label_smoothing) <= 1:
            raise ValueError(f"label_smoothing must be between 0 and 1, got {label_smoothing}")
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class NLLLoss(WeightedLoss):
    """-weight[t] x[t] of log-probabilities (LogSoftmax). Shapes and options as CrossEntropyLoss with class indices."""

    takes_classes = True

    def __init__(self, weight: Operand | None = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class KLDivLoss(Loss):
    """t (log t - x) of log-probabilities x; with `log_target`, e^t (t - x). Shapes as MSELoss.

    "batchmean" divides the sum by the number of rows, which is the divergence's definition; "mean" by all elements.
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def _reductions(self) -> tuple[str, ...]:
        return ("none", "mean", "sum", "batchmean")

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.kl_div(input, target, self.reduction, self.log_target)


class Row(NamedTuple):
    """A loss of raw outputs, its kind of targets, and the power of the target's unit in its value."""

    loss: type[Module]
    targets: Literal["classes", "two classes", "quantities"]
    power: int = 0


# Losses that can be chosen by name; those of probabilities or log-probabilities would need another last layer.
LOSSES = {
    "cross_entropy": Row(CrossEntropyLoss, "classes"),
    "bce": Row(BCEWithLogitsLoss, "two classes"),
    "mse": Row(MSELoss, "quantities", 2),
    "l1": Row(L1Loss, "quantities", 1),
    "huber": Row(HuberLoss, "quantities", 2),
    "smooth_l1": Row(SmoothL1Loss, "quantities", 1),
}
