"""Every function of one operand, value and gradient: errors in units in the last place against mpmath, tails included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest

import nnlite as nl
from nnlite import _core

Number = Any  # mpmath has no types


class Row(NamedTuple):
    """Value and derivative in exact arithmetic; bounds of their errors in ulp, None for a derivative that is computed from the value
    as in PyTorch, and is good to an ulp of 1."""

    value: Callable[[Number], Number]
    derivative: Callable[[Number], Number]
    bounds: tuple[float, float | None]
    settings: tuple[float, ...] = ()
    root: float = 0.0  # of the derivative, close to which only an absolute error can be small
    low: float = -np.inf


def sigmoid(x: Number) -> Number:
    return 1 / (1 + mpmath.exp(-x))


def swish(x: Number, v: Number, slope: Number) -> Number:
    return sigmoid(v) * (1 + x * slope * sigmoid(-v))


def gelu_argument(x: Number) -> Number:
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)


def gelu_slope(x: Number) -> Number:
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (1 + 3 * mpmath.mpf("0.044715") * x**2)


ROWS = {
    "exp": Row(mpmath.exp, mpmath.exp, (1.1, 1.1)),
    "expm1": Row(mpmath.expm1, mpmath.exp, (1.5, None)),
    "log": Row(mpmath.log, lambda x: 1 / x, (1, 0.51), low=0),
    "log1p": Row(mpmath.log1p, lambda x: 1 / (1 + x), (1.6, 1.6), low=-1),
    "sqrt": Row(mpmath.sqrt, lambda x: 1 / (2 * mpmath.sqrt(x)), (0.51, 1.6), low=0),
    "reciprocal": Row(lambda x: 1 / x, lambda x: -1 / x**2, (0.51, 2)),
    "square": Row(lambda x: x**2, lambda x: 2 * x, (0.51, 0.51)),
    "tanh": Row(mpmath.tanh, lambda x: mpmath.sech(x) ** 2, (1.5, None)),
    "sigmoid": Row(sigmoid, lambda x: sigmoid(x) * sigmoid(-x), (2, None)),
    "softplus": Row(lambda x: x if x > 20 else mpmath.log1p(mpmath.exp(x)), lambda x: 1 if x > 20 else sigmoid(x), (2.5, 2), (1, 20)),
    "elu": Row(lambda x: x if x > 0 else mpmath.expm1(x), lambda x: 1 if x > 0 else mpmath.exp(x), (1.5, 1.1), (1,)),
    "erf": Row(mpmath.erf, lambda x: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(x**2)), (1.5, 2.5)),
    "gelu": Row(lambda x: x * mpmath.ncdf(x), lambda x: mpmath.ncdf(x) + x * mpmath.npdf(x), (4, 6), root=-0.7518),
    "gelu_tanh": Row(
        lambda x: x * sigmoid(gelu_argument(x)), lambda x: swish(x, gelu_argument(x), gelu_slope(x)), (3, 6), root=-0.7525
    ),
    "silu": Row(lambda x: x * sigmoid(x), lambda x: swish(x, x, 1), (3, 6), root=-1.2785),
}  # fmt: skip
STEPS = {"relu", "leaky_relu", "abs", "neg", "clip", "scale", "shift"}  # exact, or one rounding


def test_every_function_has_a_row() -> None:
    assert set(_core.unary_names()) == ROWS.keys() | STEPS


def sample(row: Row, dtype: type, count: int) -> np.ndarray:
    """Both sides of zero, all sizes, and the tails down to where the results are subnormal."""
    rng = np.random.default_rng(0)
    depth = 105 if dtype is np.float32 else 750
    parts = [4 * rng.standard_normal(count), -rng.uniform(0, depth, count), -rng.uniform(0, depth**0.6, count)]
    parts += [rng.choice([-1, 1], count) * 10 ** rng.uniform(-12, 1.3, count)]
    x = np.concatenate(parts).astype(dtype)
    return x[x > row.low] if row.low > -np.inf else x


def errors(got: np.ndarray, exact: list[Number]) -> np.ndarray:
    """In units in the last place of the exact value."""
    info = np.finfo(got.dtype)
    result = []
    for ours, value in zip(got.tolist(), exact, strict=True):
        unit = max(
            mpmath.ldexp(1, int(mpmath.floor(mpmath.log(abs(value), 2))) - info.nmant) if value else 0,
            info.smallest_subnormal,
        )
        result.append(float(abs(mpmath.mpf(ours) - value) / unit))
    return np.array(result)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ROWS)
def test_errors(name: str, dtype: type) -> None:
    row = ROWS[name]
    mpmath.mp.dps = 40
    values = sample(row, dtype, 60)
    x = nl.tensor(values, requires_grad=True)
    y = _core.unary(name, x, *row.settings)
    y.backward(np.ones_like(values))
    exact = [mpmath.mpf(v) for v in values.tolist()]
    value_errors = errors(y.detach().numpy(), [row.value(v) for v in exact])
    at = value_errors.argmax()
    assert value_errors[at] <= row.bounds[0], f"{name}({values[at]!r}) is off by {value_errors[at]:.2f} ulp"

    derivative = [row.derivative(v) for v in exact]
    eps = np.finfo(dtype).eps
    absolute = np.array(
        [float(abs(mpmath.mpf(g) - d)) for g, d in zip(x.grad.numpy().tolist(), derivative, strict=True)]
    )
    if row.bounds[1] is None:
        assert (absolute <= 2 * eps * np.maximum(1, np.abs(np.array(derivative, float)))).all()
        return
    gradient_errors = errors(x.grad.numpy(), derivative)
    if row.root:
        gradient_errors[(absolute <= 2 * eps) & (np.abs(values - row.root) < 1)] = 0
    at = gradient_errors.argmax()
    assert gradient_errors[at] <= row.bounds[1], f"{name}'({values[at]!r}) is off by {gradient_errors[at]:.2f} ulp"
