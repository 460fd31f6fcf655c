"""A model's outputs, loss and metrics over rows, in evaluation mode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core import CaptureError
from ..metrics import is_known
from ..nn import Module
from ..nn.options import number
from .arrays import Array
from .capture import Capture, Step
from .modes import mode
from .passes import eager_pass, native_pass
from .rows import Rows, check_labels, counted
from .state import NamedMetric, TrainingState
from .threshold import ClassThreshold

_FEW_ROWS = 256  # a single pass over so few costs less than recording one


def predict(capture: Capture, model: Module, rows: Rows, batch_size: int) -> Array:
    """The outputs (N, ...) of inputs alone."""
    with mode(model, False):
        step = Step(model)
        if len(rows) <= min(batch_size, _FEW_ROWS) and not capture.repeats(step, rows, batch_size):
            return eager_pass(model, None, rows, batch_size)[0]
        try:
            programs = capture.programs(step, rows, batch_size)
        except CaptureError:
            return eager_pass(model, None, rows, batch_size)[0]
        return native_pass(programs, rows, batch_size)[0]


class Evaluation:
    """Evaluates a training's model by its criterion and metrics; changes nothing."""

    def __init__(self, state: TrainingState, threshold: float | None) -> None:
        self._state = state
        self.threshold = ClassThreshold(state, threshold)
        self.capture = Capture(state.epoch_reads)

    def evaluate(self, rows: Rows, batch_size: int) -> dict[str, float]:
        """The loss and the metrics."""
        outputs, loss = self.outputs(rows, batch_size)
        return {"loss": loss, **self.figures(outputs, rows)}

    def outputs(self, rows: Rows, batch_size: int) -> tuple[Array, float]:
        """(outputs, loss) of all rows."""
        model, criterion = self._state.model, self._state.criterion
        with mode(model, False), mode(criterion, False):
            try:
                programs = self.capture.programs(Step(model, criterion), rows, batch_size)
            except CaptureError:
                return eager_pass(model, criterion, rows, batch_size)
            check_labels(criterion, rows.target, programs.row_shape)
            return native_pass(programs, rows, batch_size)

    def figures(self, outputs: Array, rows: Rows, metrics: Sequence[NamedMetric] | None = None) -> dict[str, float]:
        """The metrics of outputs: the training's, or those given."""
        assert rows.target is not None
        figures: dict[str, float] = {}
        metrics = self._state.metrics if metrics is None else metrics
        if not metrics:
            return figures
        chosen = counted(self._state.criterion, outputs, rows.target)
        for name, metric in metrics:
            own = chosen if is_known(metric) else (outputs, rows.target)
            figures[name] = number(f"the metric {name!r}", metric(*own)) if len(own[1]) else math.nan
        return figures

    def check_metrics(self, rows: Rows, row_shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Tries the metrics on a few such outputs."""
        if not self._state.metrics:
            return
        self.threshold.note(rows.target)
        few = rows.select(slice(0, _FEW_ROWS))
        known = [entry for entry in self._state.metrics if is_known(entry[1])]
        self.figures(np.zeros((len(few), *row_shape), dtype), few, known)
