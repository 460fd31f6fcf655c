"""The request and the result of native epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .arrays import Array


class EpochRequest(NamedTuple):
    """Epochs of captured steps, from batch `first_batch` of `first_epoch` on."""

    programs: dict[int, _core.Program]  # by their number of rows
    arrays: Sequence[Array]  # all rows of each of the programs' inputs
    batch_size: int
    options: Sequence[ArrayLike]  # of each group: one row, or one for each step, as ParameterGroup.options gives it
    epochs: int = 1
    seed: int = 0
    first_epoch: int = 0
    first_batch: int = 0
    total: tuple[float, float] = (0.0, 0.0)  # loss and weight of the batches before `first_batch`
    orders: NDArray[np.int64] | None = (
        None  # (epochs, N), the last one for all later epochs; None: shuffled by the seed
    )
    outputs: Array | None = None  # takes those of the last epoch
    poll: Callable[[int, int], bool | None] | None = None  # called now and then; True stops
    drop_last: bool = False  # skip a last batch that is not full
    # Called with each epoch's loss; `outputs` are then that epoch's. Returns the options of the next one; None stops.
    epoch_done: Callable[[float], Sequence[ArrayLike] | None] | None = None


class EpochResult(NamedTuple):
    """How far the epochs got."""

    losses: NDArray[np.float64]  # of the complete epochs
    diverged: bool  # loss or gradients of the next batch were not finite
    batch: int  # the next one in the epoch after those,
    total: tuple[float, float]  # and that epoch's loss and weight so far
    error: BaseException | None  # what stopped the call


def train_epochs(request: EpochRequest) -> EpochResult:
    """Trains without Python; the result holds an exception on the way."""
    return EpochResult(*_core.train_epochs(*request))
