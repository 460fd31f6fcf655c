"""The schedule that follows a metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...nn.options import number
from ..optimizer import Optimizer
from .base import LRScheduler, one_per_group, rates_of, require_numbers, require_optimizer, set_rate


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the learning rates by `factor` when a metric has not improved for more than `patience` epochs.

    `step(metric)`: an improvement is below best * (1 - threshold) with mode "min", above best * (1 + threshold) with "max";
    with threshold_mode="abs", by more than `threshold`. After a reduction `cooldown` epochs are not counted. No rate falls
    below `min_lr`, one for all groups or a list with one per group, and none changes by less than `eps`.
    `fit` steps it with the metric that its attribute `monitor` names, by default "val_loss" with validation data, else "loss".
    """

    _LATER = ("_last_lr", "last_epoch", "min_lrs", "default_min_lr")
    _INTERVALS = ("epoch",)  # a batch has no metrics
    monitor: str | None = None

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
        require_numbers(self, patience=patience, threshold=threshold, cooldown=cooldown, eps=eps)
        self.optimizer = require_optimizer(optimizer)
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else number("min_lr", min_lr)
        self.min_lrs = one_per_group(self, optimizer, "min_lr", min_lr)
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
        self._last_lr = rates_of(optimizer)

    def _improves(self, figure: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        limit = self.best + sign * self.threshold
        if self.threshold_mode == "rel":
            limit = self.best * (1.0 + sign * self.threshold)
        return figure > limit if self.mode == "max" else figure < limit

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs are not counted now."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Compares the epoch's metric with the best so far."""
        figure = number("the metric of a ReduceLROnPlateau", metrics)
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
        self._last_lr = rates_of(self.optimizer)

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
                set_rate(group, lower)
