"""Toy data, from the library's own generator: the same on every machine. x is float32, labels int64."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core

Sample = tuple[NDArray[np.float32], NDArray[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def _finish(x: Floats, y: NDArray[np.int64], noise: float, generator: _core.Generator) -> Sample:
    if noise > 0:
        x = x + generator.normal(x.shape, 0.0, noise, np.float64)
    order = generator.permutation(len(x))
    return x[order].astype(np.float32), y[order]


def _require_samples(n_samples: int, least: int = 1) -> None:
    if n_samples < least:
        raise ValueError(f"n_samples must be at least {least}, got {n_samples}")


def make_spirals(
    n_samples: int = 300, n_classes: int = 3, turns: float = 0.75, noise: float = 0.03, seed: int = 0
) -> Sample:
    """Interleaved spiral arms in the plane, one a class: x (n_samples, 2) within about [-1, 1], y (n_samples,)."""
    _require_samples(n_samples, n_classes)
    generator = _core.Generator(seed)
    y = np.arange(n_samples) % n_classes
    radius = 0.05 + 0.95 * (np.arange(n_samples) // n_classes) / max((n_samples - 1) // n_classes, 1)
    angle = 2 * math.pi * (turns * radius + y / n_classes)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return _finish(x, y.astype(np.int64), noise, generator)


def make_moons(n_samples: int = 100, noise: float = 0.0, seed: int = 0) -> Sample:
    """Two interleaved half circles: x (n_samples, 2), y 0 for the upper and 1 for the lower one."""
    _require_samples(n_samples, 2)
    outer = n_samples // 2
    angle = np.concatenate([np.linspace(0, math.pi, outer), np.linspace(0, math.pi, n_samples - outer)])
    y = (np.arange(n_samples) >= outer).astype(np.int64)
    x = np.stack([np.where(y == 0, np.cos(angle), 1 - np.cos(angle)), np.where(y == 0, np.sin(angle), 0.5 - np.sin(angle))], 1)
    return _finish(x, y, noise, _core.Generator(seed))


def make_circles(n_samples: int = 100, noise: float = 0.0, factor: float = 0.8, seed: int = 0) -> Sample:
    """A circle of radius 1 (class 0) around one of radius `factor` (class 1)."""
    _require_samples(n_samples, 2)
    if not 0 <= factor < 1:
        raise ValueError(f"factor must be in [0, 1), got {factor}")
    outer = n_samples // 2
    angle = np.concatenate(
        [2 * math.pi * np.arange(count) / count for count in (outer, n_samples - outer)]
    )
    y = (np.arange(n_samples) >= outer).astype(np.int64)
    radius = np.where(y == 0, 1.0, factor)
    return _finish(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), y, noise, _core.Generator(seed))


def make_xor(n_samples: int = 200, noise: float = 0.0, seed: int = 0) -> Sample:
    """Points of the square [-1, 1]^2; class 1 where the signs of the coordinates differ."""
    _require_samples(n_samples)
    generator = _core.Generator(seed)
    x = generator.uniform((n_samples, 2), -1.0, 1.0, np.float64)
    return _finish(x, ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(np.int64), noise, generator)


def make_blobs(
    n_samples: int = 100, n_features: int = 2, centers: int = 3, cluster_std: float = 1.0, seed: int = 0
) -> Sample:
    """Normal clouds around `centers` points drawn from [-10, 10]^n_features, one a class."""
    _require_samples(n_samples, centers)
    generator = _core.Generator(seed)
    means = generator.uniform((centers, n_features), -10.0, 10.0, np.float64)
    y = (np.arange(n_samples) % centers).astype(np.int64)
    return _finish(means[y], y, cluster_std, generator)


def make_regression(
    n_samples: int = 100, n_features: int = 10, n_targets: int = 1, noise: float = 0.0, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A linear map of normal inputs with coefficients in [0, 100): x (n, features), y (n,) or (n, targets), plus noise."""
    _require_samples(n_samples)
    generator = _core.Generator(seed)
    x = generator.normal((n_samples, n_features), dtype=np.float64)
    coefficients = generator.uniform((n_features, n_targets), 0.0, 100.0, np.float64)
    # Sums in a fixed order: a BLAS would give other last bits on other machines.
    y = sum((x[:, i : i + 1] * coefficients[i] for i in range(n_features)), np.zeros((n_samples, n_targets)))
    if noise > 0:
        y = y + generator.normal(y.shape, 0.0, noise, np.float64)
    return x.astype(np.float32), (y[:, 0] if n_targets == 1 else y).astype(np.float32)
