"""Functions of each element. Gradients of steps are 0, as in PyTorch."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from .calling import Operand, array_of, by_numpy, is_floating, like


def _in_double(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Computed in float64, which keeps float32's last digit."""

    @functools.wraps(function)
    def call(input: Tensor, *others: Tensor) -> Tensor:
        return function(input.double(), *(x.double() for x in others)).to(_result_type(input, *others))

    return call


def _result_type(*tensors: Tensor) -> Any:
    """float64 if one of the floats is, but single values do not widen arrays."""
    given = [x for x in tensors if is_floating(x)]
    ranked = [x for x in given if x.ndim] or given
    return max((x.dtype for x in ranked), key=lambda dtype: dtype.itemsize, default=np.float32)


def sin(input: Tensor) -> Tensor:
    """Sine, of radians."""
    return _core.unary("sin", input)


def cos(input: Tensor) -> Tensor:
    """Cosine, of radians."""
    return _core.unary("sin", input, 1)


@_in_double
def tan(input: Tensor) -> Tensor:
    """Tangent, of radians."""
    return sin(input) / cos(input)


def atan2(input: Tensor, other: Operand) -> Tensor:
    """The angle of the point (other, input), in [-pi, pi]."""
    return _core.binary("atan2", input, other)


def atan(input: Tensor) -> Tensor:
    """Arctangent."""
    return atan2(input, 1.0)


@_in_double
def asin(input: Tensor) -> Tensor:
    """Arcsine; NaN outside [-1, 1]."""
    return atan2(input, ((1 - input) * (1 + input)).sqrt())


@_in_double
def acos(input: Tensor) -> Tensor:
    """Arccosine; NaN outside [-1, 1]."""
    return atan2(((1 - input) * (1 + input)).sqrt(), input)


@_in_double
def sinh(input: Tensor) -> Tensor:
    """Hyperbolic sine."""
    return (expm1(input) - expm1(-input)) * 0.5


@_in_double
def cosh(input: Tensor) -> Tensor:
    """Hyperbolic cosine."""
    return (input.exp() + (-input).exp()) * 0.5


def erf(input: Tensor) -> Tensor:
    """Error function."""
    return _core.unary("erf", input)


def erfc(input: Tensor) -> Tensor:
    """1 - erf(input), with the digits of its tail."""
    return _core.unary("erf", input, 1)


def expm1(input: Tensor) -> Tensor:
    """exp(input) - 1, also of small input."""
    return _core.unary("expm1", input)


def log1p(input: Tensor) -> Tensor:
    """log(1 + input), also of small input."""
    return _core.unary("log1p", input)


@_in_double
def log2(input: Tensor) -> Tensor:
    """Logarithm to base 2."""
    return input.log() / math.log(2)


@_in_double
def log10(input: Tensor) -> Tensor:
    """Logarithm to base 10."""
    return input.log() / math.log(10)


def exp2(input: Tensor) -> Tensor:
    """2 to the power of input."""
    return _core.binary("pow", 2.0, input)


def rsqrt(input: Tensor) -> Tensor:
    """1 / sqrt(input)."""
    return reciprocal(input.sqrt())


def square(input: Tensor) -> Tensor:
    """input * input."""
    return input * input


def neg(input: Tensor) -> Tensor:
    """-input."""
    return -input


def reciprocal(input: Tensor) -> Tensor:
    """1 / input."""
    return _core.binary("div", 1.0, input)


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1; 0 for NaN."""
    if input.dtype.kind == "i":
        return by_numpy(np.sign, input)
    return _step(input, 2)


def _step(input: Tensor, kind: int) -> Tensor:
    return _core.unary("step", input, kind) if is_floating(input) else input.clone()


def floor(input: Tensor) -> Tensor:
    """The next whole number below."""
    return _step(input, 1)


def ceil(input: Tensor) -> Tensor:
    """The next whole number above."""
    return -floor(-input)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest number of so many decimals, halves to the even one."""
    if decimals == 0:
        return _step(input, 0)
    scale = 10.0 ** abs(decimals)
    return _step(input * scale, 0) / scale if decimals > 0 else _step(input / scale, 0) * scale


