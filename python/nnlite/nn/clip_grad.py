"""Gradient clipping, for your own loop between `backward()` and `step()`.

Norms are summed in float64 in the fixed order of docs/arithmetic.md: NumPy's use BLAS, whose order differs between processors, and the
last bit of the norm reaches every weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from .. import _core
from .._core import Tensor
from ..autograd.grad_mode import no_grad


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> float:
    """Scales all gradients so that their total norm is at most `max_norm`; returns the norm before, 0.0 without gradients.

    Pascanu, Mikolov, Bengio, ICML 2013. `norm_type` is the p of the norm: 2, 1, math.inf, or any other number. A norm that
    is not finite raises RuntimeError with `error_if_nonfinite`, else reaches every gradient, as in PyTorch. `foreach` has no effect.
    """
    del foreach
    gradients = _gradients_of(parameters)
    if not gradients:
        return 0.0
    order, limit = float(norm_type), float(max_norm)
    total = _core.gradient_norm(gradients) if order == 2 else _total(gradients, order)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm of order {order:g} of the gradients is {total}, so they cannot be clipped")
    _core.clip_to_norm(gradients, total, limit)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Clips every gradient element to [-clip_value, clip_value]. `foreach` has no effect."""
    del foreach
    _core.clip_to_value(_gradients_of(parameters), float(clip_value))


def _total(gradients: Sequence[Tensor], order: float) -> float:
    """The norm of the gradients' norms."""
    with no_grad():
        return _norm(Tensor(np.array([_norm(gradient, order) for gradient in gradients])), order)


def _norm(x: Tensor, order: float) -> float:
    """The vector norm of all elements."""
    values = x.double().reshape(-1)
    if values.numel() == 0:
        return 0.0
    if math.isinf(order):
        size = values.abs()
        return float(size.max() if order > 0 else size.min())
    if order == 0:
        return float(np.count_nonzero(values.numpy()))
    if order == 1:
        return float(values.abs().sum())
    return float((values.abs() ** order).sum() ** (1 / order))


def _gradients_of(parameters: Tensor | Iterable[Tensor]) -> Sequence[Tensor]:
    tensors = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in tensors if p.grad is not None]
