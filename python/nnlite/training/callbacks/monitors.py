"""Callbacks that follow one metric."""

import math
from pathlib import Path
from string import Formatter
from typing import Any

from ...files.atomic import require_writable
from ...nn.options import number
from .base import Callback, Logs
from .figures import direction, missing, require_at_start, require_mode


class _Monitor(Callback):
    """Follows one metric. `mode` is "min", "max" or "auto" (the metric's own direction)."""

    adds_figures = False

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        require_mode(mode)
        self.monitor = monitor
        self.mode = mode
        self._min_delta = abs(min_delta)
        self._sign = 0.0
        self.best = math.nan
        known = mode
        if mode == "auto":
            from ...metrics import greater_is_better

            rising = greater_is_better(monitor)
            known = "auto" if rising is None else "max" if rising else "min"
        if known != "auto":
            self._turn(known)

    def _turn(self, mode: str) -> None:
        sign = 1.0 if mode == "min" else -1.0
        if sign != self._sign:
            self._sign = sign
            self.best = sign * math.inf

    def on_train_begin(self) -> None:
        self._turn(direction(type(self).__name__, self.monitor, self.mode, self.trainer))
        require_at_start(f"{type(self).__name__} watches", [self.monitor], self.trainer)

    def improves(self, logs: Logs) -> bool:
        """Whether the metric is the best so far; remembers it if so."""
        if self.monitor not in logs:
            raise missing(f"{type(self).__name__} watches", self.monitor, logs)
        value = number(f"{type(self).__name__} watches {self.monitor!r}, which", logs[self.monitor])
        if not self._sign * value < self._sign * self.best - self._min_delta:
            return False
        self.best = value
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = float(state_dict["best"])


class EarlyStopping(_Monitor):
    """Ends the fit when `monitor` has not improved by more than `min_delta` for `patience` epochs (Prechelt 1998).

    `mode` says whether smaller ("min") or larger ("max") is better; "auto" knows it for the loss, named metrics and
    functions with an attribute `greater_is_better`, and raises ValueError at the start of the fit for others.
    `restore_best_weights` restores the best epoch's weights of the model and whatever else the fit trains. The attributes
    `best`, `best_epoch` and `stopped_epoch` tell the best value, its epoch and the last epoch.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 0,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best_weights: bool = False,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if not number("EarlyStopping: patience", patience) >= 0:
            raise ValueError(f"EarlyStopping: patience must not be negative, got {patience}")
        self.patience = patience
        self.restore_best_weights = restore_best_weights
        self.best_epoch = 0
        self.stopped_epoch: int | None = None
        self._waited = 0
        self._weights: dict[str, Any] | None = None

    def on_train_begin(self) -> None:
        super().on_train_begin()
        self.best = self._sign * math.inf
        self._waited = 0
        self.stopped_epoch = None
        self._weights = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.improves(logs):
            self.best_epoch = epoch
            self._waited = 0
            if self.restore_best_weights:
                self._weights = self.trainer.trained_state()
            return
        self._waited += 1
        if self._waited >= self.patience:
            self.stopped_epoch = epoch
            self.trainer.stop_training = True

    def on_train_end(self) -> None:
        if self._weights is not None:
            self.trainer.load_trained_state(self._weights)

    def state_dict(self) -> dict[str, Any]:
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "stopped_epoch": self.stopped_epoch,
            "waited": self._waited,
            "weights": None if self._weights is None else self._weights["model"],
            "others": None if self._weights is None else self._weights["others"],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        weights, stopped = state_dict["weights"], state_dict["stopped_epoch"]
        if weights is not None:  # fail now, not at the end of the fit, if they do not fit
            weights = {"model": weights, "others": state_dict.get("others")}
            present = self.trainer.trained_state()
            self.trainer.load_trained_state(weights)
            self.trainer.load_trained_state(present)
        super().load_state_dict(state_dict)
        self.best_epoch, self._waited = int(state_dict["best_epoch"]), int(state_dict["waited"])
        self.stopped_epoch = None if stopped is None else int(stopped)
        self._weights = weights


class ModelCheckpoint(_Monitor):
    """Saves the model after each epoch, or with `save_best_only` when `monitor` improved; `mode` as in EarlyStopping.

    In the path, `{epoch}` becomes the epoch's number and `{val_loss:.3f}` a metric. Raises ValueError for metrics that an
    epoch does not have, OSError for a folder that cannot be written to, both at the start of the fit.
    """

    def __init__(
        self, path: str | Path, monitor: str = "val_loss", mode: str = "auto", save_best_only: bool = False
    ) -> None:
        super().__init__(monitor, mode)
        self.path = str(path)
        self.save_best_only = save_best_only

    def on_train_begin(self) -> None:
        if self.save_best_only:
            super().on_train_begin()
        names = self._fields()
        require_at_start("ModelCheckpoint's path names", names, self.trainer)
        require_writable(self._named(0, dict.fromkeys(names, 0.0)))

    def _fields(self) -> list[str]:
        """The metrics that the path names."""
        try:
            fields = [field for _, field, _, _ in Formatter().parse(self.path) if field is not None]
        except ValueError as error:
            raise ValueError(f"ModelCheckpoint's path {self.path!r} is not a valid format: {error}") from None
        return [field for field in fields if field != "epoch"]

    def _named(self, epoch: int, figures: Logs) -> str:
        try:
            return self.path.format(epoch=epoch, **figures)
        except KeyError as error:
            raise missing("ModelCheckpoint's path names", str(error.args[0]), figures) from None
        except (ValueError, IndexError, AttributeError) as error:
            raise ValueError(f"ModelCheckpoint's path {self.path!r} is not a valid format: {error}") from None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.save_best_only and not self.improves(logs):
            return
        from ...files.model_file import save

        save(self.trainer.model, self._named(epoch, logs))