def trunc(input: Tensor) -> Tensor:
    """The next whole number towards 0."""
    return floor(input.abs()) * sign(input)


def frac(input: Tensor) -> Tensor:
    """input - trunc(input)."""
    return input - trunc(input)


def fmod(input: Tensor, other: Operand) -> Tensor:
    """The remainder of input / other with the sign of input."""
    other = like(input, other)
    return _core.binary("fmod", input, other) if is_floating(input, other) else _whole(np.fmod, input, other)


def _whole(function: Callable[..., Any], input: Tensor, other: Tensor) -> Tensor:
    if not array_of(other).all():
        raise RuntimeError(f"{function.__name__}(): integer division by zero")
    return by_numpy(function, input, other)


def remainder(input: Tensor, other: Operand) -> Tensor:
    """The remainder of input / other with the sign of other, as Python's `%`."""
    other = like(input, other)
    if not is_floating(input, other):
        return _whole(np.remainder, input, other)
    rest = fmod(input, other)
    return rest + _core.where(_differing(rest, other), other, 0.0)


def floor_divide(input: Tensor, other: Operand) -> Tensor:
    """floor(input / other), as Python's `//`."""
    other = like(input, other)
    if not is_floating(input, other):
        return _whole(np.floor_divide, input, other)
    rest = fmod(input, other)
    whole = round((input - rest) / other) - _differing(rest, other)
    return _core.where(sign(other), whole, (input / other).detach())


def _differing(a: Tensor, b: Tensor) -> Tensor:
    """1 where the signs differ and neither is 0, else 0."""
    return (-sign(a) * sign(b)).relu()


def add(input: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """input + alpha * other."""
    return input + (other if alpha == 1 else like(input, other) * alpha)


def sub(input: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """input - alpha * other."""
    return input - (other if alpha == 1 else like(input, other) * alpha)


def mul(input: Tensor, other: Operand) -> Tensor:
    """input * other."""
    return _core.binary("mul", input, other)


def div(input: Tensor, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """input / other, rounded down ("floor") or towards 0 ("trunc") where asked for."""
    if rounding_mode not in (None, "floor", "trunc"):
        raise RuntimeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found {rounding_mode!r}"
        )
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode is None:
        return _core.binary("div", input, other)
    divisor = like(input, other)
    whole = not is_floating(input, divisor)
    return floor_divide(input - fmod(input, divisor), divisor) if whole else trunc(input / divisor)


def lerp(input: Tensor, end: Tensor, weight: Tensor | float) -> Tensor:
    """input + weight * (end - input), exact at a weight of 1."""
    step = end - input
    near, far = input + step * weight, end - step * (1 - weight)
    if isinstance(weight, Tensor):
        return _core.where(sign(0.5 - weight.abs()).relu(), near, far)
    return near if abs(weight) < 0.5 else far


@_in_double
def _hypot(input: Tensor, other: Tensor) -> Tensor:
    return (input * input + other * other).sqrt()


def hypot(input: Tensor, other: Operand) -> Tensor:
    """sqrt(input^2 + other^2); squares of float64 may overflow."""
    return _hypot(input, like(input, other))


def is_nan(input: Tensor) -> Tensor:
    """1 for NaN, else 0, in the type of `input`."""
    return 1 - sign(input.abs() + 1)


def nan_to_num(
    input: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Replaces NaN (by 0) and infinities (by the largest finite numbers)."""
    if not is_floating(input):
        return input.clone()
    info = np.finfo(input.dtype)
    top, bottom = float(info.max), float(info.min)
    y = _core.where(is_nan(input), 0.0 if nan is None else nan, input)
    y = _core.where(sign(input - top).relu(), top if posinf is None else posinf, y)
    return _core.where(sign(bottom - input).relu(), bottom if neginf is None else neginf, y)


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 * tensor2."""
    return input + tensor1 * tensor2 * value


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 / tensor2."""
    return input + tensor1 / tensor2 * value
