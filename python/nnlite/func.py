"""A model's loss as a function of one vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._core import CaptureError, Tensor
from .autograd.grad_mode import enable_grad
from .naming import publish
from .nn import Module
from .nn.utils import parameters_to_vector, vector_to_parameters
from .training.capture import confirm, record, undone_on_failure
from .training.loss import RecordedLoss

__all__ = ["ValueAndGrad", "value_and_grad"]

Vector = NDArray[np.float64]
Function = Callable[[ArrayLike], tuple[float, Vector]]


class ValueAndGrad:
    """See `value_and_grad`."""

    def __init__(self, model: Module, loss: Callable[[Any], Any]) -> None:
        self._model, self._loss = model, loss
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not self._parameters:
            raise ValueError(f"no parameter of the {type(model).__name__} requires a gradient")
        try:
            self._native: Function | None = self._recorded()
        except CaptureError:
            self._native = None

    def vector(self) -> Vector:
        """The parameters as they are (N,)."""
        return parameters_to_vector(self._parameters).detach().numpy().astype(np.float64)

    def __call__(self, vector: ArrayLike) -> tuple[float, Vector]:
        """(loss, gradient (N,)) at parameters (N,), which the model then has."""
        if self._native is None or _core.has_gradient_hooks():
            return self._eager(vector)
        return self._native(vector)

    def _value(self) -> Tensor:
        loss = self._loss(self._model)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            given = f"shape {loss.shape}" if isinstance(loss, Tensor) else repr(loss)
            raise ValueError(f"loss(model) must be a Tensor of one number, got {given}")
        return loss

    def _recorded(self) -> Function:
        def step(_: list[Tensor]) -> tuple[Tensor, RecordedLoss]:
            value = self._value()
            return value, RecordedLoss(value)

        roots = (self._model, self._loss)
        with undone_on_failure(*roots), enable_grad():
            first = record(step, [(1,)], [np.float32])
            confirm(first, lambda: record(step, [(1,)], [np.float32]), *roots)
        group = _core.ParameterGroup("SGD", self._parameters)
        return _core.value_and_gradient(first.trace, first.inputs[0], first.output, group)

    def _eager(self, vector: ArrayLike) -> tuple[float, Vector]:
        vector_to_parameters(Tensor(vector, np.float64), self._parameters)
        for parameter in self._parameters:
            parameter.grad = None
        with enable_grad():
            loss = self._value()
            loss.backward()
        parts = [np.zeros(p.numel()) if p.grad is None else p.grad.numpy().reshape(-1) for p in self._parameters]
        return loss.item(), np.concatenate(parts, dtype=np.float64)


def value_and_grad(model: Module, loss: Callable[[Any], Any]) -> ValueAndGrad:
    """`loss(model)` and its gradient as a function f of one vector, for SciPy's minimisers and samplers.

    The vector (N,) has the elements of all parameters that require a gradient, in order; `f.vector()` gives the present ones.
    A call writes them into the model and returns (loss, gradient (N,)). The loss is recorded once, with the model's mode and
    the data as they are now; one that reads values runs operation by operation at each call.

    >>> import numpy as np, nnlite as nl
    >>> model = nl.nn.Linear(1, 1)
    >>> f = nl.func.value_and_grad(model, lambda model: nl.nn.functional.mse_loss(model([[1.0], [2.0]]), [[1.0], [2.0]]))
    >>> f(np.array([0.0, 1.0]))
    (0.5, array([-2., -1.]))
    """
    return ValueAndGrad(model, loss)


publish(__name__)
