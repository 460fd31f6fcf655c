"""Errors of every function of one operand and its derivative, in units in the last place, against mpmath, tails included."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import nnlite as nl
from nnlite import _core
from twins import UNARY, Exact, Number

EXACT = {name: row.exact for name, row in UNARY.items() if row.exact is not None}


def sample(row: Exact, dtype: type, count: int) -> np.ndarray:
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
@pytest.mark.parametrize("name", EXACT)
def test_errors(name: str, dtype: type) -> None:
    row = EXACT[name]
    mpmath.mp.dps = 40
    values = sample(row, dtype, 60)
    x = nl.tensor(values, requires_grad=True)
    y = _core.unary(name, x, *row.options)
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
