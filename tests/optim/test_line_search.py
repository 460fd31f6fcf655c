"""The line search evaluates the same points as PyTorch's, in the same order."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.optim import lbfgs

from nnlite import Tensor
from nnlite.optim.line_search import Point, strong_wolfe

Function = Callable[[float], tuple[float, float]]  # of a step, its value and slope


def random_function(r: random.Random) -> Function:
    """Decreasing at 0, then steep, flat, wavy or unbounded."""
    a, b, c, w = r.uniform(0.01, 5), r.uniform(-1, 1), 10 ** r.uniform(-3, 1), r.uniform(0.5, 20)
    kind = r.choice(["quartic", "wave", "valley", "fall", "wall", "rough"])

    def values(t: float) -> tuple[float, float]:
        if kind == "quartic":
            return a * (t - c) ** 4 + b * t * t - c * t, 4 * a * (t - c) ** 3 + 2 * b * t - c
        if kind == "wave":
            return c * t * t - math.sin(w * t), 2 * c * t - w * math.cos(w * t)
        if kind == "valley":
            s = math.sqrt((t - c) ** 2 + 1e-4 * a)
            return s, (t - c) / s
        if kind == "rough":  # a higher point may also have a steep slope
            return -a * t - c * t * math.sin(w * t), -a - c * math.sin(w * t) - c * t * w * math.cos(w * t)
        if kind == "fall":
            return -a * t + 1e-3 * b * t * t, -a + 2e-3 * b * t
        return a * math.exp(min(w * (t - c), 300)) - t, a * w * math.exp(min(w * (t - c), 300)) - 1

    return values


def ours(f: Function, step: float, length: float, tolerance: float, most: int) -> tuple[list[float], float, int]:
    tried = []

    def evaluate(t: float) -> Point:
        tried.append(t)
        value, slope = f(t)
        return Point(t, value, Tensor(np.array([slope])), slope)

    value, slope = f(0.0)
    found, count = strong_wolfe(evaluate, Point(0.0, value, Tensor([slope]), slope), step, length, tolerance, most)
    return tried, found.step, count


def theirs(f: Function, step: float, length: float, tolerance: float, most: int) -> tuple[list[float], float, int]:
    tried = []

    def evaluate(x: object, t: float, d: torch.Tensor) -> tuple[float, torch.Tensor]:
        tried.append(float(t))
        value, slope = f(float(t))
        return value, torch.tensor([slope / length], dtype=torch.float64)

    value, slope = f(0.0)
    d = torch.tensor([length], dtype=torch.float64)
    g = torch.tensor([slope / length], dtype=torch.float64)
    _, _, t, count = lbfgs._strong_wolfe(evaluate, None, step, d, value, g, g.dot(d), 1e-4, 0.9, tolerance, most)
    return tried, float(t), count


@pytest.mark.parametrize("trials", [3000, pytest.param(100_000, marks=pytest.mark.stress)])
def test_the_points_match_pytorch_to_the_last_bit(trials: int, monkeypatch: pytest.MonkeyPatch) -> None:
    interpolate = lbfgs._cubic_interpolate

    def of_floats(x1: float, f1: float, g1: object, x2: float, f2: float, g2: object, bounds: object = None) -> float:
        # PyTorch divides by a tensor by multiplying with its reciprocal, which rounds twice.
        return float(interpolate(float(x1), f1, g1, float(x2), f2, g2, bounds))

    def root(x: torch.Tensor) -> torch.Tensor:
        return torch.tensor(math.sqrt(x), dtype=x.dtype)  # PyTorch's may differ by an ulp

    monkeypatch.setattr(lbfgs, "_cubic_interpolate", of_floats)
    monkeypatch.setattr(torch.Tensor, "sqrt", root)
    falling, evaluations = 0, []
    for seed in range(trials):
        r = random.Random(seed)
        f, step = random_function(r), 10 ** r.uniform(-3, 2)
        length, tolerance, most = r.choice([0.5, 1.0, 2.0]), r.choice([1e-9, 1e-3]), r.choice([25, 25, 4, 2])
        if f(0.0)[1] >= 0:
            continue
        falling += 1
        given, expected = ours(f, step, length, tolerance, most), theirs(f, step, length, tolerance, most)
        assert given == expected, seed
        evaluations.append(given[2])
    assert falling > trials / 3
    assert max(evaluations) > 8  # so some zooms were long


def test_an_infinite_loss_shortens_the_step() -> None:
    def f(t: float) -> tuple[float, float]:
        return ((t - 0.25) ** 2, 2 * (t - 0.25)) if t < 0.5 else (math.inf, math.inf)

    _, found, _ = ours(f, 1.0, 1.0, 1e-9, 25)
    assert 0 < found < 0.5
    assert f(found)[0] < f(0.0)[0]


def test_nan_ends_the_search() -> None:
    _, found, count = ours(lambda t: (1.0, -1.0) if t == 0 else (math.nan, math.nan), 1.0, 1.0, 1e-9, 25)
    assert count <= 26
    assert math.isfinite(found)
