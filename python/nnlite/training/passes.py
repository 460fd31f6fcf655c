"""One pass over rows without updates: outputs and loss, natively or operation by operation."""

from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from ..autograd.grad_mode import enable_grad, no_grad
from ..nn import Module
from .arrays import Array
from .capture import Programs, run_model
from .loss import batch_loss, data_set_loss, own_loss, rows_like, single_losses
from .rows import Rows, input_dtypes


def native_pass(programs: Programs, rows: Rows, batch_size: int) -> tuple[Array, float]:
    """(outputs, loss) of all rows; the loss is 0 without a target."""
    outputs = np.empty((len(rows), *programs.row_shape), programs.dtype)
    single = programs.single
    size = next(iter(programs.by_rows))
    kept = [] if single is None else [rows_like(tensor, size, len(rows)) for tensor in single.tensors()]
    own = rows.target is not None and single is None
    losses, weights = _core.run_batches(programs.by_rows, rows.arrays(), batch_size, outputs, None, own, kept)
    if single is not None:
        return outputs, data_set_loss(kept, single.reduction, single.losses.ndim == 1)
    if not own:
        return outputs, 0.0
    return outputs, own_loss(losses.tolist(), weights.tolist(), programs.is_sum)


def eager_pass(model: Module, criterion: Any, rows: Rows, batch_size: int) -> tuple[Array, float]:
    """The same, operation by operation."""
    outputs: list[Array] = []
    losses = _EagerLosses()
    for begin in range(0, len(rows), batch_size):
        batch = rows.select(slice(begin, begin + batch_size))
        dtypes = input_dtypes(model, criterion, batch)
        tensors = [Tensor(array, dtype) for array, dtype in zip(batch.arrays(), dtypes, strict=True)]
        count = len(batch.inputs)
        with no_grad():
            output = run_model(model, tensors[:count], len(batch))
        outputs.append(output.detach().numpy().copy())  # the next batch may overwrite a tensor of the model
        if rows.target is not None:
            losses.add(criterion, output, tensors[count], tensors[count + 1] if batch.weight is not None else None)
    return np.concatenate(outputs), 0.0 if rows.target is None else losses.value()


class _EagerLosses:
    """The losses of the batches of one pass, and their single losses."""

    def __init__(self) -> None:
        self._batches: list[tuple[float, float, bool]] = []  # loss, weight, whether it is a sum
        self._single: list[list[Array]] = []
        self._kind = ("", False)

    def add(self, criterion: Any, output: Tensor, target: Tensor, weight: Tensor | None) -> None:
        """One more batch."""
        rows = len(output)
        with enable_grad():  # the tape tells what the loss is made of
            known = output.detach().requires_grad_() if output.dtype.kind == "f" else output
            loss = batch_loss(criterion, known, target)
        with no_grad():
            single = single_losses(loss, rows, weight)
        self._batches.append((loss.item(), *_core.loss_share(loss, rows)))
        if single is not None:
            self._single.append([tensor.detach().numpy().reshape(rows, -1) for tensor in single.tensors()])
            self._kind = single.reduction, single.losses.ndim == 1

    def value(self) -> float:
        """The loss of all batches."""
        if len(self._single) == len(self._batches):
            return data_set_loss([np.concatenate(parts) for parts in zip(*self._single, strict=True)], *self._kind)
        losses, weights, are_sums = zip(*self._batches, strict=True)
        return own_loss(losses, weights, are_sums[0])
