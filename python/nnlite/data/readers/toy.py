"""Synthetic toy data, by name."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import toy
from ..scaling import Arrays

Array = np.ndarray[Any, Any]

TOYS: dict[str, Callable[[int], tuple[Array, Array]]] = {
    "spirals": lambda seed: toy.make_spirals(1500, seed=seed),
    "moons": lambda seed: toy.make_moons(1000, noise=0.1, seed=seed),
    "circles": lambda seed: toy.make_circles(1000, noise=0.05, factor=0.5, seed=seed),
    "xor": lambda seed: toy.make_xor(1000, seed=seed),
    "blobs": lambda seed: toy.make_blobs(1000, seed=seed),
    "regression": lambda seed: toy.make_regression(1000, noise=5.0, seed=seed),
}
DESCRIPTION = f"one of {', '.join(TOYS)}"


def matches(name: str) -> bool:
    """Whether `name` is one of them."""
    return name in TOYS


def load(name: str, seed: int = 0) -> Arrays:
    """The rows for a seed."""
    return Arrays(name, *TOYS[name](seed))


def inputs(name: str, seed: int = 0) -> Array:
    """Only their inputs."""
    return TOYS[name](seed)[0]
