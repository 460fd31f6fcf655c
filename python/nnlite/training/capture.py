"""Turning a model's step into native programs."""

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from .. import _core
from .._core import CaptureError, Program, Tape, Tensor
from ..grad_mode import enable_grad, no_grad
from ..nn import Module
from ..nn.losses import _Loss
from ..optim import Optimizer
from .inputs import Rows, check_labels, input_dtypes

_KEPT = 16  # programs; each holds the buffers of a batch


class Step(Protocol):
    """What a step is made of."""

    @property
    def model(self) -> Module: ...
    @property
    def criterion(self) -> Callable[..., Any]: ...
    @property
    def optimizer(self) -> Optimizer: ...


class Programs(NamedTuple):
    """Programs by number of rows, and what one row of output is."""

    by_rows: dict[int, Program]
    row_shape: tuple[int, ...]
    dtype: np.dtype[Any]


def run_model(model: Module, inputs: Sequence[Any], rows: int) -> Tensor:
    """The model's output for a batch; ValueError unless it has one row for each row of input."""
    output = model(*inputs)
    if not isinstance(output, Tensor) or output.ndim == 0 or output.shape[0] != rows:
        kind = f"shape {output.shape}" if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            f"the model must return a tensor with one row for each of {rows} inputs, got {kind} (a single row goes in "
            "as x[None])"
        )
    return output


def step_loss(criterion: Any, output: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    """The loss of one batch; with weights, each row's own loss times its weight, reduced as the criterion reduces."""
    loss = criterion(output, target) if weight is None else _weighted_loss(criterion, output, target, weight)
    if not isinstance(loss, Tensor):
        raise TypeError(f"the criterion must return a Tensor, got {type(loss).__name__}")
    if loss.numel() != 1:
        raise ValueError(
            f"the loss must be a single number to train on, it has shape {loss.shape}; use reduction='mean' or 'sum'"
        )
    return loss


def _weighted_loss(criterion: _Loss, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    single = copy.copy(criterion)
    single.reduction = "none"
    losses: Tensor = single(output, target)
    if losses.ndim > 1:
        flat = losses.reshape(losses.shape[0], -1)
        losses = flat.mean(1) if criterion.reduction == "mean" else flat.sum(1)
    weighted = losses * weight
    return weighted.sum() if criterion.reduction == "sum" else weighted.mean()


class Capture:
    """The programs of a step, recorded when first needed and again when the step has changed."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._known: OrderedDict[Any, tuple[str, Program, Tensor]] = OrderedDict()

    def programs(self, rows: Rows, batch_size: int, training: bool, with_loss: bool) -> Programs:
        """A program for the full batches of `rows` and one for the last partial batch, as far as there are any."""
        sizes = {batch_size} if len(rows) >= batch_size else set()
        if len(rows) % batch_size:
            sizes.add(len(rows) % batch_size)
        found = {size: self._program(rows, size, training, with_loss) for size in sizes}
        output = next(iter(found.values()))[1]
        return Programs({size: program for size, (program, _) in found.items()}, output.shape[1:], output.dtype)

    def _program(self, rows: Rows, size: int, training: bool, with_loss: bool) -> tuple[Program, Tensor]:
        """Recording is cheap and shows whether anything that the step depends on has changed; planning is kept."""
        dtypes = input_dtypes(self._step.model, self._step.criterion, rows)
        shapes = [(size, *array.shape[1:]) for array in rows.arrays()]
        key = (training, with_loss, len(rows.inputs), tuple(shapes), tuple(dtype.str for dtype in dtypes))
        trace = self._trace(rows, shapes, dtypes, training, with_loss)
        signature = self._signature(trace, training)
        known = self._known.pop(key, None)
        if known is None or known[0] != signature:
            if self._signature(self._trace(rows, shapes, dtypes, training, with_loss), training) != signature:
                raise CaptureError(
                    "two passes through the model do different things (random numbers from NumPy, a counter, a "
                    "changing attribute?), so the step cannot be captured; pass compile=False to run it operation by "
                    "operation"
                )
            groups = self._step.optimizer.native_groups() if training else []
            known = signature, Program(trace.tape, trace.inputs, trace.output, trace.loss, groups), trace.output
        self._known[key] = known
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return known[1], known[2]

    def _signature(self, trace: "_Trace", training: bool) -> str:
        groups = self._step.optimizer.native_groups() if training else []
        return f"{trace.tape.signature()} {[group.serial for group in groups]}"

    def _trace(
        self, rows: Rows, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[Any], training: bool, with_loss: bool
    ) -> "_Trace":
        inputs = [_core.placeholder(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
        count = len(rows.inputs)
        loss = None
        with enable_grad() if training else no_grad(), Tape() as tape:
            output = run_model(self._step.model, inputs[:count], shapes[0][0])
            if with_loss:
                weight = inputs[count + 1] if rows.weight is not None else None
                loss = step_loss(self._step.criterion, output, inputs[count], weight)
        return _Trace(tape, inputs, output, loss)


class _Trace(NamedTuple):
    tape: Tape
    inputs: list[Tensor]
    output: Tensor
    loss: Tensor | None


def eager_output(model: Module, rows: Rows) -> Tensor:
    """The output for all `rows`, operation by operation."""
    dtypes = input_dtypes(model, None, Rows(rows.inputs))
    return run_model(model, [Tensor(a, dtype) for a, dtype in zip(rows.inputs, dtypes, strict=True)], len(rows))


def eager_batch(
    model: Module, criterion: Any, rows: Rows, chosen: Any, check_all: bool = False
) -> tuple[Tensor, Tensor]:
    """(output, loss) of the rows `chosen`, operation by operation; `check_all` looks at all other labels too."""
    batch = rows.select(chosen)
    dtypes = input_dtypes(model, criterion, batch)
    tensors = [Tensor(array, dtype) for array, dtype in zip(batch.arrays(), dtypes, strict=True)]
    count = len(batch.inputs)
    output = run_model(model, tensors[:count], len(batch))
    if check_all:
        check_labels(criterion, rows.target, output.shape[1:])
    weight = tensors[count + 1] if batch.weight is not None else None
    return output, step_loss(criterion, output, tensors[count], weight)
