"""Schedules that cycle lr, and momentum inversely, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..optimizer import Optimizer
from .base import (
    LRScheduler,
    one_per_group,
    require_numbers,
    require_optimizer,
    require_positive,
    require_state_dict,
    set_rate,
)
from .functions import state_of_function


class _CyclicMomentum(LRScheduler):
    """Sets momentum, or the first of an optimizer's betas, beside lr."""

    _interval = "batch"
    cycle_momentum: bool
    use_beta1: bool

    def _begin_momentum(self, base_momentum: Any, max_momentum: Any, is_new: bool) -> tuple[list[float], list[float]]:
        """The options, one per group; a new schedule stores them in the groups."""
        defaults, groups = self.optimizer.defaults, self.optimizer.param_groups
        if "momentum" not in defaults and "betas" not in defaults:
            raise ValueError(
                f"{type(self.optimizer).__name__} has no momentum and no betas to cycle; pass cycle_momentum=False"
            )
        self.use_beta1 = "betas" in defaults
        lows = one_per_group(self, self.optimizer, "base_momentum", base_momentum)
        highs = one_per_group(self, self.optimizer, "max_momentum", max_momentum)
        if is_new:
            for group, low, high in zip(groups, lows, highs, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low
        return lows, highs

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum

    def _momenta(self) -> list[float]:
        """The groups' momenta at `last_epoch`."""
        raise NotImplementedError

    def _set_rates(self, rates: Any) -> None:
        momenta = self._momenta() if self.cycle_momentum else []
        super()._set_rates(rates)
        for group, momentum in zip(self.optimizer.param_groups, momenta, strict=False):
            self._set_momentum(group, momentum)


class CyclicLR(_CyclicMomentum):
    """lr goes from base_lr to max_lr and back, in a triangle of step_size_up and step_size_down batches (Smith, WACV 2017).

    `mode` "triangular" keeps the height, "triangular2" halves it after each cycle, "exp_range" multiplies it by gamma**batch;
    a function `scale_fn` of the cycle's number (from 1), or of the batch's with scale_mode="iterations", replaces them.
    Momentum (or the first beta) goes from max_momentum to base_momentum meanwhile, unless cycle_momentum=False.
    `fit` steps it after each batch.
    """

    _UNSAVED = (*LRScheduler._UNSAVED, "_scale_fn_custom")

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = require_optimizer(optimizer)
        down = step_size_up if step_size_down is None else step_size_down
        require_positive(self, step_size_up=step_size_up, step_size_down=down)
        require_numbers(self, gamma=gamma)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(f"CyclicLR: mode must be 'triangular', 'triangular2' or 'exp_range', got {mode!r}")
        base_lrs = one_per_group(self, optimizer, "base_lr", base_lr)
        self.max_lrs = one_per_group(self, optimizer, "max_lr", max_lr)
        self.total_size = float(step_size_up) + float(down)
        self.step_ratio = float(step_size_up) / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            momenta = self._begin_momentum(base_momentum, max_momentum, last_epoch == -1)
            self.base_momentums, self.max_momentums = momenta
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs, strict=True):
                set_rate(group, rate)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of the cycle or batch with the number `x`, as a share of max_lr - base_lr."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return float(self.gamma**x)
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else 1.0

    def _heights(self, lows: list[float], highs: list[float]) -> list[float]:
        """Each value's distance from its resting end."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        share = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        return [(high - low) * share * scale for low, high in zip(lows, highs, strict=True)]

    def get_lr(self) -> list[float]:
        heights = self._heights(self.base_lrs, self.max_lrs)
        return [base + height for base, height in zip(self.base_lrs, heights, strict=True)]

    def _momenta(self) -> list[float]:
        heights = self._heights(self.base_momentums, self.max_momentums)
        return [high - height for high, height in zip(self.max_momentums, heights, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """As in every schedule, plus the attributes of a callable object `scale_fn`; functions are not saved."""
        function = self._scale_fn_custom
        return {**super().state_dict(), "_scale_fn_custom": None if function is None else state_of_function(function)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As in every schedule."""
        require_state_dict(state_dict)
        function = state_dict.get("_scale_fn_custom")
        if function is not None and not (isinstance(function, dict) and hasattr(self._scale_fn_custom, "__dict__")):
            raise ValueError(
                f"the schedule's state dict has _scale_fn_custom={function!r}, which is not scale_fn's state"
            )
        super().load_state_dict(state_dict)
        if function is not None:
            vars(self._scale_fn_custom).update(function)


