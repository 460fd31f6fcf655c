"""Turning a model's step into native programs."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import CaptureError, Program, Tape, Tensor
from ..grad_mode import enable_grad, no_grad
from ..nn import Module
from ..optim import Optimizer
from .inputs import Array, Rows, is_class_loss, takes_indices


def model_dtype(model: Module) -> np.dtype[Any]:
    """The floating type of the model's parameters (float32 where it has none)."""
    for parameter in model.parameters():
        return parameter.dtype
    return np.dtype(np.float32)


def input_dtypes(model: Module, criterion: Any, rows: Rows) -> list[np.dtype[Any]]:
    """The tensor type that each array of `rows` takes on."""
    floating = model_dtype(model)
    indices = takes_indices(model)
    dtypes = [np.dtype(np.int64) if indices and a.dtype.kind in "iub" else floating for a in rows.inputs]
    if rows.target is not None:
        labels = rows.target.dtype.kind in "iu" and (is_class_loss(criterion) or not _is_loss(criterion))
        dtypes.append(np.dtype(np.int64) if labels else floating)
    return dtypes + ([floating] if rows.weight is not None else [])


def _is_loss(criterion: Any) -> bool:
    return hasattr(criterion, "reduction")


def step_loss(criterion: Any, output: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    """The loss of one batch; with weights, the mean over the rows of weight times the row's own mean loss."""
    if weight is None:
        loss: Tensor = criterion(output, target)
        return loss
    single = copy.copy(criterion)
    single.reduction = "none"
    losses: Tensor = single(output, target)
    per_row = losses if losses.ndim == 1 else losses.reshape(losses.shape[0], -1).mean(1)
    return (per_row * weight).mean()


class Capture:
    """The programs of a model, recorded when first needed and again when the model's step has changed."""

    def __init__(self, model: Module, criterion: Any, optimizer: Optimizer | None) -> None:
        self.model = model
        self.criterion = criterion
        self.optimizer = optimizer
        self._known: dict[Any, tuple[str, Program, Tensor]] = {}

    def programs(
        self, rows: Rows, batch_size: int, training: bool, with_loss: bool
    ) -> tuple[dict[int, Program], tuple[int, ...], np.dtype[Any]]:
        """Programs by number of rows, and the shape and type of one row of output."""
        sizes = {batch_size} if len(rows) >= batch_size else set()
        if len(rows) % batch_size:
            sizes.add(len(rows) % batch_size)
        found = {size: self._program(rows, size, training, with_loss) for size in sizes}
        output = next(iter(found.values()))[1]
        return {size: program for size, (program, _) in found.items()}, output.shape[1:], output.dtype

    def _program(self, rows: Rows, size: int, training: bool, with_loss: bool) -> tuple[Program, Tensor]:
        dtypes = input_dtypes(self.model, self.criterion, rows)
        arrays = rows.arrays()
        key = (size, training, with_loss, tuple((a.shape[1:], d.str) for a, d in zip(arrays, dtypes, strict=True)))
        tape, inputs, output, loss = self._trace(rows, arrays, dtypes, size, with_loss, training)
        signature = tape.signature() + self._identity(training)
        known = self._known.get(key)
        if known is not None and known[0] == signature:
            return known[1], known[2]
        again = self._trace(rows, arrays, dtypes, size, with_loss, training)[0]
        if again.signature() + self._identity(training) != signature:
            raise CaptureError(
                "two passes through the model do different things (random numbers from NumPy, a counter, a changing "
                "attribute?), so the step cannot be captured; pass compile=False to run it operation by operation"
            )
        groups = self.optimizer.native_groups() if training and self.optimizer is not None else []
        program = Program(tape, inputs, output, loss, groups)
        self._known[key] = (signature, program, output)
        return program, output

    def _identity(self, training: bool) -> str:
        return str([id(group) for group in self.optimizer.native_groups()]) if training and self.optimizer else ""

    def _trace(
        self, rows: Rows, arrays: Sequence[Array], dtypes: Sequence[Any], size: int, with_loss: bool, training: bool
    ) -> tuple[Tape, list[Tensor], Tensor, Tensor | None]:
        inputs = [_core.placeholder((size, *a.shape[1:]), d) for a, d in zip(arrays, dtypes, strict=True)]
        count = len(rows.inputs)
        loss = None
        with enable_grad() if training else no_grad(), Tape() as tape:
            output = self.model(*inputs[:count])
            if not isinstance(output, Tensor) or output.ndim == 0 or output.shape[0] != size:
                raise ValueError(f"the model must return a tensor with one row for each of {size} inputs, got {_kind(output)}")
            if with_loss:
                weight = inputs[count + 1] if rows.weight is not None else None
                loss = step_loss(self.criterion, output, inputs[count], weight)
        return tape, inputs, output, loss


def _kind(output: Any) -> str:
    return f"shape {output.shape}" if isinstance(output, Tensor) else type(output).__name__
