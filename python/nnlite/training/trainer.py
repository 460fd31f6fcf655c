"""The training loop."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..data.frames import in_order, names_of, pair_in_order
from ..data.loader import DataLoader
from ..descriptions import brief
from ..metrics import resolve_all
from ..nn import Module
from ..optim import LRScheduler, Optimizer
from .arrays import Array
from .callbacks.base import Callback, CallbackList
from .callbacks.schedules import with_schedules
from .checks import require_trainable
from .clipping import Clipping
from .evaluation import Evaluation, predict
from .fit import Fit
from .guard import fitting, predicting
from .history import History
from .modes import default_generator, mode
from .plan import Plan
from .progress import Progress
from .resume import Checkpoints
from .rows import prepare, prepare_inputs, prepare_pair, with_class_weight
from .splitting import hold_out
from .state import TrainingState

Metric = str | Callable[[Array, Array], float]


class Trainer(TrainingState):
    """Trains a model on arrays: shuffled mini-batches, whole epochs run natively.

    An epoch is one pass over the rows, a batch the rows of one update (a step); the last batch of an epoch may be
    shorter and then weighs less in the epoch's loss. `metrics` are names (accuracy, misclassified, top_5, precision,
    recall, f1, mse, mae, r2) or functions of (outputs, targets); named ones leave out labels that the loss ignores
    (`ignore_index`), and are NaN if it ignores all. `seed` alone determines shuffling and dropout: epoch e shuffles by
    (seed, e), and another `fit` continues with the next epoch, so `fit(epochs=1)` twice is `fit(epochs=2)`. `threshold`
    separates classes 0 and 1 in a single column of outputs, for the metrics; None means 0 for a loss on logits, 0.5 for
    probabilities (BCELoss, a final Sigmoid) and the middle between the labels for a loss like MSELoss; if none of these
    applies, `fit` and `evaluate` raise ValueError.

    Attributes: `epoch`, the number of epochs so far; `history` of the last or running fit; `figures`, the history's keys,
    and `more_figures`, whether callbacks may add some; `stop_training`, which a callback sets to end the fit after the
    epoch.

    A fit runs the Python code of the model and the criterion once an epoch or less, and repeats what it recorded for
    every batch. Code that this cannot repeat (it reads values, draws from NumPy, counts its calls, changes attributes)
    raises CaptureError, which names the cause; `fit(compile=False)` runs it for every batch.

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
        metrics: Iterable[Metric] | None = None,
        seed: int = 0,
        threshold: float | None = None,
    ) -> None:
        for name, part in (("model", model), ("criterion", criterion), ("optimizer", optimizer)):
            if isinstance(part, type):
                raise TypeError(f"{name} is the class {part.__name__} itself; pass an instance: {part.__name__}(...)")
        if not isinstance(model, Module):
            raise TypeError(f"model must be an nn.Module, got {type(model).__name__}")
        if not callable(criterion):
            raise TypeError(f"criterion must be callable (a loss of nnlite.nn or a function), got {criterion!r}")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer must be an nnlite.optim.Optimizer, got {type(optimizer).__name__}")
        if isinstance(metrics, str) or callable(metrics):
            given = repr(metrics) if isinstance(metrics, str) else getattr(metrics, "__name__", "...")
            raise TypeError(f"metrics must be a list of metrics: use metrics=[{given}]")
        if not (metrics is None or isinstance(metrics, Iterable)) or isinstance(metrics, Mapping):
            raise TypeError(f"metrics must be a list of names and functions of (outputs, targets), got {metrics!r}")
        seed = _positive("seed", seed, 0)
        if seed >= 2**64:
            raise ValueError(f"seed must be below 2**64, got {seed}")
        super().__init__(model, criterion, optimizer, seed)
        self._evaluation = Evaluation(self, threshold)
        self.metrics = resolve_all(metrics or (), self._evaluation.threshold)
        self.columns: list[list[str] | None] | None = None  # of the DataFrames that it was trained on
        self._left_shown: list[str] = []  # the parameters that the last warning named

    def __repr__(self) -> str:
        parts = ", ".join(map(brief, (self.model, self.criterion, self.optimizer)))
        metrics = ", ".join(name for name, *_ in self.metrics)
        return f"Trainer({parts}, metrics=[{metrics}], seed={self.seed}, epoch={self.epoch})"

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        epochs: int = 1,
        batch_size: int = 32,
        shuffle: bool = True,
        drop_last: bool = False,
        validation_data: Any = None,
        validation_split: float = 0.0,
        shuffle_split: bool | str = False,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        accumulate: int = 1,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        callbacks: Iterable[Callback | LRScheduler] | None = None,
        scheduler: LRScheduler | Callback | Callable[[int, float], float] | None = None,
        progress: bool | str | None = None,
        compile: bool = True,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        checkpoint_seconds: float = 30.0,
    ) -> History:
        """Trains for `epochs` passes over x (N, ...) and y (N, ...); returns the history of this call.

        x is an array (of any numeric type, memory-mapped too), a Tensor, a tuple of arrays for a model of several inputs,
        a DataFrame, a dataset of (x, y), or a DataLoader of one, without samplers and `collate_fn`: its batch_size, shuffle
        and drop_last count, its rows are read once, and the trainer's seed shuffles them. A DataFrame's columns are
        remembered: `predict`, `evaluate` and later fits take them in any order, and name missing or
        unknown ones. `validation_data` is (x, y), evaluated after each epoch;
        without it, `validation_split` holds out the last share of the rows; with `shuffle_split` True a random share,
        drawn by the trainer's seed, with "stratified" the same share of every class. `drop_last` skips a last batch that
        is not full (batch normalisation cannot train on one row); its rows, others in each shuffled epoch, count neither
        in the loss nor in the metrics. `progress` None shows a bar on a terminal and in a notebook, True always, "lines"
        prints one line per epoch; TQDM_DISABLE=1 turns bars off. `compile=False` runs every operation from Python, for
        models that read values in `forward`; the bits are the same.

        `sample_weight` (N,) and `class_weight` {class: weight} multiply each row's loss and count in the mean: a batch's
        loss is the sum of its weighted losses over the sum of their weights, which multiply those of `CrossEntropyLoss`.
        So weights of 1 change nothing, and a weight of 2 is a row given twice; a loss with reduction="sum" is just the
        sum. Class weights do not affect the validation. A batch without weight (all labels ignored, or of weight 0) is
        skipped like one without rows: no step, hence no momentum and no weight decay, no running statistics, no random
        numbers, no part in the loss. So is one whose custom loss is NaN because it contains such a mean. The history's
        losses are those of all rows together, see `evaluate`.

        `accumulate` makes one update of that many batches, with the bits of one batch of accumulate x batch_size rows. It
        counts as one batch in progress, history, callbacks and schedules, and needs the memory of one.

        `clip_norm` bounds the total norm of the optimizer's gradients before each update, with the bits of
        `optim.clip_grad_norm_` between `backward` and `step` in your own loop; `clip_value` then bounds each element, as
        `optim.clip_grad_value_` does. With `clip_norm`, a norm that is not finite raises DivergenceError, before it
        reaches a weight.

        `scheduler` is a schedule of `optim.lr_scheduler`, stepped after each epoch, or after each batch (skipped ones too)
        if its `interval` is "batch", the default of OneCycleLR and CyclicLR; set it for others, as in
        `warm_up.interval = "batch"`. A ReduceLROnPlateau follows the metric that its `monitor` names, by default the
        validation loss, else the loss. Schedules may also be among the `callbacks`; all are stepped. The history holds
        the rate of each epoch's last update as "lr" ("lr_0", "lr_1", ... with several groups). A schedule by batch is
        stepped an epoch ahead of the native steps: one that reads the model or its metrics needs compile=False.

        `checkpoint` is a folder for the state of the fit: weights, optimizer, schedules, position, random numbers, history
        and callbacks. It is written at the start, about every `checkpoint_seconds` between two batches, on Ctrl-C and at
        the end, each time as one file that replaces the one before. The same script with `resume=True` continues from it,
        whatever ended the process, and reaches the bits of an uninterrupted run; `epochs` still counts from the fit's
        start. Without a checkpoint in the folder the fit starts from scratch. A custom callback takes part through
        `state_dict` and `load_state_dict`.

        The model trains in training mode, whatever mode it was in, and every module gets its own mode back afterwards. A
        layer that should stay in evaluation mode, such as a BatchNorm with frozen statistics, overrides `train`: see
        `nn.Module.train`. Trainable parameters that the optimizer lacks are named in a warning, once.

        Raises ValueError or TypeError for bad input before anything changes, DivergenceError if the loss is not finite,
        CaptureError for a model that needs compile=False, FileExistsError for a folder with a checkpoint that is not to
        be resumed, OSError if a checkpoint cannot be written. Ctrl-C leaves the weights at a batch boundary.
        """
        if isinstance(x, DataLoader):
            batch_size, shuffle, drop_last = _batching(x, self.seed)
        x, columns = in_order(x, self.columns), self.columns or names_of(x)
        rows = prepare(self.model, self.criterion, x, y, sample_weight)
        validation = None
        if validation_data is not None:
            validation = prepare_pair(self.model, self.criterion, pair_in_order(validation_data, columns))
        elif validation_split != 0:
            rows, validation = hold_out(rows, validation_split, shuffle_split, self.seed)
        if class_weight is not None:
            rows = with_class_weight(rows, class_weight)
        epochs, batch_size = _positive("epochs", epochs, 0), _positive("batch_size", batch_size)
        batch_size *= _positive("accumulate", accumulate)
        clipping = Clipping.of(clip_norm, clip_value)
        plan = Plan(rows, validation, epochs, batch_size, shuffle, compile, bool(drop_last), clipping)
        listeners = CallbackList(with_schedules(callbacks, scheduler), self)
        self._left_shown = require_trainable(self, self._left_shown)
        self.optimizer.require_options()
        bar = Progress(progress, plan.epochs, plan.batches)
        checkpoints = Checkpoints.of(checkpoint, resume, checkpoint_seconds)
        self.columns = columns
        with fitting(self.model), default_generator(self.generator), mode(self.model, True), mode(self.criterion, True):
            Fit(self, self._evaluation, plan, listeners, bar, checkpoints).run()  # it begins where the last fit ended
        return self.history

    def evaluate(self, x: Any, y: Any = None, *, batch_size: int = 256, sample_weight: Any = None) -> dict[str, float]:
        """The loss and the metrics over x and y, in evaluation mode, without changing anything.

        If the criterion returns one of nnlite's losses unchanged, the loss is that of all rows as one batch: the sum of
        their weighted losses over the sum of their weights (just the sum for reduction="sum"; NaN without weight), with
        the same bits for every `batch_size`. A custom loss is the mean of the batches' losses, weighted by their rows, or
        their sum if the criterion has reduction == "sum"; it depends on `batch_size` unless it is itself a mean over
        rows, or a sum.
        """
        rows = prepare(self.model, self.criterion, in_order(x, self.columns), y, sample_weight)
        with predicting(self.model):
            return self._evaluation.evaluate(rows, _positive("batch_size", batch_size))

    def predict(self, x: Any, *, batch_size: int = 256) -> Array:
        """The model's outputs for x (N, ...), in evaluation mode: an array (N, ...).

        A row's result does not depend on `batch_size` or on the other rows.
        """
        rows = prepare_inputs(self.model, in_order(x, self.columns))
        with predicting(self.model):
            return predict(self._evaluation.capture, self.model, rows, _positive("batch_size", batch_size))


def _batching(loader: DataLoader, seed: int) -> tuple[int, bool, bool]:
    """batch_size, shuffle and drop_last of a DataLoader whose rows the trainer reads."""
    if loader.shuffle and loader.seed not in (None, seed):
        raise ValueError(f"the trainer's seed decides the order: it is {seed}, the DataLoader's is {loader.seed}")
    return loader.batch_size or 0, loader.shuffle, loader.drop_last


def _positive(name: str, value: int, least: int = 1) -> int:
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)