class OneCycleLR(_CyclicMomentum):
    """lr rises from max_lr / div_factor to max_lr in the share pct_start of all batches, then falls to its start / final_div_factor.

    Both follow a cosine, or a line with anneal_strategy="linear"; with three_phase lr falls to its start first, symmetrically,
    then to its end (Smith, Topin 2019). Momentum (or the first beta) goes from max_momentum to base_momentum and
    back, unless cycle_momentum=False. There are `total_steps`, or epochs * steps_per_epoch, batches; ValueError beyond.
    `fit` steps it after each batch.

    >>> from nnlite import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1, momentum=0.9)
    >>> schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, epochs=10, steps_per_epoch=32)
    >>> round(schedule.get_last_lr()[0], 6)
    0.02
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = require_optimizer(optimizer)
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        require_positive(self, div_factor=div_factor, final_div_factor=final_div_factor)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start must be a float between 0 and 1, got {pct_start!r}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        max_lrs = one_per_group(self, optimizer, "max_lr", max_lr)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, last_epoch == -1)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        super().__init__(optimizer, last_epoch)

    def require_steps(self, count: int) -> None:
        """Raises ValueError if `count` more steps are too many."""
        if self.last_epoch + count > self.total_steps:
            raise ValueError(
                f"OneCycleLR with total_steps={self.total_steps} is at step {self.last_epoch} and cannot take {count} more: set "
                "total_steps to the number of batches in all epochs"
            )

    def _anneal(self, what: str) -> list[float]:
        """Each group's lr or momentum, between the ends of the phase."""
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"OneCycleLR with total_steps={self.total_steps} cannot take step {self.last_epoch}: raise total_steps"
            )
        self._require_groups(len(self.base_lrs))
        begin = 0.0
        for phase in self._schedule_phases:
            if self.last_epoch <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            begin = phase["end_step"]
        length = phase["end_step"] - begin
        share = (self.last_epoch - begin) / length if length else 1.0
        ends = [(group[phase[f"start_{what}"]], group[phase[f"end_{what}"]]) for group in self.optimizer.param_groups]
        if self._anneal_func_type == "linear":
            return [(end - start) * share + start for start, end in ends]
        height = math.cos(math.pi * share) + 1
        return [end + (start - end) / 2.0 * height for start, end in ends]

    def get_lr(self) -> list[float]:
        return self._anneal("lr")

    def _momenta(self) -> list[float]:
        return self._anneal("momentum")


def _total_steps(total: Any, epochs: Any, each: Any) -> int:
    if total is None and (epochs is None or each is None):
        raise ValueError("OneCycleLR needs total_steps, or epochs and steps_per_epoch")
    given = {"epochs": epochs, "steps_per_epoch": each} if total is None else {"total_steps": total}
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"OneCycleLR: {name} must be an integer above 0, got {value!r}")
    return math.prod(given.values())


def _phases(steps: int, share: float, three: bool) -> list[dict[str, Any]]:
    """Each phase's last step, and the group entries that it runs between."""

    def phase(end: float, lr: tuple[str, str], momentum: tuple[str, str]) -> dict[str, Any]:
        names = {"start_lr": lr[0], "end_lr": lr[1], "start_momentum": momentum[0], "end_momentum": momentum[1]}
        return {"end_step": end, **names}

    up, down = ("max_momentum", "base_momentum"), ("base_momentum", "max_momentum")
    first = phase(float(share * steps) - 1, ("initial_lr", "max_lr"), up)
    if not three:
        return [first, phase(steps - 1, ("max_lr", "min_lr"), down)]
    second = phase(float(2 * share * steps) - 2, ("max_lr", "initial_lr"), down)
    return [first, second, phase(steps - 1, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum"))]
