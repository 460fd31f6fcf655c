"""The base of callbacks, and the list that passes events to them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from ...descriptions import described
from ...nn import Module
from ...optim import Optimizer
from ..history import History
from ..state import NamedMetric

Logs = dict[str, float]


class RunningTrainer(Protocol):
    """The Trainer, as far as callbacks use it."""

    model: Module
    criterion: Callable[..., Any]
    optimizer: Optimizer
    metrics: list[NamedMetric]
    seed: int
    epoch: int
    history: History
    figures: list[str]
    more_figures: bool
    stop_training: bool

    def evaluate(
        self, x: Any, y: Any = None, *, batch_size: int = 256, sample_weight: Any = None
    ) -> dict[str, float]: ...

    def predict(self, x: Any, *, batch_size: int = 256) -> Any: ...
    def trained_state(self) -> dict[str, Any]: ...
    def load_trained_state(self, state: Mapping[str, Any]) -> None: ...


class Callback:
    """Base: override what you need. `self.trainer` is the running trainer; its `stop_training = True` ends the fit."""

    trainer: RunningTrainer

    def __repr__(self) -> str:
        return described(self)

    @property
    def watches_batches(self) -> bool:
        """Whether the batch methods are overridden; every batch then runs from Python."""
        kind = type(self)
        return kind.on_batch_begin is not Callback.on_batch_begin or kind.on_batch_end is not Callback.on_batch_end

    @property
    def adds_figures(self) -> bool:
        """Whether `on_epoch_end` may add metrics to the logs, under names unknown at the start."""
        return type(self).on_epoch_end is not Callback.on_epoch_end

    def on_train_begin(self) -> None:
        """Before the first epoch."""

    def on_train_end(self) -> None:
        """After the last epoch."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Before an epoch, numbered from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After an epoch; numbers added to its `logs` reach the history and later callbacks."""

    def on_batch_begin(self, batch: int) -> None:
        """Before a batch; overriding it makes every batch run from Python."""

    def on_batch_end(self, batch: int, logs: Logs) -> None:
        """After a batch; overriding it makes every batch run from Python."""

    def state_dict(self) -> dict[str, Any]:
        """What a fit's checkpoint keeps of this callback: numbers, text, lists, arrays and dictionaries of them."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores what `state_dict` returned; called after `on_train_begin` when a fit is resumed."""


class CallbackList:
    """Passes events to several callbacks."""

    def __init__(self, callbacks: Iterable[Callback], trainer: RunningTrainer) -> None:
        if not isinstance(callbacks, Iterable):
            raise TypeError(f"callbacks must be a list of callbacks, got {type(callbacks).__name__}")
        self._callbacks = list(callbacks)
        for callback in self._callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"callbacks must be nnlite.callbacks.Callback objects, got {type(callback).__name__}")
            callback.trainer = trainer
        trainer.more_figures = any(callback.adds_figures for callback in self._callbacks)

    def __len__(self) -> int:
        return len(self._callbacks)

    def __iter__(self) -> Iterator[Callback]:
        return iter(self._callbacks)

    @property
    def watches_batches(self) -> bool:
        """Whether any callback watches batches."""
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

    def __repr__(self) -> str:
        given = {name: function for name, function in self._functions.items() if function is not None}
        return described(self, **given)

    @property
    def watches_batches(self) -> bool:
        return self._functions["on_batch_begin"] is not None or self._functions["on_batch_end"] is not None

    @property
    def adds_figures(self) -> bool:
        return self._functions["on_epoch_end"] is not None

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
