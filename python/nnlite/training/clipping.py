"""Clipping of a fit's gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..nn.options import number
from ..nn.utils import clip_grad_value_, clip_to_norm, gradients_of
from ..optim import Optimizer


@dataclass(frozen=True)
class Clipping:
    """Bounds on the total norm of the gradients, then on each element; None for no bound."""

    norm: float | None = None
    value: float | None = None

    @classmethod
    def of(cls, clip_norm: Any, clip_value: Any) -> Clipping:
        """From `fit`'s arguments; TypeError or ValueError unless they are numbers above 0."""
        if clip_norm is None and clip_value is None:
            return NO_CLIPPING
        return cls(_bound("clip_norm", clip_norm), _bound("clip_value", clip_value))

    def apply(self, optimizer: Optimizer) -> bool:
        """Clips the gradients of the optimizer's parameters; False where their norm is not finite."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        if self.norm is not None and not math.isfinite(clip_to_norm(gradients_of(parameters), self.norm)):
            return False
        if self.value is not None:
            clip_grad_value_(parameters, self.value)
        return True


NO_CLIPPING = Clipping()


def _bound(name: str, value: Any) -> float | None:
    if value is None:
        return None
    bound = number(name, value)
    if not bound > 0:
        raise ValueError(f"{name} must be above 0, or None for no clipping; got {value!r}")
    return bound
