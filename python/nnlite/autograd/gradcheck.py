"""Checking gradients, and their gradients, against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from .grad_mode import enable_grad, no_grad


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Tensor],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Compares the gradients of `func` with central differences, (f(x + eps) - f(x - eps)) / 2 eps.

    `inputs` are float64 tensors; those that require a gradient are checked. `func(*inputs)` returns a tensor of any shape, or a
    tuple: every element's gradient is checked. Returns True, or raises RuntimeError naming the input, the element and both
    values (False without `raise_exception`); TypeError for an input that is not float64 (float32 differences are too inexact),
    ValueError when none requires a gradient.

    >>> import nnlite as nl
    >>> x = nl.tensor([0.5, -1.0], dtype="float64", requires_grad=True)
    >>> nl.gradcheck(lambda x: (x * x).sum(), x)
    True
    """
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = [i for i, x in enumerate(tensors) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck needs at least one input that requires a gradient")
    for i in checked:
        if tensors[i].dtype != np.float64:
            raise TypeError(f"gradcheck needs float64 inputs, input {i} is {tensors[i].dtype}; use .double()")
    joined = _joined(func)
    size = joined(*tensors).numel()
    for i in checked:
        numeric = _numeric_jacobian(joined, tensors, i, size, eps)
        analytic = _analytic_jacobian(joined, tensors, i, size)
        wrong = ~(np.abs(analytic - numeric) <= atol + rtol * np.abs(numeric))
        if wrong.any() and not raise_exception:
            return False
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise RuntimeError(
                f"gradcheck failed for input {i}: d output[{row}] / d input[{column}] is {analytic[row, column]:.8g} by "
                f"backward and {numeric[row, column]:.8g} by differences ({int(wrong.sum())} of {wrong.size} differ)"
            )
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """`gradcheck` of the gradients of `func` as functions of the inputs and of `grad_outputs`, random by default.

    >>> import nnlite as nl
    >>> x = nl.tensor([0.5, -1.0], dtype="float64", requires_grad=True)
    >>> nl.autograd.gradgradcheck(lambda x: x.tanh().sum(), x)
    True
    """
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    joined = _joined(func)
    if grad_outputs is None:
        output = joined(*tensors)
        values = np.random.default_rng(0).standard_normal(output.shape)
        grad_outputs = Tensor(values, output.dtype, requires_grad=True)

    def gradients(*values: Tensor) -> Tensor:
        *given, seed = values
        with enable_grad():  # the differences run unrecorded
            ways = [x for x in given if isinstance(x, Tensor) and x.requires_grad]
            made = _core.gradients([joined(*given)], [seed], ways, False, True, True)
        parts = [(x * 0.0 if g is None else g).reshape(-1) for g, x in zip(made, ways, strict=True)]
        return _core.concatenate(parts)

    inner = [*tensors, grad_outputs]
    return gradcheck(gradients, inner, eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)


def _joined(func: Callable[..., Any]) -> Callable[..., Tensor]:
    """`func` with its results, if several, as one vector."""

    def joined(*inputs: Tensor) -> Tensor:
        results = func(*inputs)
        return _core.concatenate([x.reshape(-1) for x in results]) if isinstance(results, tuple) else results

    return joined


def _values(x: Tensor) -> np.ndarray[Any, Any]:
    return x.detach().numpy()


def _numeric_jacobian(
    fn: Callable[..., Tensor], tensors: list[Tensor], which: int, size: int, eps: float
) -> np.ndarray[Any, Any]:
    flat = _values(tensors[which]).reshape(-1)
    jacobian = np.empty((size, flat.size))
    with no_grad():
        for j in range(flat.size):
            kept = flat[j]
            flat[j] = kept + eps
            upper = _values(fn(*tensors)).reshape(-1).copy()
            flat[j] = kept - eps
            lower = _values(fn(*tensors)).reshape(-1).copy()
            flat[j] = kept
            jacobian[:, j] = (upper - lower) / (2 * eps)
    return jacobian


def _analytic_jacobian(fn: Callable[..., Tensor], tensors: list[Tensor], which: int, size: int) -> np.ndarray[Any, Any]:
    rows = []
    for k in range(size):
        for x in tensors:
            if isinstance(x, Tensor):
                x.grad = None
        output = fn(*tensors)
        seed = np.zeros(output.shape)
        seed.reshape(-1)[k] = 1
        output.backward(seed)
        grad = tensors[which].grad
        rows.append(np.zeros(tensors[which].numel()) if grad is None else _values(grad).reshape(-1).copy())
    return np.array(rows).reshape(size, -1)
