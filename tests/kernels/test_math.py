"""The elementary functions: errors in units in the last place, special values, and the same bits on every instruction set."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import scipy.special

import nnlite as nl
from nnlite import _core

# name: (reference in double, bound in float ulps, bound in double ulps)
FUNCTIONS = {
    "exp": (np.exp, 1.04, 1.0),  # above 1 ulp in fewer than 100 of the 2**32
    "log": (np.log, 1.0, 1.0),
    "expm1": (np.expm1, 1.5, 1.5),
    "log1p": (np.log1p, 2.0, 2.0),
    "tanh": (np.tanh, 2.0, 2.5),
    "sigmoid": (lambda x: np.where(x < 0, np.exp(-np.abs(x)), 1) / (1 + np.exp(-np.abs(x))), 2.0, 2.5),
    "erf": (scipy.special.erf, 2.0, 3.0),
    "sin": (np.sin, 0.51, 1.0),
}
EXACT = {
    "exp": mpmath.exp, "log": mpmath.log, "expm1": mpmath.expm1, "log1p": mpmath.log1p, "tanh": mpmath.tanh, "erf": mpmath.erf,
    "sin": mpmath.sin,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
}  # fmt: skip


def float32_errors(name: str, x: np.ndarray) -> np.ndarray:
    """Errors in float32 ulps of the exact value; special values are compared for equality instead."""
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name][0](x.astype(np.float64))
        got = _core.unary_kernel(name, x)
        rounded = exact.astype(np.float32)
        finite = np.isfinite(rounded) & np.isfinite(got)
        # If the exact value rounds to infinity or is NaN, ours must too; the last float before it is exempt.
        special = ~finite & ~((np.abs(rounded) == np.inf) & (np.abs(got) >= np.float32(3.4028e38)))
        np.testing.assert_array_equal(got[special], rounded[special], err_msg=name)
        spacing = np.spacing(np.abs(rounded[finite])).astype(np.float64)
    return np.abs(got[finite].astype(np.float64) - exact[finite]) / spacing


def some_floats(stride: int) -> np.ndarray:
    """Every `stride`-th float32, in order of bits: all exponents, both signs, subnormals, infinities and NaNs."""
    return np.arange(0, 2**32, stride, np.uint64).astype(np.uint32).view(np.float32)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_errors_on_a_sample_of_all_floats(name: str) -> None:
    x = some_floats(2003)
    worst = float32_errors(name, x).max()
    assert worst <= FUNCTIONS[name][1], f"{name} is off by {worst:.2f} ulp"


@pytest.mark.stress
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_errors_on_all_floats(name: str) -> None:
    worst, above_one = 0.0, 0
    for start in range(0, 2**32, 2**24):
        x = np.arange(start, start + 2**24, dtype=np.uint64).astype(np.uint32).view(np.float32)
        errors = float32_errors(name, x)
        worst = max(worst, errors.max(initial=0.0))
        above_one += np.count_nonzero(errors > 1)
    print(f"{name}: {worst:.3f} ulp over all float32 inputs, above 1 ulp in {above_one}")
    assert worst <= FUNCTIONS[name][1]
    assert name != "exp" or above_one < 100


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_errors(name: str) -> None:
    mpmath.mp.dps = 40
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [
            rng.uniform(-40, 40, 300),
            rng.standard_normal(300),
            10 ** rng.uniform(-18, 2.8, 200),
            -(10 ** rng.uniform(-18, 2.5, 200)),
        ]
    )
    if name in ("log", "log1p"):
        x = np.concatenate([np.abs(x), 10 ** rng.uniform(-320, 308, 300), 1 + 1e-3 * rng.standard_normal(200)])
    got = _core.unary_kernel(name, x)
    worst, where = 0.0, 0.0
    for value, ours in zip(x, got, strict=True):
        exact = EXACT[name](mpmath.mpf(float(value)))
        if exact > 1e308 or (exact != 0 and abs(exact) < 1e-300):
            continue
        error = float(abs(mpmath.mpf(float(ours)) - exact) / mpmath.mpf(float(np.spacing(abs(float(exact))))))
        if error > worst:
            worst, where = error, value
    assert worst <= FUNCTIONS[name][2], f"{name}({where!r}) is off by {worst:.2f} ulp"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_values(dtype: type) -> None:
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], dtype)
    expected = {
        "exp": [np.inf, 0, np.nan, 1, 1], "log": [np.inf, np.nan, np.nan, -np.inf, -np.inf], "tanh": [1, -1, np.nan, 0, -0.0],
        "sigmoid": [1, 0, np.nan, 0.5, 0.5], "erf": [1, -1, np.nan, 0, -0.0], "log1p": [np.inf, np.nan, np.nan, 0, -0.0],
        "expm1": [np.inf, -1, np.nan, 0, -0.0], "relu": [np.inf, 0, np.nan, 0, 0], "sqrt": [np.inf, np.nan, np.nan, 0, -0.0],
        "softplus": [np.inf, 0, np.nan, math.log(2), math.log(2)],
    }  # fmt: skip
    for name, values in expected.items():
        got = _core.unary_kernel(name, x, *((1.0, 20.0) if name == "softplus" else ()))
        np.testing.assert_allclose(got, np.array(values, dtype), rtol=1e-6, err_msg=name)
        if name in ("tanh", "erf", "log1p", "expm1"):
            assert np.signbit(got[4]), f"{name}(-0) is -0"
    assert _core.unary_kernel("exp", np.array([-104.5], dtype))[0] >= 0
    tiny = np.array([1e-40, 1e-45], np.float32)
    np.testing.assert_array_equal(_core.unary_kernel("scale", tiny, 1.0), tiny, "subnormal numbers are kept")


CODE = """
import hashlib, numpy as np
from nnlite import _core
x = np.arange(0, 2**32, 10007, np.uint64).astype(np.uint32).view(np.float32)
digest = hashlib.sha256()
for name in _core.unary_names():
    for values in (x, x.astype(np.float64), x.astype(np.float64) * 1e-9):
        y = _core.unary_kernel(name, values, 0.7, 1.9)
        y[np.isnan(y)] = 12345
        digest.update(y.tobytes())
print(_core.show_config()["isa"], digest.hexdigest())
"""


def test_every_instruction_set_gives_the_same_bits(run_python) -> None:
    isas = nl.show_config()["available_isas"]
    results = dict(
        run_python("import warnings; warnings.simplefilter('ignore')" + CODE, NNLITE_ISA=isa).split() for isa in isas
    )
    assert list(results) == isas
    assert len(set(results.values())) == 1, results
