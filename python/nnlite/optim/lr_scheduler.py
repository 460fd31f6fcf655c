"""Learning-rate schedules, stepped once an epoch: PyTorch's names and rules.

A step changes the rate that a group has at that moment, so that several schedules on one optimizer multiply and a rate set
by hand stays. Only `step(epoch)`, which jumps to an epoch, computes from the initial rates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from .._core import Tensor
from ..descriptions import described
from ..nn.options import number
from .optimizer import Optimizer


def _checked(own: dict[str, Any], saved: dict[str, Any], later: tuple[str, ...]) -> dict[str, Any]:
    """The saved values of the entries in `own`, if there is one of the same kind for each."""
    for key, value in own.items():
        if key not in saved and key not in later:
            raise ValueError(f"the schedule's state dict has no {key!r}")
        if key in saved and _kind(saved[key]) != _kind(value):
            raise ValueError(f"the schedule's state dict has {key}={saved[key]!r}, where {value!r} could stand")
    return {key: saved[key] for key in own if key in saved}


def _kind(value: Any) -> Any:
    if isinstance(value, list | tuple):  # of numbers, one a group or milestone: groups may have been added meanwhile
        return list if all(_kind(item) is float for item in value) else None
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def _rates(optimizer: Optimizer, key: str = "lr") -> list[float]:
    return [number(key, group[key]) for group in optimizer.param_groups]


def _require_positive(name: str, value: Any) -> None:
    if not number(name, value) > 0:
        raise ValueError(f"{name} must be above 0, got {value}")


def _set_rate(group: dict[str, Any], rate: float) -> None:
    """A rate that the user gave as a tensor stays that tensor, with another value."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


