"""Losses of random kinds, options, shapes and dtypes against PyTorch: the same value and gradients, or an error on both sides."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite.nn import functional as ours

theirs = torch.nn.functional
Case = tuple[
    str, np.ndarray, np.ndarray, dict[str, Any], dict[str, np.ndarray]
]  # name, input, target, options, weights

ELEMENTWISE = {
    "mse_loss": {},
    "l1_loss": {},
    "huber_loss": {"delta": [0.3, 1.0, 2.0]},
    "smooth_l1_loss": {"beta": [0.0, 0.3, 1.0]},
    "kl_div": {"log_target": [False, True], "reduction": ["none", "mean", "sum", "batchmean"]},
    "binary_cross_entropy": {},
    "binary_cross_entropy_with_logits": {},
}
CLASSES = {"cross_entropy": {"label_smoothing": [0.0, 0.1, 0.5, 1.0]}, "nll_loss": {}}


def random_shape(rng: np.random.Generator, least: int) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.choice([0, 1, 2, 3, 5], rng.integers(least, 5), p=[0.05, 0.3, 0.2, 0.25, 0.2]))


def chosen(rng: np.random.Generator, options: dict[str, list[Any]]) -> dict[str, Any]:
    options = {"reduction": ["none", "mean", "sum"], **options}
    return {name: values[rng.integers(len(values))] for name, values in options.items()}


def some_extremes(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Probabilities, some of them 0 or 1."""
    return np.where(rng.random(shape) < 0.2, rng.integers(0, 2, shape), rng.random(shape))


def elementwise(rng: np.random.Generator, name: str) -> Case:
    shape, options, weights = random_shape(rng, 0), chosen(rng, ELEMENTWISE[name]), {}
    x, target = rng.standard_normal(shape), rng.standard_normal(shape)
    if name == "kl_div":
        x, target = -abs(x), -abs(target) if options["log_target"] else some_extremes(rng, shape)
    if name.startswith("binary"):
        x = x * rng.choice([1, 100, 1e6]) if name.endswith("logits") else some_extremes(rng, shape)
        target = some_extremes(rng, shape)
        for option in ("weight", "pos_weight") if name.endswith("logits") else ("weight",):
            if rng.random() < 0.5:  # the target's last dimensions, some replaced by 1, a few wrong
                last = shape[rng.integers(0, rank) :] if (rank := len(shape)) else ()
                weights[option] = rng.random([rng.choice([1, n, 3], p=[0.3, 0.6, 0.1]) for n in last]) + 0.1
    return name, x, target, options, weights


def over_classes(rng: np.random.Generator, name: str) -> Case:
    shape, options, weights = random_shape(rng, 1), chosen(rng, CLASSES[name]), {}
    axis = 0 if len(shape) == 1 else 1
    classes = max(shape[axis], 1)
    shape = (*shape[:axis], classes, *shape[axis + 1 :])
    x, rest = -abs(3 * rng.standard_normal(shape)), shape[:axis] + shape[axis + 1 :]
    target = rng.random(shape)
    if name == "nll_loss" or rng.random() < 0.5:
        options["ignore_index"] = int(rng.choice([-100, 0]))
        ignored = rng.random(rest) < rng.choice([0.0, 0.3, 1.0])
        target = np.where(ignored, options["ignore_index"], rng.integers(0, classes, rest))
    if rng.random() < 0.5:
        weights["weight"] = rng.random(classes) * (rng.random(classes) < 0.8)
    return name, x, target, options, weights


def outcome(
    function: Callable[..., Any], case: Case, as_tensor: Callable[..., Any], dtype: type, by_target: bool
) -> Any:
    """(value, gradients), or None for an error."""
    _, x, target, options, weights = case
    leaves = [as_tensor(x.astype(dtype)), as_tensor(target.astype(dtype) if target.dtype.kind == "f" else target)]
    for leaf in leaves[: 1 + (by_target and target.dtype.kind == "f")]:
        leaf.requires_grad_()
    try:
        loss = function(*leaves, **options, **{name: as_tensor(w.astype(dtype)) for name, w in weights.items()})
        loss.sum().backward()
    except (RuntimeError, ValueError):
        return None
    return loss.detach().numpy(), [None if leaf.grad is None else leaf.grad.numpy() for leaf in leaves]


def check(seed: int, trials: int) -> None:
    rng = np.random.default_rng(seed)
    for trial in range(trials):
        name = rng.choice([*ELEMENTWISE, *CLASSES])
        case = (elementwise if name in ELEMENTWISE else over_classes)(rng, str(name))
        dtype, by_target = rng.choice([np.float32, np.float64]), bool(rng.random() < 0.5)
        got = outcome(getattr(ours, name), case, nl.tensor, dtype, by_target)
        expected = outcome(getattr(theirs, name), case, torch.tensor, dtype, by_target)
        what = f"seed {seed}, trial {trial}: {name} {case[1].shape} {case[3]} {sorted(case[4])}"
        assert (got is None) == (expected is None), f"{what}: nnlite {got}, PyTorch {expected}"
        if got is None:
            continue
        tolerance = 3e-5 if dtype == np.float32 else 1e-10
        np.testing.assert_allclose(got[0], expected[0], tolerance, tolerance, err_msg=f"{what}: value")
        for g, e in zip(got[1], expected[1], strict=True):
            if e is not None and name in CLASSES and np.isnan(expected[0]).all():
                e = np.zeros_like(
                    e
                )  # PyTorch's gradient is NaN if the weights sum to 0, but 0 if all labels are ignored
            assert (g is None) == (e is None), what
            if g is not None:
                np.testing.assert_allclose(g, e, tolerance, tolerance, err_msg=f"{what}: gradient")


def test_some() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(0, 500)


@pytest.mark.stress
@pytest.mark.parametrize("seed", range(1, 11))
def test_many(seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(seed, 2000)
