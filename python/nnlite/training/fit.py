"""One fit, from its first batch to its last."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..autograd.grad_mode import enable_grad
from .arrays import Array
from .callbacks.base import CallbackList, Logs
from .capture import Programs, eager_batch
from .divergence import Memento, divergence
from .loss import BatchLoss, LossTotal
from .progress import Progress
from .resume import Checkpoints
from .rows import Rows
from .state import Beginning

if TYPE_CHECKING:
    from .trainer import Trainer

_SECONDS_AT_ONCE = 0.5  # about how long one native call may last where Python has nothing to do between epochs
_MOST_HASHED = 1 << 27  # bytes of each array, some 0.1 s
_HASHED_AT_ONCE = 1 << 12  # rows
_DIVERGED = 1  # a status of _core.train_epochs


@dataclass(frozen=True)
class Plan:
    """The settings of one `fit`."""

    rows: Rows
    validation: Rows | None
    epochs: int
    batch_size: int
    shuffle: bool
    compile: bool
    drop_last: bool = False

    @property
    def batches(self) -> int:
        return math.ceil(self.used / self.batch_size)

    @property
    def used(self) -> int:
        """The rows that an epoch trains on."""
        return len(self.rows) - (len(self.rows) % self.batch_size if self.drop_last else 0)

    @property
    def in_batches(self) -> Rows:
        """As many rows as are used, whichever these are."""
        return self.rows.select(slice(0, self.used)) if self.drop_last else self.rows

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 of the rows to train on; of large data, of rows at even distances."""
        digest = hashlib.sha256()
        for array in self.rows.arrays():
            step = max(1, math.ceil(array.nbytes / _MOST_HASHED))
            digest.update(f"{array.dtype.str} {array.shape}\n".encode())
            for begin in range(0, len(array), _HASHED_AT_ONCE * step):
                digest.update(np.ascontiguousarray(array[begin : begin + _HASHED_AT_ONCE * step : step]).data)
        return digest.hexdigest()


@dataclass
class Position:
    """Where a fit stands within an epoch: batches done, their loss, and their outputs (N, ...) if wanted."""

    batch: int = 0
    loss: LossTotal = field(default_factory=LossTotal)
    outputs: Array | None = None


