"""Learning-rate schedules, stepped once an epoch: PyTorch's names and recursions in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .optimizer import Optimizer


def _checked(own: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """The saved values of the entries in `own`, if there is one of the same kind for each."""
    for key, value in own.items():
        if key not in saved:
            raise ValueError(f"the schedule's state dict has no {key!r}")
        if _kind(saved[key]) != _kind(value):
            raise ValueError(f"the schedule's state dict has {key}={saved[key]!r}, where {value!r} could stand")
    return {key: saved[key] for key in own}


def _kind(value: Any) -> Any:
    if isinstance(value, list):
        return [_kind(item) for item in value]
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


class LRScheduler:
    """Sets the learning rate of each group from its initial one and the number of steps so far."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    def factor(self, group: int) -> float:
        """What the initial learning rate of a group is multiplied by at `last_epoch`."""
        raise NotImplementedError

    def learning_rate(self, group: int) -> float:
        """The learning rate of a group at `last_epoch`."""
        return self.base_lrs[group] * self.factor(group)

    def step(self) -> None:
        """Moves on by one epoch."""
        self.last_epoch += 1
        for i, group in enumerate(self.optimizer.param_groups):
            group["lr"] = self.learning_rate(i)

    def get_last_lr(self) -> list[float]:
        """The current learning rates."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The position, and whatever else is plain data."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer" and not callable(value)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a saved position; ValueError, and nothing changed, for what `state_dict` cannot have given."""
        self.__dict__.update(_checked(self.state_dict(), state_dict))


class LambdaLR(LRScheduler):
    """lr = initial * lr_lambda(epoch), one function for all groups or one each."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(optimizer.param_groups)
        self._functions = [lr_lambda] * count if callable(lr_lambda) else list(lr_lambda)
        if len(self._functions) != count:
            raise ValueError(f"LambdaLR got {len(self._functions)} functions for {count} parameter groups")
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        return self._functions[group](self.last_epoch)

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch, "base_lrs": self.base_lrs}


class StepLR(LRScheduler):
    """lr = initial * gamma^(epoch // step_size)."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        return float(self.gamma ** (self.last_epoch // self.step_size))


class MultiStepLR(LRScheduler):
    """lr = initial * gamma^(milestones passed)."""

    def __init__(
        self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        return float(self.gamma ** sum(milestone <= self.last_epoch for milestone in self.milestones))


class ExponentialLR(LRScheduler):
    """lr = initial * gamma^epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, group: int) -> float:
        return float(self.gamma**self.last_epoch)


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (initial - eta_min) (1 + cos(pi epoch / T_max)) / 2 (Loshchilov, Hutter 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def learning_rate(self, group: int) -> float:
        share = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return self.eta_min + (self.base_lrs[group] - self.eta_min) * share


class ReduceLROnPlateau:
    """Multiplies the learning rates by `factor` when a figure has not improved for more than `patience` epochs.

    `step(figure)`; an improvement is by more than `threshold` (relative, or absolute with threshold_mode="abs"); after a
    reduction `cooldown` epochs are not counted; no rate falls below `min_lr`.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1:
            raise ValueError(f"ReduceLROnPlateau needs a factor below 1, got {factor}")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f"mode must be 'min' or 'max' and threshold_mode 'rel' or 'abs', got {mode!r}, {threshold_mode!r}"
            )
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.eps = eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0

    def _improves(self, figure: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        margin = self.threshold * (abs(self.best) if self.threshold_mode == "rel" else 1)
        if math.isinf(self.best):
            return sign * figure < sign * self.best
        return sign * figure < sign * self.best - margin

    def step(self, metrics: float) -> None:
        """Takes the epoch's figure into account."""
        figure = float(metrics)
        if self._improves(figure):
            self.best = figure
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0

    def state_dict(self) -> dict[str, Any]:
        """The settings, the best figure and the counters."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a saved position; ValueError, and nothing changed, for what `state_dict` cannot have given."""
        self.__dict__.update(_checked(self.state_dict(), state_dict))

    def _reduce(self) -> None:
        for group in self.optimizer.param_groups:
            lower = max(group["lr"] * self.factor, self.min_lr)
            if group["lr"] - lower > self.eps:
                group["lr"] = lower

    def get_last_lr(self) -> list[float]:
        """The current learning rates."""
        return [group["lr"] for group in self.optimizer.param_groups]
