"""Powers: exact if the type can represent the result, within an ulp otherwise, C's pow at zeros and infinities."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import nnlite as nl


def powers(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (nl.tensor(a) ** nl.tensor(b)).numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whole_powers_are_exact_where_representable(dtype: type) -> None:
    a, b = (g.ravel().astype(dtype) for g in np.meshgrid(np.arange(-40, 41), np.arange(-20, 61)))
    a, b = a[a != 0], b[a != 0]
    got = powers(a, b)
    representable = 0
    for x, n, ours in zip(a.tolist(), b.tolist(), got.tolist(), strict=True):
        exact = mpmath.mpf(x) ** int(n)
        with np.errstate(over="ignore"):
            rounded = float(dtype(float(exact)))
        if exact == rounded:
            representable += 1
            assert ours == rounded, f"{x} ** {n} is {ours!r}, exactly {rounded!r}"
    assert representable > 500


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_errors(dtype: type) -> None:
    mpmath.mp.dps = 50
    rng = np.random.default_rng(0)
    info = np.finfo(dtype)
    decades = np.log10(float(info.max))
    a = np.concatenate(
        [
            rng.uniform(0.01, 100, 300),
            10 ** rng.uniform(-decades, decades, 300),
            1 + 1e-3 * rng.standard_normal(300),
            [10, 10, 3],
        ]
    ).astype(dtype)
    b = np.concatenate(
        [rng.uniform(-12, 12, 300), rng.uniform(-1, 1, 300), rng.uniform(-9e3, 9e3, 300), [300, -300, 0.5]]
    ).astype(dtype)
    for x, n, ours in zip(a.tolist(), b.tolist(), powers(a, b).tolist(), strict=True):
        exact = mpmath.mpf(x) ** mpmath.mpf(n)
        if exact > float(info.max):
            assert ours >= float(info.max)
            continue
        unit = max(
            mpmath.ldexp(1, int(mpmath.floor(mpmath.log(exact, 2))) - info.nmant), float(info.smallest_subnormal)
        )
        assert abs(ours - exact) < unit, f"{x!r} ** {n!r} is {ours!r}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_result_does_not_depend_on_its_neighbours(dtype: type) -> None:
    # Common exponents take a faster path if all lanes of a vector share one.
    exponents = np.array([0, 0.5, 1, 2, 3, -1, -0.5, 2.5, 7, -3, np.nan, np.inf], dtype)
    bases = np.array([0, -0.0, 1, -1, 0.3, -0.3, 7, -7, np.inf, -np.inf, np.nan, 1e-30], dtype)
    a, b = (g.ravel() for g in np.meshgrid(bases, exponents))
    together = powers(a, b)
    alone = [powers(np.array([x]), np.array([n]))[0] for x, n in zip(a, b, strict=True)]
    np.testing.assert_array_equal(together, np.array(alone, dtype))
    assert (np.signbit(together) == np.signbit(alone)).all()
