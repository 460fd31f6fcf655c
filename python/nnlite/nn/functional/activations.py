"""Activation functions, with PyTorch's derivatives at their kinks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ... import _core
from ..._core import Tensor
from ..options import floating, implicit_dim, number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike


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


def threshold(input: Operand, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """See `nn.Threshold`."""
    return _core.unary("threshold", input, threshold, value)


def hardtanh(input: Operand, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """See `nn.Hardtanh`."""
    if number("hardtanh: min_val", min_val) > number("hardtanh: max_val", max_val):
        raise ValueError(f"hardtanh needs min_val <= max_val, got {min_val} and {max_val}")
    bounded = _core.unary("threshold", input, min_val, min_val)
    return -_core.unary("threshold", -bounded, -max_val, -max_val)


def relu6(input: Operand, inplace: bool = False) -> Tensor:
    """See `nn.ReLU6`."""
    return hardtanh(input, 0.0, 6.0)


def hardsigmoid(input: Operand, inplace: bool = False) -> Tensor:
    """See `nn.Hardsigmoid`."""
    return hardtanh(floating(input) + 3.0, 0.0, 6.0) / 6.0


def hardswish(input: Operand, inplace: bool = False) -> Tensor:
    """See `nn.Hardswish`."""
    x = floating(input)
    return x * hardtanh(x + 3.0, 0.0, 6.0) / 6.0


def hardshrink(input: Operand, lambd: float = 0.5) -> Tensor:
    """See `nn.Hardshrink`."""
    x = floating(input)
    bound = _lambda("hardshrink", lambd)
    return _core.unary("threshold", x, bound, 0.0) - _core.unary("threshold", -x, bound, 0.0)


def softshrink(input: Operand, lambd: float = 0.5) -> Tensor:
    """See `nn.Softshrink`."""
    x = floating(input)
    bound = _lambda("softshrink", lambd)
    return x - x.clip(-bound, bound)


def _lambda(name: str, lambd: float) -> float:
    if not number(f"{name}: lambd", lambd) >= 0:
        raise ValueError(f"{name} needs lambd >= 0, got {lambd}")
    return float(lambd)


def prelu(input: Operand, weight: Tensor) -> Tensor:
    """See `nn.PReLU`."""
    x = floating(input)
    channels = weight.numel()
    if channels > 1 and (x.ndim < 2 or x.shape[1] != channels):
        raise ValueError(f"prelu: a weight of {channels} needs as many channels, got an input of shape {x.shape}")
    weight = weight.reshape((channels, *(1,) * (x.ndim - 2)) if channels > 1 else ())
    return _core.unary("relu", x) + weight * x.clip(None, 0.0)
