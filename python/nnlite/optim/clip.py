"""Bounding gradients, for one's own loop between `backward()` and `step()`."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from .._core import Tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> float:
    """Scales all gradients so that their common norm is at most `max_norm`; returns the norm before.

    Pascanu, Mikolov, Bengio, ICML 2013. `norm_type` may be math.inf. RuntimeError for a norm that is not finite where asked.
    """
    gradients = _gradients_of(parameters)
    if not gradients:
        return 0.0
    norms = [float(np.linalg.norm(g.reshape(-1).astype(np.float64), norm_type)) for g in gradients]
    total = max(norms) if math.isinf(norm_type) else float(np.linalg.norm(norms, norm_type))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm of the gradients is {total}, so they cannot be clipped")
    scale = max_norm / (total + 1e-6)
    if scale < 1:
        for gradient in gradients:
            gradient *= gradient.dtype.type(scale)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clips every gradient element to [-clip_value, clip_value]."""
    for gradient in _gradients_of(parameters):
        np.clip(gradient, -clip_value, clip_value, out=gradient)


def _gradients_of(parameters: Tensor | Iterable[Tensor]) -> list[np.ndarray]:
    tensors = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad.numpy() for p in tensors if p.grad is not None]
