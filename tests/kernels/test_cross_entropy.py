"""Losses of nearly certain rows keep their digits: the logarithm of a sum close to 1 is computed as log1p of the rest."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import nnlite as nl
from nnlite.nn import functional

DTYPES = [np.float32, np.float64]


def exact_log_softmax(row: np.ndarray) -> list[mpmath.mpf]:
    values = [mpmath.mpf(v) for v in row.tolist()]
    total = mpmath.fsum(mpmath.exp(v) for v in values)
    return [v - mpmath.log(total) for v in values]


def confident_rows(dtype: type, classes: int) -> np.ndarray:
    """One class ahead by 0 to 40 (of float64: 0 to 200), at each place, and ties."""
    rng = np.random.default_rng(classes)
    x = rng.standard_normal((40, classes))
    ahead = np.linspace(0, 40 if dtype is np.float32 else 200, len(x))
    x[np.arange(len(x)), rng.integers(0, classes, len(x))] += ahead
    x[0], x[1] = 0.25, np.where(np.arange(classes) < 2, 3.0, -9.0)
    return (np.round(16 * x) / 16).astype(dtype)  # so that differences are exact


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [1, 2, 10, 33, 1000])
def test_confident_rows_keep_their_digits(classes: int, dtype: type) -> None:
    mpmath.mp.dps = 120
    rows = confident_rows(dtype, classes)[:: 1 if classes < 100 else 8]
    best = rows.argmax(1)
    eps = np.finfo(dtype).eps
    x = nl.tensor(rows, requires_grad=True)
    losses = functional.cross_entropy(x, best, reduction="none")
    losses.sum().backward()
    probabilities = nl.tensor(rows, requires_grad=True)
    soft_losses = functional.cross_entropy(probabilities, np.eye(classes, dtype=dtype)[best], reduction="none")
    soft_losses.sum().backward()
    logarithms = functional.log_softmax(rows, 1).numpy()
    for i, row in enumerate(rows):
        exact = exact_log_softmax(row)
        at = best[i]
        for loss in (losses.detach().numpy()[i], soft_losses.detach().numpy()[i], -logarithms[i, at]):
            assert float(abs(loss + exact[at])) <= 8 * eps * float(abs(exact[at])), f"{row[:5]}... of class {at}"
        slope = mpmath.expm1(exact[at])  # q - 1
        for gradient in (x.grad.numpy()[i, at], probabilities.grad.numpy()[i, at]):
            assert float(abs(gradient - slope)) <= 16 * eps * float(abs(slope))
        for ours, value in zip(logarithms[i].tolist(), exact, strict=True):
            assert float(abs(ours - value)) <= 8 * eps * float(abs(value))


@pytest.mark.parametrize("dtype", DTYPES)
def test_two_classes(dtype: type) -> None:
    logits = np.array([[17, 0]], dtype)
    assert functional.cross_entropy(logits, [0]).item() == pytest.approx(4.139937633089749e-08, rel=1e-6)
    assert functional.cross_entropy(logits, [1]).item() == pytest.approx(17 + 4.1399e-08, rel=1e-6)
    smoothed = functional.cross_entropy(nl.tensor(logits.astype(np.float64)), [0], label_smoothing=1e-9).item()
    assert smoothed == pytest.approx((1 - 5e-10) * 4.139937633089749e-08 + 5e-10 * 17, rel=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_logits(dtype: type) -> None:
    mpmath.mp.dps = 60
    for value in (0.5, 3, 17, 40, 80, -0.5, -17, -80):
        x = nl.tensor(np.array([value], dtype), requires_grad=True)
        target = np.array([1.0 if value > 0 else 0.0], dtype)
        loss = functional.binary_cross_entropy_with_logits(x, target)
        loss.backward()
        exact = mpmath.log1p(mpmath.exp(-abs(mpmath.mpf(value))))
        assert loss.item() == pytest.approx(float(exact), rel=4 * float(np.finfo(dtype).eps))
        slope = -np.sign(value) / (1 + mpmath.exp(abs(mpmath.mpf(value))))
        assert x.grad.item() == pytest.approx(float(slope), rel=4 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_whose_maximum_is_not_finite(dtype: type) -> None:
    inf, nan = np.inf, np.nan
    rows = np.array([[nan, 1], [1, nan], [inf, 1], [inf, inf], [-inf, -inf], [-inf, 1], [nan, nan]], dtype)
    got = functional.softmax(rows, 1).numpy()
    expected = np.full(rows.shape, nan)
    expected[5] = [0, 1]
    np.testing.assert_array_equal(np.isnan(functional.log_softmax(rows, 1).numpy()), np.isnan(expected))
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_array_equal(got[5], [0, 1])