class LRScheduler:
    """Moves the learning rate of each group from epoch to epoch; a subclass gives `get_lr`.

    A new schedule notes each group's rate as its "initial_lr", unless there is one. With `last_epoch` other than -1 it
    goes on after that epoch, from the rates that the groups have; KeyError where a group has no "initial_lr" then.
    """

    _LATER: ClassVar[tuple[str, ...]] = ("_step_count", "_last_lr")  # what the state dicts of earlier versions lack

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"a schedule needs an optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch != -1 and "initial_lr" not in group:
                raise KeyError(
                    f"param_groups[{i}] has no 'initial_lr', which a schedule with last_epoch={last_epoch} goes on from: "
                    "load the optimizer's state dict first, or set group['initial_lr'], or use last_epoch=-1"
                )
            group.setdefault("initial_lr", number("lr", group["lr"]))
        self.base_lrs: list[float] = _rates(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._step_count = 0
        self._last_lr: list[float] = []
        self.step()

    def __repr__(self) -> str:
        return described(self)

    def get_lr(self) -> list[float]:
        """The groups' rates at `last_epoch`, from those that they have now."""
        raise NotImplementedError

    def _closed_form(self) -> list[float]:
        """The groups' rates at `last_epoch`, from their initial ones."""
        return self.get_lr()

    def step(self, epoch: int | None = None) -> None:
        """Moves on by one epoch, or to `epoch`, where the rates follow from the initial ones."""
        before = self._step_count, self.last_epoch
        self._step_count += 1
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        try:
            rates = self._one_each(self.get_lr() if epoch is None else self._closed_form())
        except BaseException:
            self._step_count, self.last_epoch = before
            raise
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            _set_rate(group, rate)
        self._last_lr = _rates(self.optimizer)

    def _one_each(self, rates: list[float]) -> list[float]:
        groups = len(self.optimizer.param_groups)
        if len(rates) != groups:
            raise ValueError(
                f"{type(self).__name__} was made for {len(rates)} parameter groups and the optimizer has {groups}; make "
                "a new schedule after add_param_group"
            )
        return rates

    @property
    def _is_first(self) -> bool:
        return self._step_count == 1

    def get_last_lr(self) -> list[float]:
        """The learning rates that the last step gave."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """The position, and whatever else is plain data."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer" and not callable(value)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a saved position; ValueError, and nothing changed, for what `state_dict` cannot have given."""
        if not isinstance(state_dict, dict):
            raise TypeError(f"a schedule loads a dictionary, such as state_dict() gives, got {state_dict!r}")
        self.__dict__.update(_checked(self.state_dict(), state_dict, self._LATER))


class LambdaLR(LRScheduler):
    """lr = initial * lr_lambda(epoch), one function for all groups or one each."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        if not callable(lr_lambda) and not (isinstance(lr_lambda, list | tuple) and all(map(callable, lr_lambda))):
            raise TypeError(f"LambdaLR: lr_lambda must be a function of the epoch or a list of them, got {lr_lambda!r}")
        count = len(optimizer.param_groups)
        self._functions = [lr_lambda] * count if callable(lr_lambda) else list(lr_lambda)
        if len(self._functions) != count:
            raise ValueError(f"LambdaLR got {len(self._functions)} functions for {count} parameter groups")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        factors = [number("what lr_lambda gives", function(self.last_epoch)) for function in self._functions]
        return [base * factor for base, factor in zip(self.base_lrs, factors, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        return {key: value for key, value in super().state_dict().items() if key != "_functions"}


class StepLR(LRScheduler):
    """lr is multiplied by gamma every `step_size` epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        _require_positive("StepLR: step_size", step_size)
        number("StepLR: gamma", gamma)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        rates = _rates(self.optimizer)
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return rates
        return [rate * self.gamma for rate in rates]

    def _closed_form(self) -> list[float]:
        return [base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """lr is multiplied by gamma at each of the epochs `milestones`."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = sorted(milestones)
        for value in (gamma, *self.milestones):
            number("MultiStepLR: each of milestones and gamma", value)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        times = self.milestones.count(self.last_epoch)
        rates = _rates(self.optimizer)
        return [rate * self.gamma**times for rate in rates] if times else rates

    def _closed_form(self) -> list[float]:
        passed = sum(milestone <= self.last_epoch for milestone in self.milestones)
        return [base * self.gamma**passed for base in self.base_lrs]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a saved position, PyTorch's own included, which holds each milestone with its count."""
        if isinstance(state_dict, dict) and isinstance(state_dict.get("milestones"), Counter):
            state_dict = {**state_dict, "milestones": sorted(state_dict["milestones"].elements())}
        super().load_state_dict(state_dict)


class ExponentialLR(LRScheduler):
    """lr is multiplied by gamma in each epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        number("ExponentialLR: gamma", gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        rates = _rates(self.optimizer)
        return rates if self._is_first else [rate * self.gamma for rate in rates]

    def _closed_form(self) -> list[float]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (initial - eta_min) (1 + cos(pi epoch / T_max)) / 2 (Loshchilov, Hutter 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        _require_positive("CosineAnnealingLR: T_max", T_max)
        number("CosineAnnealingLR: eta_min", eta_min)
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        rates = _rates(self.optimizer)
        if self._is_first:
            return rates
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # the quotient below would be 0 / 0
            rise = 1 - math.cos(math.pi / self.T_max)
            return [rate + (base - self.eta_min) * rise / 2 for base, rate in zip(self.base_lrs, rates, strict=False)]
        share = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / (
            1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        )
        return [share * (rate - self.eta_min) + self.eta_min for rate in rates]

    def _closed_form(self) -> list[float]:
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the learning rates by `factor` when a figure has not improved for more than `patience` epochs.

    `step(figure)`; an improvement is below best * (1 - threshold) with mode "min", above best * (1 + threshold) with "max";
    with threshold_mode="abs", by more than `threshold`. After a reduction `cooldown` epochs are not counted. No rate falls
    below `min_lr`, one for all groups or a list of one each, and none changes by less than `eps`.
    """

    _LATER = ("_last_lr", "last_epoch", "min_lrs", "default_min_lr")

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if not number("ReduceLROnPlateau: factor", factor) < 1:
            raise ValueError(f"ReduceLROnPlateau needs a factor below 1, got {factor}")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f"mode must be 'min' or 'max' and threshold_mode 'rel' or 'abs', got {mode!r}, {threshold_mode!r}"
            )
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"a schedule needs an optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        groups = len(optimizer.param_groups)
        each = isinstance(min_lr, list | tuple)
        self.default_min_lr = None if each else number("min_lr", min_lr)
        self.min_lrs = [number("min_lr", least) for least in (min_lr if each else [min_lr] * groups)]  # type: ignore[union-attr]
        if len(self.min_lrs) != groups:
            raise ValueError(
                f"ReduceLROnPlateau got {len(self.min_lrs)} values of min_lr for {groups} parameter groups"
            )
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.eps = eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self._last_lr = _rates(optimizer)

    def _improves(self, figure: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        limit = self.best + sign * self.threshold
        if self.threshold_mode == "rel":
            limit = self.best * (1.0 + sign * self.threshold)
        return figure > limit if self.mode == "max" else figure < limit

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs are not counted at present."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Takes the epoch's figure into account."""
        figure = number("the figure of a ReduceLROnPlateau", metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._improves(figure):
            self.best = figure
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = _rates(self.optimizer)

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"the optimizer has {len(groups)} parameter groups and min_lr {len(self.min_lrs)} values; set the "
                    "schedule's `min_lrs` after add_param_group"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            rate = number("lr", group["lr"])
            lower = max(rate * self.factor, least)
            if rate - lower > self.eps:
                _set_rate(group, lower)
