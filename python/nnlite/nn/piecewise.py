"""Activation modules made of pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core import Tensor
from . import functional
from .activations import Composed, ComposedPlain, Elementwise
from .parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "PReLU", "ReLU6", "Softshrink", "Threshold"]


class Threshold(Composed):
    """x above `threshold`, else `value`."""

    function = "threshold"
    options = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace


class Hardtanh(Composed):
    """x bounded by `min_val` and `max_val`; derivative 0 at the bounds."""

    function = "hardtanh"
    options = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if min_val > max_val:
            raise ValueError(f"Hardtanh needs min_val <= max_val, got {min_val} and {max_val}")
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace


class ReLU6(ComposedPlain):
    """min(max(x, 0), 6)."""

    function = "relu6"


class Hardsigmoid(ComposedPlain):
    """min(max(x + 3, 0), 6) / 6."""

    function = "hardsigmoid"


class Hardswish(ComposedPlain):
    """x hardsigmoid(x) (Howard et al. 2019)."""

    function = "hardswish"


class Hardshrink(Composed):
    """x where |x| > lambd, else 0."""

    function = "hardshrink"
    options = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd


class Softshrink(Composed):
    """x - lambd above lambd, x + lambd below -lambd, else 0."""

    function = "softshrink"
    options = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd


class PReLU(Elementwise):
    """x where positive, else weight x (He et al. 2015): one weight, or one for each channel of x (N, C, ...).

    The weight, of shape (num_parameters), starts at `init`.
    """

    function = "prelu"
    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(np.full(num_parameters, init, np.float32))

    def reset_parameters(self) -> None:
        """Sets the weight to `init`."""
        self.weight.detach().fill_(self.init)

    @staticmethod
    def largest_parameter(settings: Mapping[str, Any]) -> int:
        return int(settings["num_parameters"])

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return functional.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


# By their functions' names; Threshold has no defaults.
ELEMENTWISE: dict[str, type[Elementwise]] = {
    layer.function: layer for layer in (PReLU, ReLU6, Hardsigmoid, Hardswish, Hardtanh, Hardshrink, Softshrink)
}
