"""Saying what went wrong when a loss is no longer finite."""

import math
from typing import Any

import numpy as np

from ..errors import DivergenceError
from ..grad_mode import enable_grad
from ..nn import Module
from ..optim import Optimizer
from .capture import input_dtypes, step_loss
from .inputs import Rows


def eager_batch(model: Module, criterion: Any, rows: Rows, order: Any) -> tuple[Any, Any]:
    """(output, loss) of the rows in `order`, operation by operation."""
    from .._core import Tensor

    batch = rows.select(order)
    dtypes = input_dtypes(model, criterion, batch)
    tensors = [Tensor(a, d) for a, d in zip(batch.arrays(), dtypes, strict=True)]
    count = len(batch.inputs)
    output = model(*tensors[:count])
    weight = tensors[count + 1] if batch.weight is not None else None
    return output, step_loss(criterion, output, tensors[count], weight)


def divergence(
    model: Module, criterion: Any, optimizer: Optimizer, rows: Rows, order: Any, epoch: int, batch: int
) -> DivergenceError:
    """The error for a batch whose loss was not finite, its gradients computed once more to name the layer."""
    buffers = [(b, b.detach().numpy().copy()) for b in model.buffers()]
    gradients = {p: p.grad for p in model.parameters()}
    model.zero_grad()
    with enable_grad(), np.errstate(all="ignore"):
        _, loss = eager_batch(model, criterion, rows, order)
        if loss.requires_grad:
            loss.backward()
    norms = {name: _norm(p.grad) for name, p in model.named_parameters() if p.grad is not None}
    for buffer, values in buffers:
        buffer.copy_(values)
    for parameter, gradient in gradients.items():
        parameter.grad = gradient
    layer = max(norms, key=lambda name: norms[name]) if norms else "(none)"
    lr = float(optimizer.param_groups[0]["lr"])
    value = loss.item()
    return DivergenceError(
        f"the loss became {value} in epoch {epoch}, batch {batch} (both counted from 0); the largest gradient is that of "
        f"{layer} (norm {norms.get(layer, math.nan):.3g}), the learning rate is {lr:g}. The weights are those before this "
        f"batch. Try a smaller learning rate (lr={lr / 10:g}), standardised inputs, or gradient clipping in your own loop.",
        epoch=epoch,
        batch=batch,
        loss=value,
        layer=layer,
        lr=lr,
    )


def _norm(gradient: Any) -> float:
    norm = float(np.linalg.norm(gradient.numpy().astype(np.float64)))
    return norm if math.isfinite(norm) else math.inf
