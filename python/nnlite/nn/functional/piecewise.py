"""Activation functions made of pieces, with PyTorch's derivatives at their kinks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import _core
from ..._core import Tensor
from ..options import floating, number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike

__all__ = ["hardshrink", "hardsigmoid", "hardswish", "hardtanh", "prelu", "relu6", "softshrink", "threshold"]


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
