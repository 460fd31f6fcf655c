"""Diagnosis of losses and gradients that are not finite."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._core import Tensor, default_generator, first_nonfinite
from ..autograd.grad_mode import enable_grad
from ..errors import DivergenceError
from ..nn import Module
from .capture import eager_batch
from .rows import Rows
from .state import TrainingState


class Memento:
    """What a forward pass in training mode changes: running statistics and the position in the random numbers."""

    def __init__(self, state: TrainingState) -> None:
        modules = [part for part in (state.model, state.criterion) if isinstance(part, Module)]
        buffers = {id(buffer): buffer for module in modules for buffer in module.buffers()}
        self._buffers = [(buffer, buffer.detach().numpy().copy()) for buffer in buffers.values()]
        self._generator = default_generator()
        self._position = self._generator.state()

    def restore(self) -> None:
        """Restores everything."""
        for buffer, values in self._buffers:
            buffer.copy_(values)
        self._generator.set_state(self._position)


def divergence(state: TrainingState, rows: Rows, chosen: Any, batch: int) -> DivergenceError:
    """The error for a batch whose loss or gradients were not finite; recomputes the batch to name the layer."""
    before, trained, epoch = Memento(state), _trained(state), state.epoch
    gradients = [(parameter, parameter.grad) for _, parameter in trained]
    for _, parameter in trained:
        parameter.grad = None
    with _watched(state.model) as overflowing, enable_grad(), np.errstate(all="ignore"):
        _, loss = eager_batch(state.model, state.criterion, rows, chosen)
        if loss.requires_grad:
            loss.backward()
        norms = {name: _norm(p.grad) for name, p in trained if p.grad is not None}
    before.restore()
    for parameter, gradient in gradients:
        parameter.grad = gradient
    layer, where = _culprit(norms, overflowing)
    what = "the norm of the gradients is not finite" if math.isfinite(loss.item()) else f"the loss became {loss.item()}"
    lr = float(state.optimizer.param_groups[0]["lr"])
    return DivergenceError(
        f"{what} in epoch {epoch}, batch {batch} (both counted from 0); {where}; the learning "
        f"rate is {lr:g}. The weights are those before this batch. Try a smaller learning rate (lr={lr / 10:g}), "
        "standardised inputs and targets, or fit(clip_norm=1).",
        epoch=epoch,
        batch=batch,
        loss=loss.item(),
        layer=layer,
        lr=lr,
    )


def _trained(state: TrainingState) -> list[tuple[str, Tensor]]:
    """The parameters of the model, and whatever else is trained."""
    others = [(name, tensor) for name, tensor in state.other_tensors().items() if tensor.requires_grad]
    return [*state.model.named_parameters(), *others]


def _culprit(norms: dict[str, float], overflowing: list[str]) -> tuple[str, str]:
    """The layer and the reason for it: behind an overflow no gradient is finite."""
    if overflowing and not all(map(math.isfinite, norms.values())):
        return overflowing[0], f"the first non-finite values come out of layer {overflowing[0]!r}"
    if not norms:
        return "(none)", "no parameter has a gradient"
    layer = max(norms, key=lambda name: norms[name])
    return layer, f"the largest gradient is that of {layer} (norm {norms[layer]:.3g})"


def _norm(gradient: Tensor) -> float:
    norm = float(np.linalg.norm(gradient.numpy().astype(np.float64)))
    return norm if math.isfinite(norm) else math.inf


@contextmanager
def _watched(model: Module) -> Iterator[list[str]]:
    """Collects the names of innermost layers whose output is not finite, in the order in which they run."""
    names: list[str] = []
    layers = [(name, layer) for name, layer in model.named_modules() if not any(layer.children())]
    for name, layer in layers:
        layer.__dict__["forward"] = _reporting(layer.forward, name or type(layer).__name__, names)
    try:
        yield names
    finally:
        for _, layer in layers:
            del layer.__dict__["forward"]


def _reporting(forward: Any, name: str, names: list[str]) -> Any:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        if isinstance(output, Tensor) and output.dtype.kind == "f" and first_nonfinite(output.detach().numpy()) >= 0:
            names.append(name)
        return output

    return wrapped
