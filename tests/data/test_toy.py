"""Toy data."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets

from nnlite import data
from nnlite.data.toy import _on_circle

CLASSIFIERS = {
    "make_spirals": (data.make_spirals, 2, 3),
    "make_moons": (data.make_moons, 2, 2),
    "make_circles": (data.make_circles, 2, 2),
    "make_xor": (data.make_xor, 2, 2),
    "make_blobs": (data.make_blobs, 2, 3),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("n", [3, 10, 101])
def test_shapes_types_and_classes(name, n) -> None:
    make, features, classes = CLASSIFIERS[name]
    x, y = make(n, seed=1)
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((n, features), np.float32, (n,), np.int64)
    assert np.isfinite(x).all()
    assert set(y.tolist()) <= set(range(classes))
    if name != "make_xor":
        assert np.ptp(np.bincount(y, minlength=classes)) <= 1  # classes of one size


@pytest.mark.parametrize("make", [*(row[0] for row in CLASSIFIERS.values()), data.make_regression])
def test_the_seed_determines_the_data(make) -> None:
    first, again, other = make(50, seed=4), make(50, seed=4), make(50, seed=5)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])


@given(st.floats(-1e6, 1e6))
def test_points_on_a_circle(turns: float) -> None:
    point = _on_circle(np.array([turns]))[0]
    angle = 2 * np.pi * (turns - round(turns))
    np.testing.assert_allclose(point, [np.cos(angle), np.sin(angle)], atol=5e-16, rtol=0)


def test_quarter_turns_are_exact() -> None:
    expected = [[1, 0], [0, 1], [-1, 0], [0, -1], [1, 0], [0, -1]]
    np.testing.assert_array_equal(_on_circle(np.array([0, 0.25, 0.5, 0.75, 1, -0.25])), expected)


def sorted_rows(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    rows = np.column_stack([x.astype(np.float64), y]).round(4)
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("n", [2, 3, 100, 101])
def test_moons_and_circles_are_scikit_learns(n) -> None:
    np.testing.assert_allclose(
        sorted_rows(*data.make_moons(n)), sorted_rows(*datasets.make_moons(n, shuffle=False)), atol=1e-4
    )
    theirs = datasets.make_circles(n, shuffle=False, factor=0.3)
    np.testing.assert_allclose(sorted_rows(*data.make_circles(n, factor=0.3)), sorted_rows(*theirs), atol=1e-4)


def test_noise_has_its_standard_deviation() -> None:
    x, _ = data.make_circles(20_000, noise=0.1, factor=0.0, seed=2)
    inner = x[np.hypot(x[:, 0], x[:, 1]) < 0.5]
    assert inner.std() == pytest.approx(0.1, rel=0.05)


def test_xor_is_the_signs() -> None:
    x, y = data.make_xor(500, seed=3)
    np.testing.assert_array_equal(y, (x[:, 0] > 0) != (x[:, 1] > 0))
    assert np.abs(x).max() <= 1


def test_blobs_lie_around_their_centres() -> None:
    x, y = data.make_blobs(3000, n_features=4, centers=5, cluster_std=0.5, seed=1)
    assert x.shape == (3000, 4)
    for label in range(5):
        assert x[y == label].std(0) == pytest.approx(0.5, rel=0.1)


def test_regression_is_linear() -> None:
    x, y = data.make_regression(200, n_features=5, seed=1)
    coefficients, residuals, *_ = np.linalg.lstsq(x.astype(np.float64), y.astype(np.float64), rcond=None)
    assert residuals[0] < 1e-6
    assert ((coefficients >= 0) & (coefficients < 100)).all()
    assert data.make_regression(20, n_targets=3)[1].shape == (20, 3)


GOLDEN = {
    "spirals": (data.make_spirals, {"n_samples": 150}),
    "moons": (data.make_moons, {"noise": 0.1}),
    "circles": (data.make_circles, {"noise": 0.05}),
    "xor": (data.make_xor, {}),
    "blobs": (data.make_blobs, {}),
    "regression": (data.make_regression, {"noise": 5.0}),
}


def fingerprint(name: str) -> str:
    make, settings = GOLDEN[name]
    parts = make(**settings, seed=7)
    return hashlib.sha256(b"".join(part.astype(part.dtype.newbyteorder("<")).tobytes() for part in parts)).hexdigest()[
        :16
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("spirals", "a6eb995819c08452"),
        ("moons", "febcc90e9f2b0364"),
        ("circles", "b4854328de2a0188"),
        ("xor", "22c4538a28fcca7f"),
        ("blobs", "37766e904315dadb"),
        ("regression", "7a65bfb223e848d0"),
    ],
)
def test_the_bits_match_the_recorded_ones(name, expected) -> None:
    assert fingerprint(name) == expected


@pytest.mark.parametrize(
    ("make", "settings", "match"),
    [
        (data.make_spirals, {"n_samples": 2}, "n_samples must be at least 3"),
        (data.make_spirals, {"n_classes": 0}, "n_classes must be at least 1"),
        (data.make_moons, {"n_samples": 1}, "n_samples must be at least 2"),
        (data.make_moons, {"noise": -0.1}, "noise must be at least 0"),
        (data.make_moons, {"noise": float("nan")}, "noise must be at least 0"),
        (data.make_circles, {"factor": 1.0}, "factor must be in"),
        (data.make_circles, {"factor": float("nan")}, "factor must be in"),
        (data.make_xor, {"n_samples": 0}, "n_samples must be at least 1"),
        (data.make_blobs, {"n_samples": 2}, "n_samples must be at least 3"),
        (data.make_blobs, {"cluster_std": float("inf")}, "cluster_std must be at least 0 and finite"),
        (data.make_blobs, {"n_features": 0}, "n_features must be at least 1"),
        (data.make_regression, {"n_targets": 0}, "n_targets must be at least 1"),
    ],
)
def test_settings_are_checked(make, settings, match) -> None:
    with pytest.raises(ValueError, match=match):
        make(**settings)
