"""Loss modules of margins, embeddings and distributions, with PyTorch's names, options and defaults: see `losses`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core import Tensor
from . import functional
from .losses import Loss, WeightedLoss

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike


class GaussianNLLLoss(Loss):
    """(log v + (x - t)^2 / v) / 2 with v = max(var, eps), of a normal distribution of mean x and variance var.

    `full` adds log(2 pi) / 2. Shapes: input and target (*), var (*) or with sizes of 1.
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Operand, target: Operand, var: Operand) -> Tensor:
        return functional.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class PoissonNLLLoss(Loss):
    """e^x - t x, of counts t with the mean e^x; without `log_input` x - t log(x + eps), of the mean x.

    `full` adds Stirling's approximation of log t! where t > 1. Shapes as MSELoss.
    """

    def __init__(self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Operand, target: Operand) -> Tensor:
        return functional.poisson_nll_loss(log_input, target, self.log_input, self.full, self.eps, self.reduction)


class _MarginLoss(Loss):
    """A loss with a margin."""

    def __init__(self, margin: float, reduction: str) -> None:
        super().__init__(reduction)
        self.margin = margin


class HingeEmbeddingLoss(_MarginLoss):
    """x where t = 1, max(0, margin - x) where t = -1. Shapes as MSELoss."""

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(margin, reduction)

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.hinge_embedding_loss(input, target, self.margin, self.reduction)


class MarginRankingLoss(_MarginLoss):
    """max(0, margin - t (x1 - x2)): t = 1 wants x1 above x2, t = -1 below. All of one shape."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(margin, reduction)

    def forward(self, input1: Operand, input2: Operand, target: Operand) -> Tensor:
        return functional.margin_ranking_loss(input1, input2, target, self.margin, self.reduction)


class CosineEmbeddingLoss(_MarginLoss):
    """1 - cos(x1, x2) where t = 1, max(0, cos(x1, x2) - margin) where t = -1. Shapes: inputs (N, E), target (N)."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(margin, reduction)

    def forward(self, input1: Operand, input2: Operand, target: Operand) -> Tensor:
        return functional.cosine_embedding_loss(input1, input2, target, self.margin, self.reduction)


class TripletMarginLoss(_MarginLoss):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with the p-norm d. Shapes: all (N, E).

    `swap` takes d(positive, negative) where that is smaller than d(anchor, negative).
    """

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(margin, reduction)
        if not margin > 0:
            raise ValueError(f"TripletMarginLoss needs margin > 0, got {margin}")
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Operand, positive: Operand, negative: Operand) -> Tensor:
        options = (self.margin, self.p, self.eps, self.swap, self.reduction)
        return functional.triplet_margin_loss(anchor, positive, negative, *options)


class SoftMarginLoss(Loss):
    """log(1 + e^(-t x)) for targets 1 and -1. Shapes as MSELoss."""

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.soft_margin_loss(input, target, self.reduction)


class MultiLabelMarginLoss(Loss):
    """sum max(0, 1 - x_j + x_i) / C over labels j and classes i that are not labels.

    Shapes: input and target (C) or (N, C); a target lists the row's labels before a first -1. A step with it cannot be captured.
    """

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.multilabel_margin_loss(input, target, self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """The mean over classes of -weight (t log s(x) + (1 - t) log s(-x)), s the sigmoid. Shapes: all (N, C), weight (C)."""

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.multilabel_soft_margin_loss(input, target, self.weight, self.reduction)


class MultiMarginLoss(WeightedLoss):
    """weight[t] sum_j max(0, margin - x_t + x_j)^p / C over the classes j other than t.

    Shapes: input (C) or (N, C), class indices () or (N), weight (C). p is 1 or 2.
    """

    takes_classes = True

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Operand | None = None, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss needs p 1 or 2, got {p}")
        self.p = p
        self.margin = margin

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.multi_margin_loss(input, target, self.p, self.margin, self.weight, self.reduction)
