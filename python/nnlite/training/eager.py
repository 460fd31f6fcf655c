"""The update of a step that runs operation by operation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .._core import Tensor
from .capture import eager_batch
from .divergence import Memento
from .plan import Plan
from .state import TrainingState


def eager_update(
    state: TrainingState,
    plan: Plan,
    loss: Tensor,
    chosen: NDArray[np.int64],
    before: Memento,
    diverged: Callable[[], Exception],
) -> None:
    """The optimizer's step from the loss of the rows `chosen`.

    If the norm of the gradients is not finite, restores `before`, the state before the loss was computed, and raises
    what `diverged` returns.
    """
    optimizer = state.optimizer

    def backward(loss: Tensor) -> None:
        loss.backward()
        if not plan.clipping.apply(optimizer):
            before.restore()
            raise diverged()

    if not optimizer.requires_closure:
        backward(loss)
        optimizer.step()
        return
    first = [loss]

    def closure() -> Tensor:
        value = first.pop() if first else eager_batch(state.model, state.criterion, plan.rows, chosen)[1]
        optimizer.zero_grad()
        backward(value)
        return value

    optimizer.step(closure)
