"""All that a fit changes: the model, and whatever else its optimizer trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from .._core import Generator, Tensor
from ..nn import Module
from ..optim import Optimizer


class Step(Protocol):
    """What is trained."""

    @property
    def model(self) -> Module: ...
    @property
    def criterion(self) -> Callable[..., Any]: ...
    @property
    def optimizer(self) -> Optimizer: ...


def other_tensors(step: Step) -> dict[str, Tensor]:
    """What is trained or kept outside the model: the criterion's parameters and buffers, and the optimizer's others."""
    known = {id(tensor) for tensor in step.model._state_tensors().values()}
    own = step.criterion._state_tensors() if isinstance(step.criterion, Module) else {}
    found = {f"criterion.{name}": tensor for name, tensor in own.items()}
    trained = [parameter for group in step.optimizer.param_groups for parameter in group["params"]]
    found.update({f"optimizer.{i}": parameter for i, parameter in enumerate(trained)})
    result: dict[str, Tensor] = {}
    for name, tensor in found.items():
        if id(tensor) not in known:
            known.add(id(tensor))
            result[name] = tensor
    return result


def trained_state(step: Step) -> dict[str, Any]:
    """Copies of it as arrays: {"model": state dict, "others": state dict}."""
    others = {name: tensor.detach().numpy().copy() for name, tensor in other_tensors(step).items()}
    return {"model": step.model.state_dict(), "others": others}


def load_trained_state(step: Step, state: Mapping[str, Any]) -> None:
    """Puts it back; RuntimeError or TypeError, and nothing changed, where it does not fit. Without "others" only the model changes."""
    if not isinstance(state, Mapping) or "model" not in state:
        raise TypeError(f"the state must be a dictionary with 'model', as trained_state() gives it, got {state!r}")
    others, own = state.get("others"), other_tensors(step)
    if others is None:
        own, others = {}, {}
    if list(own) != list(others):
        raise RuntimeError(
            f"the state has {', '.join(others) or 'nothing'} beside the model, this fit trains {', '.join(own) or 'nothing'}"
        )
    for name, tensor in own.items():
        if np.shape(others[name]) != tensor.shape:
            raise RuntimeError(f"{name} has shape {np.shape(others[name])} in the state, {tensor.shape} in this fit")
    step.model.load_state_dict(state["model"])
    for name, tensor in own.items():
        tensor.detach().copy_(others[name])


class Beginning:
    """All that a fit changes, as it was before."""

    def __init__(self, step: Step, generator: Generator) -> None:
        self._step, self._generator = step, generator
        self._state, self._optimizer = trained_state(step), step.optimizer.state_dict()
        self._position = generator.state()

    def restore(self) -> None:
        """Puts it back."""
        load_trained_state(self._step, self._state)
        self._step.optimizer.load_state_dict(self._optimizer)
        self._generator.set_state(self._position)
