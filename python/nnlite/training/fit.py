"""One fit, from its first batch to its last."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from ..autograd.grad_mode import enable_grad
from ..optim.lr_scheduler.base import LRScheduler, rates_of
from .arrays import Array
from .callbacks.base import CallbackList, Logs
from .callbacks.schedules import schedules_of, stepped_per_batch
from .capture import Programs, Step, eager_batch
from .checks import check_plan, rows_are_checked
from .divergence import Memento, divergence
from .eager import eager_update
from .evaluation import Evaluation
from .history import History
from .loss import BatchLoss, LossTotal
from .native_epochs import EpochRequest, train_epochs
from .option_rows import OptionRows
from .plan import Plan
from .position import Position
from .progress import Progress
from .resume import Checkpoints
from .state import Beginning, TrainingState

_SECONDS_AT_ONCE = 0.5  # about how long one native call may last where Python has nothing to do between epochs


class Fit:
    """A running fit: epochs from `first_epoch` on, now at `position`."""

    def __init__(
        self,
        state: TrainingState,
        evaluation: Evaluation,
        plan: Plan,
        listeners: CallbackList,
        bar: Progress,
        checkpoints: Checkpoints | None,
    ) -> None:
        self.state = state
        self.plan = plan
        self.listeners = listeners
        self.first_epoch = state.epoch
        self.position = Position()
        self.options: list[dict[str, Any]] = []  # the optimizer's when the fit began, for checkpoints
        if checkpoints is not None:
            self.options = [
                {name: value for name, value in group.items() if isinstance(value, bool | int | float)}
                for group in state.optimizer.param_groups
            ]
        self._evaluation = evaluation
        self._bar = bar
        self._checkpoints = checkpoints
        self._beginning: Beginning | None = None
        self._programs: Programs | None = None  # of the next epoch, where no Python code runs before it
        self._begun = False  # on_epoch_begin was called for the next epoch
        self._raised: BaseException | None = None  # between epochs of a native call
        self._shows_rates = bool(schedules_of(listeners))
        self._schedules = stepped_per_batch(listeners)
        self._eager = not plan.compile or listeners.watches_batches or not state.optimizer.is_native
        # With nothing to do between epochs, one native call runs many.
        self._alone = not (self._eager or state.metrics or plan.validation is not None or len(listeners))

    def run(self) -> None:
        """Runs the remaining checks and epochs."""
        programs = check_plan(self.state, self._evaluation, self.plan, self._eager)
        code_runs = len(self.listeners) or self._checkpoints is not None or self.plan.validation is not None
        if programs is not None and not programs.follows_epochs and not code_runs:
            self._programs = programs
        self.state.begin_history(self.plan.validation is not None)
        self.state.figures += self._rates()
        try:
            self._run_all(programs)
        finally:
            self._bar.close()

    def _run_all(self, programs: Programs | None) -> None:
        if self._checkpoints is None or not self._checkpoints.resumes:
            self._require_steps()
        self.listeners.on_train_begin()
        if self._checkpoints is not None:
            self._checkpoints.begin(self)
        self._bar.begin(self.first_epoch, self.state.epoch, self.position.batch)
        if programs is None or not rows_are_checked(self.state, programs, self.plan):
            self._beginning = Beginning(self.state, self._schedules)
        self._run_epochs()
        self._save()
        self.listeners.on_train_end()

    def _require_steps(self) -> None:
        """ValueError if a schedule ends before the fit."""
        for schedule in schedules_of(self.listeners):
            if isinstance(schedule, LRScheduler):
                each = self.plan.batches if schedule in self._schedules else 1
                schedule.require_steps(self.plan.epochs * each)

    def state_dict(self) -> dict[str, Any]:
        """Everything that determines the remaining bits, and the settings that must match when resumed."""
        state, position = self.state, self.position
        optimizer = state.optimizer.state_dict()
        return {
            "settings": {"seed": state.seed, **self.plan.settings()},
            "callbacks": [[type(callback).__name__, callback.state_dict()] for callback in self.listeners],
            **state.trained_state(),
            "optimizer": {**optimizer, "state": [[number, values] for number, values in optimizer["state"].items()]},
            "options": self.options,
            "script": state.described_script(),
            "generator": state.generator.state(),
            "history": {"epoch": state.history.epoch, "history": state.history.history},
            "first_epoch": self.first_epoch,
            "epoch": state.epoch,
            "stop_training": state.stop_training,
            "batch": position.batch,
            "loss": vars(position.loss),
            "outputs": position.outputs if position.batch > 0 else None,
            "rates": position.rates,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Loads what `state_dict` returned; an error leaves it partly loaded."""
        state, saved = self.state, state_dict
        if not (0 <= saved["first_epoch"] <= saved["epoch"] and 0 <= saved["batch"] <= self.plan.batches):
            raise ValueError(f"epoch {saved['epoch']} and batch {saved['batch']} do not lie within this fit")
        state.load_trained_state(saved)
        state.optimizer.load_state_dict({**saved["optimizer"], "state": dict(saved["optimizer"]["state"])})
        state.generator.set_state(saved["generator"])
        state.history = History.from_json(json.dumps(saved["history"]))
        state.epoch, self.first_epoch = saved["epoch"], saved["first_epoch"]
        self.options = saved["options"] or self.options
        state.stop_training = saved["stop_training"]
        self.position = Position(saved["batch"], LossTotal(**saved["loss"]), saved["outputs"], saved["rates"])
        for callback, (_, values) in zip(self.listeners, saved["callbacks"], strict=True):
            callback.load_state_dict(values)

    def _save(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.save(self.state_dict())

    def _save_if_due(self) -> None:
        if self._checkpoints is not None and self._checkpoints.due():
            self._save()

    def _run_epochs(self) -> None:
        state, plan = self.state, self.plan
        step = self._run_eagerly if self._eager else self._run_natively
        last, count = self.first_epoch + plan.epochs, 1
        while state.epoch < last and not state.stop_training:
            start, before = time.perf_counter(), state.epoch
            if self.position.batch == 0 and not self._begun:
                self.listeners.on_epoch_begin(state.epoch)
            self._begun = False
            step(min(count, last - state.epoch))
            self._save_if_due()
            if self._alone and state.epoch > before:
                seconds_each = (time.perf_counter() - start) / (state.epoch - before)
                count = max(1, int(_SECONDS_AT_ONCE / max(seconds_each, 1e-9)))

    def _found_programs(self) -> Programs:
        step = Step(self.state.model, self.state.criterion, self.state.optimizer, self.plan.clipping)
        return self._evaluation.capture.programs(step, self.plan.in_batches, self.plan.batch_size)

    def _run_natively(self, epochs: int) -> None:
        state, plan, position = self.state, self.plan, self.position
        programs = self._programs or self._found_programs()
        self._programs = None
        epochs = 1 if programs.follows_epochs else epochs
        if state.metrics and position.outputs is None:
            position.outputs = np.empty((len(plan.rows), *programs.row_shape), programs.dtype)
        outputs, between = position.outputs, None
        if not (self._alone or self._schedules):
            between = partial(self._between_epochs, programs, outputs)
            epochs = self.first_epoch + plan.epochs - state.epoch
        try:
            with OptionRows(state.optimizer, self._schedules) as rows:
                done = train_epochs(
                    EpochRequest(
                        programs.by_rows,
                        plan.rows.arrays(),
                        plan.batch_size,
                        rows.ahead(plan.batches * epochs - position.batch),
                        epochs,
                        state.seed,
                        state.epoch,
                        position.batch,
                        (position.loss.total, position.loss.weight),
                        orders=None if plan.shuffle else np.arange(len(plan.rows))[None],
                        outputs=outputs,
                        poll=self._poll if self._bar.shown or self._checkpoints is not None else None,
                        drop_last=plan.drop_last,
                        epoch_done=between,
                    )
                )
        except (ValueError, TypeError, IndexError):
            self._undo_bad_rows()
            raise
        if self._raised is not None:
            raise self._raised
        count = len(done.losses)
        if count < epochs:
            rows.back_to(count * plan.batches + done.batch - position.batch)
        position.rates = self._named(rows.rates) or position.rates
        if between is None:
            for loss in done.losses.tolist():
                self._epoch_done({"loss": loss})
        if count < epochs and (done.batch > 0 or between is None):
            total = LossTotal(*done.total, programs.is_sum)
            self.position = Position(done.batch, total, outputs, position.rates)
        if done.error is not None:
            try:
                self._save()
            finally:
                raise done.error
        if done.diverged:
            raise self._divergence(done.batch)

    def _between_epochs(self, programs: Programs, outputs: Array | None, loss: float) -> Sequence[ArrayLike] | None:
        """What is due between two epochs of a native call of `programs`: the optimizer's options for the next; None ends it."""
        try:
            self.position.outputs = None if outputs is None else outputs.copy()
            self._epoch_done({"loss": loss})
            self._save_if_due()
            if self.state.stop_training or self.state.epoch == self.first_epoch + self.plan.epochs:
                return None
            self.listeners.on_epoch_begin(self.state.epoch)
            self._begun = True
            self._programs = self._found_programs()
            if self._programs.by_rows != programs.by_rows:
                return None
            options = self.state.optimizer.native_options()
        except BaseException as error:  # the caller raises it
            self._raised = error
            return None
        self._begun, self._programs = False, None
        return [[row] for row in options]

    def _undo_bad_rows(self) -> None:
        """Restores everything if a row of the first epoch is bad in a way that only its batch shows: an index, a custom loss's label."""
        if self._beginning is not None:
            self._beginning.restore()

    def _poll(self, epoch: int, batch: int) -> bool:
        """Called by the native loop now and then; True ends it at this batch."""
        self._bar.at(epoch, batch)
        return self._checkpoints is not None and self._checkpoints.due()

    def _run_eagerly(self, _: int) -> None:
        state, plan = self.state, self.plan
        order = self._order()
        for batch in range(self.position.batch, plan.batches):
            chosen = order[batch * plan.batch_size : (batch + 1) * plan.batch_size]
            self.listeners.on_batch_begin(batch)
            try:
                value = self._eager_step(chosen)
            except (ValueError, TypeError, IndexError):
                self._undo_bad_rows()
                raise
            except KeyboardInterrupt:
                self._save()
                raise
            self._bar.at(state.epoch, batch + 1)
            self.listeners.on_batch_end(batch, {"loss": value})
            self._save_if_due()
        self._epoch_done({"loss": self.position.loss.value()})

    def _eager_step(self, chosen: NDArray[np.int64]) -> float:
        """Forward, backward and update of one batch; its loss."""
        state, position = self.state, self.position
        before, updates = Memento(state), state.optimizer.updates
        done: BatchLoss | None = None
        try:
            state.optimizer.zero_grad()
            with enable_grad():
                output, loss = eager_batch(
                    state.model, state.criterion, self.plan.rows, chosen, check_all=position.batch == 0
                )
            done = BatchLoss(loss.item(), *_core.loss_share(loss, len(chosen)))
            if not (done.is_empty or math.isfinite(done.value)):
                before.restore()
                raise self._divergence(position.batch)
            if state.metrics and position.outputs is None:
                self._evaluation.check_metrics(self.plan.rows, output.shape[1:], output.dtype)
                position.outputs = np.empty((len(self.plan.rows), *output.shape[1:]), output.dtype)
            if position.outputs is not None:
                position.outputs[chosen] = output.detach().numpy()
            if done.is_empty:
                before.restore()
            else:
                diverged = partial(self._divergence, position.batch)
                eager_update(state, self.plan, loss, chosen, before, diverged)
        except BaseException:
            if done is None or state.optimizer.updates == updates:
                before.restore()
            else:  # an interruption after the update: the batch counts
                self._advance(done)
            raise
        self._advance(done)
        return done.value

    def _advance(self, done: BatchLoss) -> None:
        """Counts one more batch."""
        self.position.batch += 1
        self.position.loss.add(done)
        self.position.rates = self._rates()
        for schedule in self._schedules:
            schedule.step()

    def _rates(self) -> dict[str, float]:
        """The groups' learning rates for the history, where there is a schedule."""
        return self._named(rates_of(self.state.optimizer)) if self._shows_rates else {}

    def _named(self, rates: list[float]) -> dict[str, float]:
        if not self._shows_rates:
            return {}
        return {"lr" if len(rates) == 1 else f"lr_{i}": rate for i, rate in enumerate(rates)}

    def _epoch_done(self, logs: Logs) -> None:
        state, plan, rates = self.state, self.plan, self.position.rates or self._rates()
        self._beginning = None
        if self.position.outputs is not None:
            outputs, rows = self.position.outputs, plan.rows
            if plan.used < len(rows):
                seen = np.sort(self._order()[: plan.used])
                outputs, rows = outputs[seen], rows.select(seen)
            logs.update(self._evaluation.figures(outputs, rows))
        self.position = Position()
        if plan.validation is not None:
            figures = self._evaluation.evaluate(plan.validation, plan.batch_size)
            logs.update({f"val_{key}": value for key, value in figures.items()})
        logs.update(rates)
        state.history.append(state.epoch, logs)
        self._bar.epoch_done(state.epoch, logs)
        state.epoch += 1
        if len(self.listeners) == 0:
            return
        try:
            self.listeners.on_epoch_end(state.epoch - 1, logs)
        finally:
            state.history.amend(logs)

    def _order(self) -> NDArray[np.int64]:
        rows = len(self.plan.rows)
        return _core.permutation(rows, self.state.seed, self.state.epoch) if self.plan.shuffle else np.arange(rows)

    def _divergence(self, batch: int) -> Exception:
        chosen = self._order()[batch * self.plan.batch_size : (batch + 1) * self.plan.batch_size]
        return divergence(self.state, self.plan.rows, chosen, batch)
