"""Activation modules, one class per function, with PyTorch's names and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .. import _core
from .._core import Tensor
from . import functional
from .module import Module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


__all__ = ["ELU", "GELU", "LeakyReLU", "LogSoftmax", "ReLU", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh"]


class Elementwise(Module):
    """The function of `functional` called `function`, here a native one. Its arguments are the attributes `options`."""

    function: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return _core.unary(self.function, input)

    def extra_repr(self) -> str:
        return ", ".join(f"{option}={getattr(self, option)}" for option in self.options)


class Plain(Elementwise):
    """A function without options. `inplace` is accepted as in PyTorch; the result is the same."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class ReLU(Plain):
    """max(x, 0); derivative 0 at 0."""

    function = "relu"


class SiLU(Plain):
    """x sigmoid(x), also called swish (Elfwing, Uchibe, Doya 2018)."""

    function = "silu"


class Sigmoid(Plain):
    """1 / (1 + e^-x)."""

    function = "sigmoid"


class Tanh(Plain):
    """The hyperbolic tangent."""

    function = "tanh"


class LeakyReLU(Elementwise):
    """x where positive, else negative_slope * x."""

    function = "leaky_relu"
    options = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return _core.unary(self.function, input, self.negative_slope)


class ELU(Elementwise):
    """x where positive, else alpha * (e^x - 1) (Clevert, Unterthiner, Hochreiter 2016)."""

    function = "elu"
    options = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return _core.unary(self.function, input, self.alpha)


class GELU(Elementwise):
    """x Phi(x), Phi the normal distribution function (Hendrycks, Gimpel 2016); approximate="tanh" for their approximation."""

    function = "gelu"

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f"GELU's approximate must be 'none' or 'tanh', got {approximate!r}")
        self.approximate = approximate

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return functional.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Softplus(Elementwise):
    """log(1 + e^(beta x)) / beta, and x itself where beta x > threshold."""

    function = "softplus"
    options = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return _core.unary(self.function, input, self.beta, self.threshold)


class Softmax(Module):
    """e^x_j / sum_k e^x_k along `dim`; None: see `functional.softmax`. The maximum is subtracted first."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return functional.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of softmax along `dim` (as in Softmax), without the rounding errors of log(softmax(x))."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return functional.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


# By function.
ELEMENTWISE: dict[str, type[Elementwise]] = {
    layer.function: layer for layer in (globals()[name] for name in __all__) if issubclass(layer, Elementwise)
}
