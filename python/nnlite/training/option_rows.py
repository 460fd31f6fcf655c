"""The optimizer's options for each step of a native call, where schedules move them from batch to batch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._core import Tensor
from ..optim import LRScheduler, Optimizer
from ..optim.lr_scheduler.base import rates_of, set_rate

Rows = Sequence[ArrayLike]  # (steps, options) for each group


class OptionRows:
    """Steps schedules ahead of a native call, and back to where the call ended: to its start if it raised.

    `rates` are the groups' learning rates of the last step, if there was one and schedules change them.
    """

    def __init__(self, optimizer: Optimizer, schedules: Sequence[LRScheduler]) -> None:
        self._optimizer = optimizer
        self._schedules = schedules
        self._options = [_options_of(group) for group in optimizer.param_groups] if schedules else []
        self._states = [copy.deepcopy(schedule.state_dict()) for schedule in schedules]
        self.rates: list[float] = []

    def __enter__(self) -> OptionRows:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.back_to(0)

    def ahead(self, steps: int) -> Rows:
        """The options of each of the steps if schedules change them, else those of all."""
        if not self._schedules:
            return [[options] for options in self._optimizer.native_options()]
        rows = [np.array([options] * steps) for options in self._step()]
        for step in range(1, steps):
            for group, options in zip(rows, self._step(), strict=True):
                group[step] = options
        return rows

    def back_to(self, steps: int) -> None:
        """Moves the schedules back to after the first `steps` of those steps."""
        if not self._schedules:
            return
        for group, options in zip(self._optimizer.param_groups, self._options, strict=True):
            group.update({key: value for key, value in options.items() if key != "lr"})
            set_rate(group, options["lr"])
        for schedule, state in zip(self._schedules, self._states, strict=True):
            schedule.load_state_dict(copy.deepcopy(state))
        self.rates = []
        for _ in range(steps):
            self._step()

    def _step(self) -> list[list[float]]:
        row = self._optimizer.native_options()
        self.rates = rates_of(self._optimizer)
        for schedule in self._schedules:
            schedule.step()
        return row


def _options_of(group: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.item() if isinstance(value, Tensor) else value for key, value in group.items() if key != "params"
    }
