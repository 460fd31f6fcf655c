"""What to do between epochs and batches, with Keras's names."""

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .training import Trainer

Logs = dict[str, float]


class Callback:
    """Base: override what you need. `self.trainer` is the running trainer; its `stop_training = True` ends the fit."""

    trainer: "Trainer"

    @property
    def watches_batches(self) -> bool:
        """Whether the batch methods are overridden; every batch then runs from Python."""
        kind = type(self)
        return kind.on_batch_begin is not Callback.on_batch_begin or kind.on_batch_end is not Callback.on_batch_end

    def on_train_begin(self) -> None:
        """Before the first epoch."""

    def on_train_end(self) -> None:
        """After the last epoch."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Before an epoch, numbered from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After an epoch, with its figures."""

    def on_batch_begin(self, batch: int) -> None:
        """Before a batch; overriding it makes every batch run from Python."""

    def on_batch_end(self, batch: int, logs: Logs) -> None:
        """After a batch; overriding it makes every batch run from Python."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint of a fit keeps of this callback: numbers, text, lists, arrays and dictionaries of them."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave; called after `on_train_begin` when a fit is taken up again."""


class CallbackList:
    """Passes events on to each of several callbacks."""

    def __init__(self, callbacks: Iterable[Callback], trainer: "Trainer") -> None:
        if not isinstance(callbacks, Iterable):
            raise TypeError(f"callbacks must be a list of callbacks, got {type(callbacks).__name__}")
        self._callbacks = list(callbacks)
        for callback in self._callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"callbacks must be nnlite.callbacks.Callback objects, got {type(callback).__name__}")
            callback.trainer = trainer

    def __len__(self) -> int:
        return len(self._callbacks)

    def __iter__(self) -> Iterator[Callback]:
        return iter(self._callbacks)

    @property
    def watches_batches(self) -> bool:
        """Whether any callback wants to be woken for each batch."""
        return any(callback.watches_batches for callback in self._callbacks)

    def on_train_begin(self) -> None:
        for callback in self._callbacks:
            callback.on_train_begin()

    def on_train_end(self) -> None:
        for callback in self._callbacks:
            callback.on_train_end()

    def on_epoch_begin(self, epoch: int) -> None:
        for callback in self._callbacks:
            callback.on_epoch_begin(epoch)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for callback in self._callbacks:
            callback.on_epoch_end(epoch, logs)

    def on_batch_begin(self, batch: int) -> None:
        for callback in self._callbacks:
            callback.on_batch_begin(batch)

    def on_batch_end(self, batch: int, logs: Logs) -> None:
        for callback in self._callbacks:
            callback.on_batch_end(batch, logs)


class LambdaCallback(Callback):
    """A callback from functions: `LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs))`."""

    def __init__(
        self,
        on_epoch_begin: Callable[[int], Any] | None = None,
        on_epoch_end: Callable[[int, Logs], Any] | None = None,
        on_train_begin: Callable[[], Any] | None = None,
        on_train_end: Callable[[], Any] | None = None,
        on_batch_begin: Callable[[int], Any] | None = None,
        on_batch_end: Callable[[int, Logs], Any] | None = None,
    ) -> None:
        self._functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_batch_begin": on_batch_begin,
            "on_batch_end": on_batch_end,
        }

    @property
    def watches_batches(self) -> bool:
        return self._functions["on_batch_begin"] is not None or self._functions["on_batch_end"] is not None

    def _call(self, name: str, *args: Any) -> None:
        function = self._functions[name]
        if function is not None:
            function(*args)

    def on_epoch_begin(self, epoch: int) -> None:
        self._call("on_epoch_begin", epoch)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self._call("on_epoch_end", epoch, logs)

    def on_train_begin(self) -> None:
        self._call("on_train_begin")

    def on_train_end(self) -> None:
        self._call("on_train_end")

    def on_batch_begin(self, batch: int) -> None:
        self._call("on_batch_begin", batch)

    def on_batch_end(self, batch: int, logs: Logs) -> None:
        self._call("on_batch_end", batch, logs)


