"""Toy data from the library's own generator: the same bits on every machine. x is float32, labels int64.

Rows come in random order; `noise` is the standard deviation of normal noise added to the points. Each function raises
ValueError for a count that is too small or a negative noise.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core

Sample = tuple[NDArray[np.float32], NDArray[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

_COSINE = [(-1) ** k / math.factorial(2 * k) for k in range(9)]
_SINE = [(-1) ** k / math.factorial(2 * k + 1) for k in range(9)]


def _on_circle(turns: Floats) -> Floats:
    """(N, 2) points at angles 2 pi turns, by sums and products only: NumPy's cos has other last bits elsewhere."""
    quarter = np.round(4 * turns)
    angle = 2 * math.pi * (turns - quarter / 4)[:, None]  # within pi / 4 of 0, where the series converge fast
    square, point = angle * angle, np.zeros((len(turns), 2))
    for coefficients in zip(reversed(_COSINE), reversed(_SINE), strict=True):
        point = point * square + coefficients
    point[:, 1:] *= angle
    x, y = point[:, 0], point[:, 1]
    quadrant = quarter.astype(np.int64) % 4
    return np.stack([np.choose(quadrant, [x, -y, -x, y]), np.choose(quadrant, [y, x, -y, -x])], axis=1)


def _require(**least: tuple[float, float]) -> None:
    for name, (value, low) in least.items():
        if not low <= value < math.inf:
            raise ValueError(f"{name} must be at least {low:g} and finite, got {value}")


def _finish(x: Floats, y: NDArray[np.int64], noise: float, generator: _core.Generator) -> Sample:
    if noise > 0:
        x = x + generator.normal(x.shape, 0.0, noise, np.float64)
    order = generator.permutation(len(x))
    return x[order].astype(np.float32), y[order]


def make_spirals(
    n_samples: int = 300, n_classes: int = 3, turns: float = 0.75, noise: float = 0.03, seed: int = 0
) -> Sample:
    """Interleaved spiral arms in the plane, one per class: x (n_samples, 2) within about [-1, 1], y (n_samples,).

    Arm c is r (cos a, sin a) with r from 0.05 to 1 and a = 2 pi (turns r + c / n_classes).

    >>> from nnlite.data import make_spirals
    >>> x, y = make_spirals(300, n_classes=3, seed=0)
    >>> x.shape, sorted(set(y.tolist()))
    ((300, 2), [0, 1, 2])
    """
    _require(n_classes=(n_classes, 1), noise=(noise, 0))
    _require(n_samples=(n_samples, n_classes))
    y = np.arange(n_samples) % n_classes
    radius = 0.05 + 0.95 * (np.arange(n_samples) // n_classes) / max((n_samples - 1) // n_classes, 1)
    x = radius[:, None] * _on_circle(turns * radius + y / n_classes)
    return _finish(x, y.astype(np.int64), noise, _core.Generator(seed))


def _halves(n_samples: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """(class of each row, its number within the class, size of the first half, which is class 0)."""
    first = n_samples // 2
    y = (np.arange(n_samples) >= first).astype(np.int64)
    return y, np.arange(n_samples) - first * y, first


def make_moons(n_samples: int = 100, noise: float = 0.0, seed: int = 0) -> Sample:
    """Two interleaved half circles: x (n_samples, 2), y 0 for the upper and 1 for the lower.

    The upper is (cos a, sin a), the lower (1 - cos a, 1/2 - sin a), a from 0 to pi, as in scikit-learn.
    """
    _require(n_samples=(n_samples, 2), noise=(noise, 0))
    y, number, first = _halves(n_samples)
    steps = np.where(y == 0, max(first - 1, 1), max(n_samples - first - 1, 1))
    upper = _on_circle(number / (2 * steps))
    x = np.where(y[:, None] == 0, upper, np.array([1.0, 0.5]) - upper)
    return _finish(x, y, noise, _core.Generator(seed))


def make_circles(n_samples: int = 100, noise: float = 0.0, factor: float = 0.8, seed: int = 0) -> Sample:
    """A circle of radius 1 (class 0) around one of radius `factor` in [0, 1) (class 1): x (n_samples, 2), y (n_samples,)."""
    _require(n_samples=(n_samples, 2), noise=(noise, 0))
    if not 0 <= factor < 1:
        raise ValueError(f"factor must be in [0, 1), got {factor}")
    y, number, first = _halves(n_samples)
    circle = _on_circle(number / np.where(y == 0, first, n_samples - first))
    return _finish(np.where(y == 0, 1.0, factor)[:, None] * circle, y, noise, _core.Generator(seed))


def make_xor(n_samples: int = 200, noise: float = 0.0, seed: int = 0) -> Sample:
    """Points of the square [-1, 1]^2, x (n_samples, 2); class 1 where the signs of the coordinates differ."""
    _require(n_samples=(n_samples, 1), noise=(noise, 0))
    generator = _core.Generator(seed)
    x = generator.uniform((n_samples, 2), -1.0, 1.0, np.float64)
    return _finish(x, ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(np.int64), noise, generator)


def make_blobs(
    n_samples: int = 100, n_features: int = 2, centers: int = 3, cluster_std: float = 1.0, seed: int = 0
) -> Sample:
    """Normal clouds around `centers` points drawn from [-10, 10]^n_features, one per class: x (n_samples, n_features)."""
    _require(n_features=(n_features, 1), centers=(centers, 1), cluster_std=(cluster_std, 0))
    _require(n_samples=(n_samples, centers))
    generator = _core.Generator(seed)
    means = generator.uniform((centers, n_features), -10.0, 10.0, np.float64)
    y = (np.arange(n_samples) % centers).astype(np.int64)
    return _finish(means[y], y, cluster_std, generator)


def make_regression(
    n_samples: int = 100, n_features: int = 10, n_targets: int = 1, noise: float = 0.0, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A linear map of normal inputs, coefficients in [0, 100), plus noise.

    x (n_samples, n_features), y (n_samples,) or, for several targets, (n_samples, n_targets).
    """
    _require(n_samples=(n_samples, 1), n_features=(n_features, 1), n_targets=(n_targets, 1), noise=(noise, 0))
    generator = _core.Generator(seed)
    x = generator.normal((n_samples, n_features), dtype=np.float64)
    coefficients = generator.uniform((n_features, n_targets), 0.0, 100.0, np.float64)
    # Sums in a fixed order: a BLAS would give other last bits on other machines.
    y = sum((x[:, i : i + 1] * coefficients[i] for i in range(n_features)), np.zeros((n_samples, n_targets)))
    if noise > 0:
        y = y + generator.normal(y.shape, 0.0, noise, np.float64)
    return x.astype(np.float32), (y[:, 0] if n_targets == 1 else y).astype(np.float32)
