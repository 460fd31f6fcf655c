"""Activations and distances composed of several native functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core import Tensor
from . import functional
from .activations import Elementwise, Plain, Softmax
from .module import Module
from .parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "CELU", "CosineSimilarity", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LogSigmoid", "Mish", "PReLU",
    "PairwiseDistance", "ReLU6", "SELU", "Softmin", "Softshrink", "Softsign", "Tanhshrink", "Threshold",
]  # fmt: skip


class _Composed(Elementwise):
    """A function made of several native ones."""

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        function = getattr(functional, self.function)
        return function(input, *(getattr(self, option) for option in self.options))  # type: ignore[no-any-return]


class _Plain(_Composed, Plain):
    """A composed function without options."""


class SELU(_Plain):
    """1.0507 elu(x, 1.6733), which keeps mean 0 and variance 1 (Klambauer et al. 2017)."""

    function = "selu"


class CELU(_Composed):
    """max(x, 0) + min(alpha (e^(x / alpha) - 1), 0) (Barron 2017)."""

    function = "celu"
    options = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace


class Mish(_Plain):
    """x tanh(log(1 + e^x)) (Misra 2019)."""

    function = "mish"


class LogSigmoid(_Composed):
    """log(1 / (1 + e^-x))."""

    function = "logsigmoid"


class Softsign(_Composed):
    """x / (1 + |x|)."""

    function = "softsign"


class Tanhshrink(_Composed):
    """x - tanh(x)."""

    function = "tanhshrink"


class Softmin(Softmax):
    """softmax(-x) along `dim`, as in Softmax."""

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return functional.softmin(input, self.dim)


class GLU(Module):
    """a sigmoid(b) of the halves a and b of x along `dim` (Dauphin et al. 2017)."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return functional.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Threshold(_Composed):
    """x above `threshold`, else `value`."""

    function = "threshold"
    options = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace


class Hardtanh(_Composed):
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


class ReLU6(_Plain):
    """min(max(x, 0), 6)."""

    function = "relu6"


class Hardsigmoid(_Plain):
    """min(max(x + 3, 0), 6) / 6."""

    function = "hardsigmoid"


class Hardswish(_Plain):
    """x hardsigmoid(x) (Howard et al. 2019)."""

    function = "hardswish"


class Hardshrink(_Composed):
    """x where |x| > lambd, else 0."""

    function = "hardshrink"
    options = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd


class Softshrink(_Composed):
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


class CosineSimilarity(Module):
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor | ArrayLike, x2: Tensor | ArrayLike) -> Tensor:
        return functional.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of x1 - x2 + eps along the last dimension."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = self.p = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor | ArrayLike, x2: Tensor | ArrayLike) -> Tensor:
        return functional.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


# By function; Threshold has no defaults, and GLU halves a dimension.
ELEMENTWISE: dict[str, type[Elementwise]] = {
    layer.function: layer
    for layer in (globals()[name] for name in __all__)
    if issubclass(layer, Elementwise) and layer is not Threshold
}
