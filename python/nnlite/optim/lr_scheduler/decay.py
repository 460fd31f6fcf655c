"""Schedules given by a formula of the epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ...nn.options import number
from ..optimizer import Optimizer
from .base import LRScheduler, rates_of, require_numbers, require_positive, require_state_dict


class StepLR(LRScheduler):
    """lr is multiplied by gamma every `step_size` epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        require_positive(self, step_size=step_size)
        require_numbers(self, gamma=gamma)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        rates = rates_of(self.optimizer)
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return rates
        return [rate * self.gamma for rate in rates]

    def _get_closed_form_lr(self) -> list[float]:
        return [base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """lr is multiplied by gamma at each of the epochs `milestones`, twice at a repeated one."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = Counter(milestones)
        for value in (gamma, *self.milestones):
            number("MultiStepLR: each of milestones and gamma", value)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        times, rates = self.milestones[self.last_epoch], rates_of(self.optimizer)
        return [rate * self.gamma**times for rate in rates] if times else rates

    def _get_closed_form_lr(self) -> list[float]:
        passed = sum(milestone <= self.last_epoch for milestone in self.milestones.elements())
        return [base * self.gamma**passed for base in self.base_lrs]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As in every schedule; milestones may be a list, or a dictionary with text keys, as in JSON."""
        require_state_dict(state_dict)
        milestones = state_dict.get("milestones")
        if isinstance(milestones, list):
            milestones = Counter(milestones)
        elif isinstance(milestones, dict):
            milestones = Counter({float(k) if isinstance(k, str) else k: count for k, count in milestones.items()})
        super().load_state_dict({**state_dict, "milestones": milestones})


class ConstantLR(LRScheduler):
    """lr = initial * factor until epoch `total_iters`, then initial; factor lies in [0, 1]."""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        require_numbers(self, factor=factor, total_iters=total_iters)
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: factor must lie between 0 and 1, got {factor}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        rates = rates_of(self.optimizer)
        if self.last_epoch == 0:
            return [rate * self.factor for rate in rates]
        if self.last_epoch != self.total_iters:
            return rates
        return [rate * (1.0 / self.factor) for rate in rates] if self.factor else list(self.base_lrs)

    def _get_closed_form_lr(self) -> list[float]:
        factor = self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)
        return [base * factor for base in self.base_lrs]


class LinearLR(LRScheduler):
    """lr = initial * factor, which goes from start_factor to end_factor in `total_iters` epochs; for warm-up.

    start_factor lies in (0, 1], end_factor in [0, 1]; ValueError otherwise.

    >>> from nnlite import nn, optim
    >>> warm_up = optim.lr_scheduler.LinearLR(optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1), 0.01, total_iters=500)
    >>> warm_up.interval = "batch"  # fit(scheduler=warm_up) steps it after each batch
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        require_numbers(self, start_factor=start_factor, end_factor=end_factor, total_iters=total_iters)
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(
                "LinearLR: start_factor must be above 0 and at most 1, end_factor between 0 and 1, got "
                f"{start_factor} and {end_factor}"
            )
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        rates = rates_of(self.optimizer)
        if self.last_epoch == 0:
            return [rate * self.start_factor for rate in rates]
        if self._is_initial or self.last_epoch > self.total_iters:
            return rates
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return [rate * (1.0 + rise / before) for rate in rates]

    def _get_closed_form_lr(self) -> list[float]:
        done, rise = min(self.total_iters, self.last_epoch), self.end_factor - self.start_factor
        return [base * (self.start_factor + rise * done / self.total_iters) for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """lr is multiplied by gamma in each epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        require_numbers(self, gamma=gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        rates = rates_of(self.optimizer)
        return rates if self._is_initial else [rate * self.gamma for rate in rates]

    def _get_closed_form_lr(self) -> list[float]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]


class PolynomialLR(LRScheduler):
    """lr = initial (1 - epoch / total_iters)^power, and 0 from epoch `total_iters` on."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        require_numbers(self, total_iters=total_iters, power=power)
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        rates = rates_of(self.optimizer)
        if self._is_initial or self.last_epoch > self.total_iters:
            return rates
        left, before = 1.0 - self.last_epoch / self.total_iters, 1.0 - (self.last_epoch - 1) / self.total_iters
        return [rate * (left / before) ** self.power for rate in rates]

    def _get_closed_form_lr(self) -> list[float]:
        left = 1.0 - min(self.total_iters, self.last_epoch) / self.total_iters
        return [base * left**self.power for base in self.base_lrs]
