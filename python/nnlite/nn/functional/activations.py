"""Activation functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ... import _core
from ..._core import Tensor
from ..options import floating, implicit_dim, number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike

__all__ = [
    "celu", "elu", "gelu", "glu", "leaky_relu", "log_softmax", "logsigmoid", "mish", "relu", "selu", "sigmoid", "silu", "softmax",
    "softmin", "softplus", "softsign", "tanh", "tanhshrink",
]  # fmt: skip


def relu(input: Operand, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    return _core.unary("relu", input)


def leaky_relu(input: Operand, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, else negative_slope * x."""
    return _core.unary("leaky_relu", input, negative_slope)


def elu(input: Operand, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else alpha * (e^x - 1)."""
    return _core.unary("elu", input, alpha)


def selu(input: Operand, inplace: bool = False) -> Tensor:
    """See `nn.SELU`."""
    return _core.unary("elu", input, 1.6732632423543772) * 1.0507009873554805


def celu(input: Operand, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """See `nn.CELU`."""
    if not number("celu: alpha", alpha):
        raise ValueError("celu needs an alpha other than 0")
    negative = _core.unary("expm1", floating(input).clip(None, 0.0) / alpha) * alpha
    return _core.unary("relu", input) + negative


def gelu(input: Operand, approximate: str = "none") -> Tensor:
    """x Phi(x), exact or by the tanh approximation."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu's approximate must be 'none' or 'tanh', got {approximate!r}")
    return _core.unary("gelu" if approximate == "none" else "gelu_tanh", input)


def silu(input: Operand, inplace: bool = False) -> Tensor:
    """x sigmoid(x)."""
    return _core.unary("silu", input)


def mish(input: Operand, inplace: bool = False) -> Tensor:
    """See `nn.Mish`."""
    x = floating(input)
    return x * _core.unary("tanh", _core.unary("softplus", x, 1.0, math.inf))


def sigmoid(input: Operand) -> Tensor:
    """1 / (1 + e^-x)."""
    return _core.unary("sigmoid", input)


def tanh(input: Operand) -> Tensor:
    """The hyperbolic tangent."""
    return _core.unary("tanh", input)


def tanhshrink(input: Operand) -> Tensor:
    """See `nn.Tanhshrink`."""
    x = floating(input)
    return x - _core.unary("tanh", x)


def softsign(input: Operand) -> Tensor:
    """See `nn.Softsign`."""
    x = floating(input)
    return x / (_core.unary("abs", x) + 1.0)


def logsigmoid(input: Operand) -> Tensor:
    """See `nn.LogSigmoid`."""
    return -_core.unary("softplus", -floating(input), 1.0, math.inf)


def glu(input: Operand, dim: int = -1) -> Tensor:
    """See `nn.GLU`; ValueError for an odd size."""
    x = floating(input)
    size = x.size(dim)
    if size % 2:
        raise ValueError(f"glu needs an even size along dim {dim}, got shape {x.shape}")
    before = (slice(None),) * (dim % x.ndim)
    a, b = (x[before + (slice(begin, begin + size // 2),)] for begin in (0, size // 2))  # noqa: RUF005
    return a * b.sigmoid()


def softplus(input: Operand, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta x)) / beta, x itself where beta x > threshold."""
    return _core.unary("softplus", input, beta, threshold)


def softmax(input: Operand, dim: int | None = None) -> Tensor:
    """Softmax along `dim`; None: 0 for 0, 1 or 3 dimensions, else 1, with a UserWarning, as in PyTorch."""
    return _core.softmax(input, implicit_dim("softmax", input) if dim is None else dim)


def softmin(input: Operand, dim: int | None = None) -> Tensor:
    """See `nn.Softmin`."""
    return _core.softmax(-floating(input), implicit_dim("softmin", input) if dim is None else dim)


def log_softmax(input: Operand, dim: int | None = None) -> Tensor:
    """The logarithm of softmax along `dim`, chosen as by `softmax` if None."""
    return _core.log_softmax(input, implicit_dim("log_softmax", input) if dim is None else dim)
