"""The training loop."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..callbacks import Callback, CallbackList
from ..grad_mode import enable_grad, no_grad
from ..history import History
from ..metrics import resolve
from ..nn import BCELoss, Module
from ..optim import SGD, Optimizer
from .capture import Capture
from .divergence import divergence, eager_batch
from .guard import fitting, predicting
from .inputs import Array, Rows, check_labels, prepare, prepare_inputs, require_weightable, unpack
from .progress import Progress

Metric = str | Callable[[Array, Array], float]


@dataclass(frozen=True)
class _Plan:
    """The settings of one `fit`."""

    rows: Rows
    validation: Rows | None
    epochs: int
    batch_size: int
    shuffle: bool
    compile: bool

    @property
    def batches(self) -> int:
        return math.ceil(len(self.rows) / self.batch_size)


class Trainer:
    """Trains a model on arrays: shuffled mini-batches, whole epochs run natively.

    An epoch is one pass over the rows, a batch the rows of one update (a step); the last batch of an epoch may be shorter and
    then weighs less in the epoch's loss. `metrics` are names (accuracy, misclassified, top_5, precision, recall, f1, mse, mae,
    r2) or functions of (outputs, targets). `seed` alone decides the shuffling and dropout: epoch e shuffles by (seed, e), and
    calling `fit` again goes on with the next epoch, so `fit(epochs=1)` twice is `fit(epochs=2)`.

    >>> import nnlite as nl
    >>> from nnlite import nn, optim
    >>> x, y = nl.data.make_moons(200, noise=0.1, seed=0)
    >>> model = nn.MLP([2, 16, 2])
    >>> trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.5), metrics=["accuracy"])
    >>> history = trainer.fit(x, y, epochs=50, progress=False)
    >>> history["accuracy"][-1] > 0.8
    True
    """

    def __init__(
        self,
        model: Module,
        criterion: Callable[..., Any],
        optimizer: Optimizer,
        metrics: Iterable[Metric] = (),
        seed: int = 0,
    ) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"model must be an nn.Module, got {type(model).__name__}")
        if not isinstance(optimizer, SGD):
            raise TypeError(f"optimizer must be one of nnlite.optim, got {type(optimizer).__name__}")
        if isinstance(metrics, str):
            raise TypeError(f"metrics must be a list of metrics: use metrics=[{metrics!r}]")
        self.model = model
        self.criterion = criterion
        self.optimizer = optimizer
        threshold = 0.5 if isinstance(criterion, BCELoss) else 0.0
        self.metrics = [resolve(metric, threshold) for metric in metrics]
        self.seed = seed
        self.history = History()
        self.stop_training = False
        self.epoch = 0
        self._generator = _core.Generator(seed)
        self._capture = Capture(model, criterion, optimizer)

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        epochs: int = 1,
        batch_size: int = 32,
        shuffle: bool = True,
        validation_data: Any = None,
        validation_split: float = 0.0,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        callbacks: Iterable[Callback] = (),
        progress: bool | None = None,
        compile: bool = True,
    ) -> History:
        """Trains for `epochs` passes over x (N, ...) and y (N, ...), and returns the history of this call.

        x may be an array (of any numeric type, memory-mapped too), a Tensor, a tuple of arrays for a model of several inputs,
        or a dataset of (x, y). `validation_data` is (x, y), evaluated after each epoch; `validation_split` takes the last
        share of the rows instead. `sample_weight` (N,) and `class_weight` {class: weight} multiply single losses before the
        mean over the batch, as in Keras. `progress` None shows a bar on a terminal. `compile=False` runs every operation from
        Python, for models that read values in `forward`; the bits are the same.

        Raises ValueError or TypeError for bad input before anything changes, DivergenceError when the loss is not finite,
        CaptureError for a model that must run with compile=False. Ctrl-C leaves the weights at a batch boundary.
        """
        rows = prepare(self.model, self.criterion, x, y, sample_weight, class_weight)
        rows, validation = self._split(rows, validation_data, validation_split)
        plan = _Plan(rows, validation, _positive("epochs", epochs, 0), _positive("batch_size", batch_size), shuffle, compile)
        if rows.weight is not None:
            require_weightable(self.criterion)
        listeners = CallbackList(callbacks, self)
        with fitting(self.model), _generator(self._generator), _mode(self.model, True):
            return self._run(plan, listeners, progress)

    def _run(self, plan: _Plan, listeners: CallbackList, wanted: bool | None) -> History:
        self.history = History()
        self.stop_training = False
        last = self.epoch + plan.epochs
        eager = not plan.compile or listeners.watches_batches
        run = self._run_eagerly if eager else self._run_natively
        if not eager:
            _, shape, _ = self._capture.programs(plan.rows, plan.batch_size, True, True)
            self._check_target(plan.rows, shape)
        bar = Progress(wanted, plan.epochs, plan.batches, self.epoch)
        # With nothing to do between epochs all of them are one native call.
        at_once = not (eager or self.metrics or plan.validation is not None or listeners or bar.shown)
        listeners.on_train_begin()
        try:
            while self.epoch < last and not self.stop_training:
                first = self.epoch
                listeners.on_epoch_begin(first)
                for logs in run(plan, last - first if at_once else 1, bar, listeners):
                    if plan.validation is not None:
                        figures = self._evaluate(plan.validation, plan.batch_size)
                        logs.update({f"val_{key}": value for key, value in figures.items()})
                    self.history.append(self.epoch, logs)
                    bar.epoch_done(self.epoch, logs)
                    self.epoch += 1
                listeners.on_epoch_end(self.epoch - 1, logs)
        finally:
            bar.close()
        listeners.on_train_end()
        return self.history

    def _order(self, plan: _Plan, epoch: int) -> NDArray[np.int64]:
        return _core.permutation(len(plan.rows), self.seed, epoch) if plan.shuffle else np.arange(len(plan.rows))

    def _run_natively(self, plan: _Plan, epochs: int, bar: Progress, _: CallbackList) -> list[dict[str, float]]:
        programs, shape, dtype = self._capture.programs(plan.rows, plan.batch_size, True, True)
        outputs = np.empty((len(plan.rows), *shape), dtype) if self.metrics else None
        losses, status, batch = _core.train_epochs(
            programs,
            plan.rows.arrays(),
            plan.batch_size,
            None if plan.shuffle else np.arange(len(plan.rows))[None],
            self.seed,
            self.epoch,
            epochs,
            self._native_options(),
            outputs,
            bar.at if bar.shown else None,
        )
        if status == 1:
            for i, loss in enumerate(losses):
                self.history.append(self.epoch + i, {"loss": float(loss)})
            self.epoch += len(losses)
            raise self._divergence(plan, self.epoch, batch)
        logs = [{"loss": float(loss)} for loss in losses]
        if outputs is not None:
            logs[-1].update(self._figures(outputs, plan.rows))
        return logs

    def _native_options(self) -> list[tuple[float, float, float, float, bool, bool]]:
        assert isinstance(self.optimizer, SGD)
        return self.optimizer.native_options()

    def _run_eagerly(self, plan: _Plan, _: int, bar: Progress, listeners: CallbackList) -> list[dict[str, float]]:
        order = self._order(plan, self.epoch)
        total = 0.0
        outputs: list[Array] = []
        for batch in range(plan.batches):
            chosen = order[batch * plan.batch_size : (batch + 1) * plan.batch_size]
            listeners.on_batch_begin(batch)
            self.optimizer.zero_grad()
            with enable_grad():
                output, loss = eager_batch(self.model, self.criterion, plan.rows, chosen)
            value = loss.item()
            if not math.isfinite(value):
                raise self._divergence(plan, self.epoch, batch)
            if self.metrics:
                outputs.append(output.detach().numpy())
            loss.backward()
            self.optimizer.step()
            total += value * len(chosen)
            bar.at(self.epoch, batch + 1)
            listeners.on_batch_end(batch, {"loss": value})
        logs = {"loss": total / len(plan.rows)}
        if self.metrics:
            joined = np.concatenate(outputs)
            in_order = np.empty_like(joined)
            in_order[order] = joined
            logs.update(self._figures(in_order, plan.rows))
        return [logs]

    def _divergence(self, plan: _Plan, epoch: int, batch: int) -> Exception:
        order = self._order(plan, epoch)[batch * plan.batch_size : (batch + 1) * plan.batch_size]
        return divergence(self.model, self.criterion, self.optimizer, plan.rows, order, epoch, batch)

    def evaluate(
        self, x: Any, y: Any = None, *, batch_size: int = 256, sample_weight: Any = None
    ) -> dict[str, float]:
        """The mean loss and the metrics over x and y, in evaluation mode, without changing anything."""
        rows = prepare(self.model, self.criterion, x, y, sample_weight)
        with predicting(self.model):
            return self._evaluate(rows, _positive("batch_size", batch_size))

    def predict(self, x: Any, *, batch_size: int = 256) -> Array:
        """The model's outputs for x (N, ...), in evaluation mode: an array (N, ...).

        A row's result does not depend on `batch_size` or on the other rows.
        """
        rows = prepare_inputs(self.model, x)
        with predicting(self.model):
            return self._outputs(rows, _positive("batch_size", batch_size), False)[0]

    def _evaluate(self, rows: Rows, batch_size: int) -> dict[str, float]:
        outputs, loss = self._outputs(rows, batch_size, True)
        return {"loss": loss, **self._figures(outputs, rows)}

    def _outputs(self, rows: Rows, batch_size: int, with_loss: bool) -> tuple[Array, float]:
        with _mode(self.model, False):
            try:
                programs, shape, dtype = self._capture.programs(rows, batch_size, False, with_loss)
            except _core.CaptureError:
                return self._outputs_eagerly(rows, batch_size, with_loss)
            if with_loss:
                self._check_target(rows, shape)
            outputs = np.empty((len(rows), *shape), dtype)
            loss = _core.run_batches(programs, rows.arrays(), batch_size, outputs, None, with_loss)
        return outputs, loss

    def _outputs_eagerly(self, rows: Rows, batch_size: int, with_loss: bool) -> tuple[Array, float]:
        outputs: list[Array] = []
        total = 0.0
        for begin in range(0, len(rows), batch_size):
            chosen = np.arange(begin, min(begin + batch_size, len(rows)))
            with no_grad():
                if with_loss:
                    output, loss = eager_batch(self.model, self.criterion, rows, chosen)
                    total += loss.item() * len(chosen)
                else:
                    output = self.model(*(a[chosen] for a in rows.inputs))
            outputs.append(output.detach().numpy())
        return np.concatenate(outputs), total / len(rows)

    def _figures(self, outputs: Array, rows: Rows) -> dict[str, float]:
        return {name: float(metric(outputs, rows.target)) for name, metric in self.metrics}

    def _check_target(self, rows: Rows, shape: tuple[int, ...]) -> None:
        if rows.target is not None and shape:
            check_labels(self.criterion, rows.target, shape[0])

    def _split(self, rows: Rows, validation_data: Any, share: float) -> tuple[Rows, Rows | None]:
        if validation_data is not None:
            pair = validation_data if isinstance(validation_data, tuple) else unpack(validation_data, None)
            if len(pair) != 2:
                raise ValueError(f"validation_data must be (x, y), got a tuple of {len(pair)}")
            return rows, prepare(self.model, self.criterion, *pair)
        if not 0 <= share < 1:
            raise ValueError(f"validation_split must be in [0, 1), got {share}")
        held = int(len(rows) * share)
        if share == 0 or held == 0:
            return rows, None
        return rows.select(slice(0, len(rows) - held)), rows.select(slice(len(rows) - held, len(rows)))


class _generator:  # noqa: N801
    """Makes a generator the default one for a while."""

    def __init__(self, generator: _core.Generator) -> None:
        self._wanted = generator

    def __enter__(self) -> None:
        self._previous = _core.set_default_generator(self._wanted)

    def __exit__(self, *exception: object) -> None:
        _core.set_default_generator(self._previous)


class _mode:  # noqa: N801
    """Training or evaluation mode for a while; every module gets its own mode back."""

    def __init__(self, model: Module, training: bool) -> None:
        self._previous = [(module, module.training) for module in model.modules()]
        self._model = model
        self._training = training

    def __enter__(self) -> None:
        self._model.train(self._training)

    def __exit__(self, *exception: object) -> None:
        for module, training in self._previous:
            module.__dict__["training"] = training


def _positive(name: str, value: int, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)