class Run:
    """One fit under way: the trainer's epochs from `first_epoch` on, from wherever `position` says."""

    def __init__(
        self,
        trainer: Trainer,
        plan: Plan,
        listeners: CallbackList,
        bar: Progress,
        checkpoints: Checkpoints | None,
        programs: Programs | None = None,
    ) -> None:
        self.trainer = trainer
        self.plan = plan
        self.listeners = listeners
        self.first_epoch = trainer.epoch
        self.position = Position()
        # What the optimizer was told when the fit began.
        self.options = [
            {name: value for name, value in group.items() if isinstance(value, bool | int | float)}
            for group in trainer.optimizer.param_groups
        ]
        self._bar = bar
        self._checkpoints = checkpoints
        self._beginning: Beginning | None = None
        # Of the first epoch, where nothing has happened since they were recorded.
        self._programs = None if programs is None or programs.follows_epochs else programs
        self._eager = not plan.compile or listeners.watches_batches

    def run(self) -> None:
        """All epochs that are still to do."""
        self.listeners.on_train_begin()
        if self._checkpoints is not None:
            self._checkpoints.begin(self)
        self._bar.begin(self.first_epoch, self.trainer.epoch, self.position.batch)
        self._beginning = Beginning(self.trainer, self.trainer._generator)
        self._run_epochs()
        if self._checkpoints is not None:
            self._checkpoints.save(self)
        self.listeners.on_train_end()

    def _run_epochs(self) -> None:
        trainer, plan = self.trainer, self.plan
        step = self._run_eagerly if self._eager else self._run_natively
        # With nothing to do between epochs, many of them are one native call.
        alone = not (self._eager or trainer.metrics or plan.validation is not None or len(self.listeners))
        last, count = self.first_epoch + plan.epochs, 1
        while trainer.epoch < last and not trainer.stop_training:
            start, before = time.perf_counter(), trainer.epoch
            if self.position.batch == 0:
                self.listeners.on_epoch_begin(trainer.epoch)
            step(min(count, last - trainer.epoch))
            if self._checkpoints is not None and self._checkpoints.due():
                self._checkpoints.save(self)
            if alone and trainer.epoch > before:
                seconds_each = (time.perf_counter() - start) / (trainer.epoch - before)
                count = max(1, int(_SECONDS_AT_ONCE / max(seconds_each, 1e-9)))

    def _run_natively(self, epochs: int) -> None:
        trainer, plan, position = self.trainer, self.plan, self.position
        programs = self._programs or trainer._capture.programs(plan.in_batches, plan.batch_size, True, True)
        self._programs = None
        epochs = 1 if programs.follows_epochs else epochs
        if trainer.metrics and position.outputs is None:
            position.outputs = np.empty((len(plan.rows), *programs.row_shape), programs.dtype)
        with self._bad_rows_undone():
            losses, status, batch, total, error = _core.train_epochs(
                programs.by_rows,
                plan.rows.arrays(),
                plan.batch_size,
                None if plan.shuffle else np.arange(len(plan.rows))[None],
                trainer.seed,
                trainer.epoch,
                epochs,
                position.batch,
                (position.loss.total, position.loss.weight),
                trainer.optimizer.native_options(),
                position.outputs,
                self._poll if self._bar.shown or self._checkpoints is not None else None,
                plan.drop_last,
            )
        for loss in losses:
            self._epoch_done({"loss": float(loss)})
        if len(losses) < epochs:
            self.position = Position(batch, LossTotal(*total, programs.is_sum), position.outputs)
        if error is not None:
            try:
                if self._checkpoints is not None:
                    self._checkpoints.save(self)
            finally:
                raise error
        if status == _DIVERGED:
            raise self._divergence(batch)

    @contextmanager
    def _bad_rows_undone(self) -> Iterator[None]:
        """What only a batch shows to be wrong (a label of a loss of one's own, an index) is found by the first epoch.

        The fit then has not begun: everything is as it was.
        """
        try:
            yield
        except (ValueError, TypeError, IndexError):
            if self._beginning is not None:
                self._beginning.restore()
            raise

    def _poll(self, epoch: int, batch: int) -> bool:
        """Asked by the native loop now and then; True ends the call at this batch."""
        self._bar.at(epoch, batch)
        return self._checkpoints is not None and self._checkpoints.due()

    def _run_eagerly(self, _: int) -> None:
        trainer, plan = self.trainer, self.plan
        order = self._order()
        for batch in range(self.position.batch, plan.batches):
            chosen = order[batch * plan.batch_size : (batch + 1) * plan.batch_size]
            self.listeners.on_batch_begin(batch)
            try:
                with self._bad_rows_undone():
                    value = self._eager_step(chosen)
            except KeyboardInterrupt:
                if self._checkpoints is not None:
                    self._checkpoints.save(self)
                raise
            self._bar.at(trainer.epoch, batch + 1)
            self.listeners.on_batch_end(batch, {"loss": value})
            if self._checkpoints is not None and self._checkpoints.due():
                self._checkpoints.save(self)
        self._epoch_done({"loss": self.position.loss.value()})

    def _eager_step(self, chosen: NDArray[np.int64]) -> float:
        """Forward, backward and update of one batch; its loss."""
        trainer, position = self.trainer, self.position
        before, steps = Memento(trainer), self._steps()
        try:
            trainer.optimizer.zero_grad()
            with enable_grad():
                output, loss = eager_batch(
                    trainer.model, trainer.criterion, self.plan.rows, chosen, check_all=position.batch == 0
                )
            done = BatchLoss(loss.item(), *_core.loss_share(loss, len(chosen)))
            if not (done.is_empty or math.isfinite(done.value)):
                before.restore()
                raise self._divergence(position.batch)
            if trainer.metrics and position.outputs is None:
                trainer._check_metrics(self.plan.rows, output.shape[1:], output.dtype)
                position.outputs = np.empty((len(self.plan.rows), *output.shape[1:]), output.dtype)
            if position.outputs is not None:
                position.outputs[chosen] = output.detach().numpy()
            if done.is_empty:
                before.restore()
            else:
                loss.backward()
                trainer.optimizer.step()
        except BaseException:
            if self._steps() == steps:
                before.restore()
            else:  # an interruption after the update: the batch counts
                self._advance(done)
            raise
        self._advance(done)
        return done.value

    def _steps(self) -> int:
        return sum(group.steps for group in self.trainer.optimizer.native_groups())

    def _advance(self, done: BatchLoss) -> None:
        """One batch more is done."""
        self.position.batch += 1
        self.position.loss.add(done)

    def _epoch_done(self, logs: Logs) -> None:
        trainer, plan = self.trainer, self.plan
        self._beginning = None
        if self.position.outputs is not None:
            outputs, rows = self.position.outputs, plan.rows
            if plan.used < len(rows):
                seen = np.sort(self._order()[: plan.used])
                outputs, rows = outputs[seen], rows.select(seen)
            logs.update(trainer._figures(outputs, rows))
        self.position = Position()
        if plan.validation is not None:
            figures = trainer._evaluate(plan.validation, plan.batch_size)
            logs.update({f"val_{key}": value for key, value in figures.items()})
        trainer.history.append(trainer.epoch, logs)
        self._bar.epoch_done(trainer.epoch, logs)
        trainer.epoch += 1
        try:
            self.listeners.on_epoch_end(trainer.epoch - 1, logs)
        finally:
            trainer.history.amend(logs)

    def _order(self) -> NDArray[np.int64]:
        rows = len(self.plan.rows)
        return _core.permutation(rows, self.trainer.seed, self.trainer.epoch) if self.plan.shuffle else np.arange(rows)

    def _divergence(self, batch: int) -> Exception:
        chosen = self._order()[batch * self.plan.batch_size : (batch + 1) * self.plan.batch_size]
        return divergence(self.trainer, self.plan.rows, chosen, self.trainer.epoch, batch)
