"""The loss of a batch and of a whole data set.

Over any set of rows the loss is the sum of the rows' weighted losses over the sum of their weights, or just the sum for
`reduction="sum"`. If the criterion returns one of nnlite's losses unchanged, single losses and weights are added in the
order of docs/arithmetic.md, whatever the batches. A custom loss is known as one number per batch; the data set's loss is
their mean, weighted by the batches' rows, or their sum if the criterion has `reduction == "sum"`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .._core import Tensor
from .arrays import Array


class SingleLosses(NamedTuple):
    """The losses of a batch before their reduction."""

    losses: Tensor
    weights: Tensor | None  # None: all 1; fewer than losses: each for that many consecutive losses
    reduction: str

    def tensors(self) -> list[Tensor]:
        """Losses and, where there are any, weights."""
        return [self.losses] if self.weights is None else [self.losses, self.weights]

    def reduced(self) -> Tensor:
        """The loss of the batch."""
        return _core.reduced_loss(self.losses, self.reduction, self.weights)


def batch_loss(criterion: Any, output: Tensor, target: Tensor) -> Tensor:
    """What the criterion returns for a batch: TypeError or ValueError unless it is a single number."""
    loss = criterion(output, target)
    if not isinstance(loss, Tensor):
        raise TypeError(f"the criterion must return a Tensor, got {type(loss).__name__}")
    if loss.numel() != 1:
        raise ValueError(
            f"the loss must be a single number to train on, but has shape {loss.shape}; use reduction='mean' or 'sum'"
        )
    if getattr(criterion, "reduction", None) == "sum" and not _core.loss_share(loss, len(output))[1]:
        return _core.reduced_loss(loss, "sum")  # a custom sum
    return loss


def single_losses(loss: Tensor, rows: int, weight: Tensor | None) -> SingleLosses | None:
    """The single losses of a batch's loss, each row's times its weight; None for a custom loss."""
    found = _core.single_losses(loss, rows, weight)
    if found is not None:
        return SingleLosses(*found)
    if weight is not None:
        raise TypeError(
            "sample_weight and class_weight multiply each row's loss, so the criterion must return one of nnlite's losses "
            "unchanged, reduced by 'mean' or 'sum' over the rows"
        )
    return None


def step_loss(criterion: Any, output: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    """The loss of one batch to train on."""
    loss = batch_loss(criterion, output, target)
    if weight is None:
        return loss
    single = single_losses(loss, len(output), weight)
    assert single is not None
    return single.reduced()


class RecordedLoss(NamedTuple):
    """What a recorded step computes of the loss."""

    tensor: Tensor | None = None  # to train on, or custom
    single: SingleLosses | None = None  # in evaluation, of one of nnlite's losses
    is_sum: bool = False

    def kept(self) -> list[Tensor]:
        """What evaluation keeps of each row."""
        return [] if self.single is None else self.single.tensors()


def recorded_loss(
    criterion: Any, output: Tensor, target: Tensor, weight: Tensor | None, training: bool
) -> RecordedLoss:
    """The loss of a batch, or in evaluation its single losses."""
    if training:
        loss = step_loss(criterion, output, target, weight)
        return RecordedLoss(loss, None, _core.loss_share(loss, len(output))[1])
    loss = batch_loss(criterion, output, target)
    single = single_losses(loss, len(output), weight)
    return RecordedLoss(loss if single is None else None, single, _core.loss_share(loss, len(output))[1])


class BatchLoss(NamedTuple):
    """The loss of a batch, and how much it counts among those of other batches."""

    value: float
    weight: float
    is_sum: bool

    @property
    def is_empty(self) -> bool:
        """A batch without weight is like one without rows."""
        return self.weight == 0 and (not self.is_sum or self.value == 0)


@dataclass
class LossTotal:
    """The loss of the batches so far, as the native epochs keep it."""

    total: float = 0.0
    weight: float = 0.0
    is_sum: bool = False

    def add(self, batch: BatchLoss) -> None:
        """One more batch."""
        self.is_sum = batch.is_sum
        if not batch.is_empty:
            self.weight += batch.weight
            self.total += batch.value if batch.is_sum else batch.value * batch.weight

    def value(self) -> float:
        """NaN for no weight at all."""
        if self.is_sum:
            return self.total
        return self.total / self.weight if self.weight != 0 else math.nan


def data_set_loss(arrays: Sequence[Array], reduction: str, flat: bool) -> float:
    """The loss from the single losses of all rows (N, ...) and perhaps their weights (N, ...).

    `flat` losses are one per row, as for classes, rather than the columns of rows: a leaf of the tree is 128 of them.
    """
    losses, *weights = arrays
    return _core.data_set_loss(losses, reduction, weights[0] if weights else None, flat)


def own_loss(losses: Sequence[float], weights: Sequence[float], is_sum: bool) -> float:
    """The loss from those of batches, and how much each counts."""
    total = LossTotal()
    for loss, weight in zip(losses, weights, strict=True):
        total.add(BatchLoss(loss, weight, is_sum))
    return total.value()


def rows_like(tensor: Tensor, batch: int, rows: int) -> Array:
    """An array for all rows of what `tensor` holds for a batch."""
    return np.empty((rows, tensor.numel() // batch), tensor.dtype)
