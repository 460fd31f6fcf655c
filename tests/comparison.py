"""Compares values and gradients of nnlite and PyTorch, for all tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

import nnlite as nl

FORWARD = {np.float32: 1e-6, np.float64: 1e-12}
GRADIENT = {np.float32: 1e-5, np.float64: 1e-11}


def assert_close(actual: Any, expected: Any, tolerance: float, what: str) -> None:
    """Compares relative to the largest finite magnitude; infinities and NaNs must be in the same positions."""
    a, e = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert a.shape == e.shape, f"{what}: shape {a.shape}, PyTorch {e.shape}"
    finite = np.isfinite(e)
    np.testing.assert_array_equal(a[~finite], e[~finite], err_msg=f"{what}: special values differ")
    if finite.any():
        scale = max(np.abs(e[finite]).max(), 1e-30)
        worst = np.abs(a[finite] - e[finite]).max() / scale
        assert worst <= tolerance, f"{what}: relative difference {worst:.2e} > {tolerance:.0e}"


def compare(
    ours: Callable[..., nl.Tensor],
    theirs: Callable[..., torch.Tensor],
    arrays: Sequence[np.ndarray],
    dtype: type = np.float32,
    gradients: Sequence[int] | None = None,
    seed: int = 0,
    forward: float | None = None,
    gradient: float | None = None,
) -> None:
    """Compares value and gradients (of a random projection) of both functions on the same arrays.

    `gradients` are the positions of the arrays to differentiate by; by default all floating ones.
    """
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    wanted = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"] if gradients is None else list(gradients)
    mine = [nl.tensor(a, requires_grad=i in wanted) for i, a in enumerate(arrays)]
    other = [torch.tensor(a, requires_grad=i in wanted) for i, a in enumerate(arrays)]
    y, z = ours(*mine), theirs(*other)
    assert_close(y.detach().numpy(), z.detach().numpy(), forward or FORWARD[dtype], "value")
    if not wanted:
        return
    direction = np.random.default_rng(seed).standard_normal(tuple(z.shape)).astype(dtype)
    y.backward(direction)
    z.backward(torch.from_numpy(np.asarray(direction)))
    for i in wanted:
        expected = np.zeros(arrays[i].shape) if other[i].grad is None else other[i].grad.numpy()
        got = np.zeros(arrays[i].shape) if mine[i].grad is None else mine[i].grad.numpy()
        assert_close(got, expected, gradient or GRADIENT[dtype], f"gradient {i}")


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal float64 values."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def uniform(*shape: int, low: float = 0.0, high: float = 1.0, seed: int = 0) -> np.ndarray:
    """Uniform float64 values."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape)


def labels(*shape: int, classes: int, seed: int = 0) -> np.ndarray:
    """Class indices."""
    return np.random.default_rng([seed, *shape]).integers(0, classes, shape)
