"""Schedules made of schedules: in sequence, or all at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler, rates_of, require_state_dict, set_rate
from .plateau import ReduceLROnPlateau


class _Composed(LRScheduler):
    """Schedules of one optimizer. `fit` steps them after each batch if one of them asks for it."""

    _UNSAVED = (*LRScheduler._UNSAVED, "_schedulers")
    _schedulers: Sequence[LRScheduler]

    def _compose(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> None:
        """Adopts the parts; TypeError or ValueError for those that cannot be."""
        name = type(self).__name__
        if not isinstance(schedulers, Sequence) or not schedulers:
            raise ValueError(f"{name} needs a list of at least one schedule, got {schedulers!r}")
        for i, part in enumerate(schedulers):
            if not hasattr(part, "optimizer"):
                raise TypeError(f"{name}: schedule {i} must be a schedule of an optimizer, got {type(part).__name__}")
            if isinstance(part, ReduceLROnPlateau):
                raise ValueError(
                    f"{name}: schedule {i} is a ReduceLROnPlateau, whose step needs a metric; step it yourself"
                )
            optimizer = optimizer or part.optimizer
            if part.optimizer is not optimizer:
                raise ValueError(f"{name}: schedule {i}, a {type(part).__name__}, belongs to another optimizer")
        self.optimizer = schedulers[0].optimizer
        self._schedulers = schedulers
        if any(part.interval == "batch" for part in schedulers):
            self._interval = "batch"

    def state_dict(self) -> dict[str, Any]:
        """As in every schedule, with a list of the parts'."""
        return {**super().state_dict(), "_schedulers": [part.state_dict() for part in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As in every schedule."""
        require_state_dict(state_dict)
        states = state_dict.get("_schedulers")
        if not isinstance(states, list) or len(states) != len(self._schedulers):
            raise ValueError(
                f"the schedule's state dict needs a list of {len(self._schedulers)} states as '_schedulers'"
            )
        before = self.state_dict()
        try:
            for part, state in zip(self._schedulers, states, strict=True):
                part.load_state_dict(state)
            super().load_state_dict(state_dict)
        except (TypeError, ValueError):
            for part, state in zip(self._schedulers, before["_schedulers"], strict=True):
                part.load_state_dict(state)
            raise


class SequentialLR(_Composed):
    """Schedules in sequence: at each of the epochs (or batches) `milestones` the next one begins.

    >>> from nnlite import nn, optim
    >>> from nnlite.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
    >>> parts = [LinearLR(optimizer, 0.1, total_iters=5), CosineAnnealingLR(optimizer, T_max=95)]
    >>> schedule = SequentialLR(optimizer, parts, milestones=[5])  # fit(..., epochs=100, scheduler=schedule)
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        self._compose(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR needs one milestone between two schedules, got {len(milestones)} for {len(schedulers)}"
            )
        for part in schedulers[1:]:
            if isinstance(part, _Composed):
                raise ValueError(f"SequentialLR: a {type(part).__name__} can only be the first schedule")
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        self._undo(self)
        first = schedulers[self._index(0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def _index(self, epoch: int) -> int:
        """The schedule that an epoch belongs to."""
        return sum(milestone <= epoch for milestone in self._milestones)

    def _undo(self, schedule: LRScheduler) -> None:
        """Undoes the parts' initial steps."""
        if isinstance(schedule, _Composed):
            for part in schedule._schedulers:
                self._undo(part)
        else:
            schedule.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        """Advances one epoch (or batch)."""
        with self._unchanged_on_error():
            self.last_epoch += 1
            at = self._index(self.last_epoch)
            part = self._schedulers[at]
            if at > 0 and self._milestones[at - 1] == self.last_epoch:
                part._update_lr(0)
            else:
                part.step()
            self._last_lr = part.get_last_lr()


class ChainedScheduler(_Composed):
    """All schedules at once: their factors multiply."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self._compose(schedulers, optimizer)
        self._last_lr = rates_of(self.optimizer)

    def require_steps(self, count: int) -> None:
        """Raises ValueError if `count` more steps are too many."""
        for part in self._schedulers:
            part.require_steps(count)

    def step(self) -> None:  # type: ignore[override]
        """Advances all by one epoch (or batch)."""
        for part in self._schedulers:
            part.step()
        self._last_lr = rates_of(self.optimizer)