class _Monitor(Callback):
    """Follows one figure. `mode` is "min", "max" or "auto" (max for accuracy, f1 and the like)."""

    _RISING = ("accuracy", "precision", "recall", "f1", "r2", "top_")

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")
        rising = any(monitor.removeprefix("val_").startswith(name) for name in self._RISING)
        self.monitor = monitor
        self._sign = -1.0 if mode == "max" or (mode == "auto" and rising) else 1.0
        self._min_delta = abs(min_delta)
        self.best = self._sign * float("inf")

    def on_train_begin(self) -> None:
        # Other figures may come from a callback of the user's own, so they are missed only when an epoch is over.
        if self.monitor == "val_loss":
            self._require(self.trainer.figures)

    def _require(self, figures: Iterable[str]) -> None:
        if self.monitor not in figures:
            known = ", ".join(figures)
            raise ValueError(f"{type(self).__name__} watches {self.monitor!r}, but an epoch has only {known}")

    def improves(self, logs: Logs) -> bool:
        """Whether the figure is better than ever; remembers it if so."""
        self._require(logs)
        value = logs[self.monitor]
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

    With `restore_best_weights` the model gets the weights of its best epoch back. `best_epoch` and `stopped_epoch` tell
    when, `best` is the best figure.
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
        self.patience = patience
        self.restore_best_weights = restore_best_weights
        self.best_epoch = 0
        self.stopped_epoch: int | None = None
        self._waited = 0
        self._weights: dict[str, Any] | None = None

    def on_train_begin(self) -> None:
        super().on_train_begin()
        self.best = self._sign * float("inf")
        self._waited = 0
        self.stopped_epoch = None
        self._weights = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.improves(logs):
            self.best_epoch = epoch
            self._waited = 0
            if self.restore_best_weights:
                self._weights = self.trainer.model.state_dict()
            return
        self._waited += 1
        if self._waited >= self.patience:
            self.stopped_epoch = epoch
            self.trainer.stop_training = True

    def on_train_end(self) -> None:
        if self._weights is not None:
            self.trainer.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "stopped_epoch": self.stopped_epoch,
            "waited": self._waited,
            "weights": self._weights,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        weights, stopped = state_dict["weights"], state_dict["stopped_epoch"]
        if weights is not None:  # what does not fit the model shall show now, and not when the fit is over
            present = self.trainer.model.state_dict()
            self.trainer.model.load_state_dict(weights)
            self.trainer.model.load_state_dict(present)
        super().load_state_dict(state_dict)
        self.best_epoch, self._waited = int(state_dict["best_epoch"]), int(state_dict["waited"])
        self.stopped_epoch = None if stopped is None else int(stopped)
        self._weights = weights


class ModelCheckpoint(_Monitor):
    """Saves the model after each epoch, or with `save_best_only` when `monitor` improved.

    In the path, `{epoch}` becomes the epoch's number and `{val_loss:.3f}` a figure.
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

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.save_best_only and not self.improves(logs):
            return
        from .checkpoint import save

        save(self.path.format(epoch=epoch, **logs), self.trainer.model)


class LearningRateScheduler(Callback):
    """Steps a schedule of `optim` after each epoch, or sets lr = schedule(epoch, lr) before it."""

    def __init__(self, schedule: Any) -> None:
        self._schedule = schedule

    def on_epoch_begin(self, epoch: int) -> None:
        if callable(self._schedule):
            for group in self.trainer.optimizer.param_groups:
                group["lr"] = float(self._schedule(epoch, group["lr"]))

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if callable(self._schedule):
            return
        if hasattr(self._schedule, "num_bad_epochs"):
            self._schedule.step(logs.get("val_loss", logs["loss"]))
        else:
            self._schedule.step()

    def state_dict(self) -> dict[str, Any]:
        return {} if callable(self._schedule) else {"schedule": self._schedule.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if not callable(self._schedule):
            self._schedule.load_state_dict(state_dict["schedule"])


class CSVLogger(Callback):
    """Writes a row of figures for each epoch."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._fields: list[str] | None = None

    def on_train_begin(self) -> None:
        self._fields = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        row = {"epoch": epoch, **logs}
        new = self._fields is None
        self._fields = self._fields or list(row)
        with self.path.open("w" if new else "a", newline="") as file:
            writer = csv.DictWriter(file, self._fields, extrasaction="ignore")
            if new:
                writer.writeheader()
            writer.writerow(row)

    def state_dict(self) -> dict[str, Any]:
        return {"fields": self._fields, "bytes": self.path.stat().st_size if self._fields else 0}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Rows of epochs after the checkpoint are dropped: they come again."""
        fields, size = state_dict["fields"], int(state_dict["bytes"])
        if fields is not None:
            os.truncate(self.path, min(size, self.path.stat().st_size))
        self._fields = None if fields is None else list(map(str, fields))
