"""Products, gradients and losses within derived bounds, on many random cases."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest

import nnlite as nl
from nnlite import nn

TYPES = {"float32": (np.float32, np.float64, 2.0**-24), "float64": (np.float64, np.longdouble, 2.0**-53)}


def numbers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Of very different magnitudes, so that a sum's largest terms hide the rest."""
    return rng.standard_normal(shape) * np.exp2(rng.integers(-12, 13, shape))


@pytest.mark.parametrize("name", TYPES)
def test_products(proof, name):
    """Chains of K fma: the k-th term passes at most K - k + 1 roundings, so K u (|A||B|) to first order; 2 for the rest."""
    dtype, exact, unit = TYPES[name]
    rng = np.random.default_rng(1)
    products = proof.trials(2500, 60)
    worst = 0.0
    for trial in range(products):
        m, n, k = (int(2 ** rng.uniform(0, 8)) for _ in range(3))
        x, weight, dy = (numbers(rng, *shape).astype(dtype) for shape in ((m, k), (n, k), (m, n)))
        inputs, parameter = nl.tensor(x, requires_grad=True), nl.tensor(weight, requires_grad=True)
        output = nn.functional.linear(inputs, parameter)
        output.backward(dy)
        assert inputs.grad is not None
        assert parameter.grad is not None
        forms = {
            "NN": ((nl.tensor(x) @ np.ascontiguousarray(weight.T)), x, weight.T),
            "NT": (output, x, weight.T),
            "NN of a gradient": (inputs.grad, dy, weight),
            "TN of a gradient": (parameter.grad, dy.T, x),
        }
        for form, (found, a, b) in forms.items():
            a, b = a.astype(exact), b.astype(exact)
            bound = 2 * a.shape[1] * unit * (np.abs(a) @ np.abs(b))
            error = np.abs(found.detach().numpy() - a @ b)
            assert (error <= bound).all(), (
                f"{form} of {m}, {n}, {k} in trial {trial}: {(error / bound).max():.2f} of the bound"
            )
            worst = max(worst, float((error / np.maximum(bound, np.finfo(dtype).tiny)).max()))
    proof.report(f"products within 2 K u (|A||B|), {name}", 4 * products, f"worst {worst:.3f} of the bound")


# Smooth ones: differences across the kink of a ReLU or an absolute value are meaningless.
ACTIVATIONS = [
    nn.Tanh,
    nn.Sigmoid,
    nn.GELU,
    nn.SiLU,
    nn.Softplus,
    nn.ELU,
    lambda: nn.Softmax(1),
    lambda: nn.LogSoftmax(1),
]
LOSSES = ["MSELoss", "CrossEntropyLoss", "BCEWithLogitsLoss", "HuberLoss", "NLLLoss"]


def random_network(rng: np.random.Generator) -> tuple[nn.Sequential, int, int]:
    sizes = rng.integers(1, 6, rng.integers(2, 5)).tolist()
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers.append(nn.Linear(inputs, outputs, bias=bool(rng.integers(2))))
        kind = rng.integers(4)
        if kind == 0:
            layers.append(nn.BatchNorm1d(outputs))
        elif kind == 1 and outputs > 2:
            layers.append(nn.LayerNorm(outputs))
        layers.append(ACTIVATIONS[rng.integers(len(ACTIVATIONS))]())
    layers.append(nn.Linear(sizes[-1], sizes[-1]))
    return nn.Sequential(*layers).double(), sizes[0], sizes[-1]


def random_criterion(rng: np.random.Generator, rows: int, outputs: int) -> tuple[nn.Module, np.ndarray]:
    name, reduction = LOSSES[rng.integers(len(LOSSES))], ["mean", "sum"][rng.integers(2)]
    if name in ("CrossEntropyLoss", "NLLLoss"):
        weight = rng.uniform(0.5, 2, outputs) if rng.integers(2) else None
        options = {"label_smoothing": 0.1} if name == "CrossEntropyLoss" and rng.integers(2) else {}
        return getattr(nn, name)(weight=weight, reduction=reduction, **options), rng.integers(0, outputs, rows)
    target = rng.uniform(0, 1, (rows, outputs))
    return getattr(nn, name)(reduction=reduction), target


def test_gradients(proof):
    """Against central differences, within gradcheck's bounds (1e-5 + 1e-3 of the value)."""
    rng = np.random.default_rng(2)
    networks = proof.trials(5000, 60)
    for trial in range(networks):
        nl.manual_seed(trial)
        model, inputs, outputs = random_network(rng)
        rows = int(rng.integers(2, 7))
        criterion, target = random_criterion(rng, rows, outputs)
        x = nl.tensor(rng.standard_normal((rows, inputs)), requires_grad=True)
        parameters = list(model.parameters())
        try:
            nl.gradcheck(lambda x, *_: criterion(model(x), target), [x, *parameters])  # noqa: B023  (called at once)
        except RuntimeError as error:
            raise AssertionError(f"network {trial}, {model}, {criterion}: {error}") from None
    proof.report("gradients of random networks within gradcheck's bounds", networks)


EXTREME = [0.0, 1e-45, -1e-45, 1e-38, -1e-38, 1e-8, -1e-8, 0.5, -0.5, 1.0, -1.0, 20.0, -20.0, 88.0, -88.0, 104.0, -104.0, 1e4, -1e4, 1e15, -1e15, 1e30, -1e30]  # fmt: skip


def random_values(rng: np.random.Generator, count: int) -> list[float]:
    """Mostly extremes, so that ties and overflows occur."""
    drawn = [
        EXTREME[rng.integers(len(EXTREME))] if rng.integers(4) else rng.standard_normal() * 30 for _ in range(count)
    ]
    return [float(np.float32(value)) for value in drawn]


def softplus(z: mpmath.mpf) -> mpmath.mpf:
    """log(1 + e^z)."""
    return mpmath.log1p(mpmath.exp(z)) if z < 0 else z + mpmath.log1p(mpmath.exp(-z))


def cross_entropy(logits: list[float], label: int) -> tuple[mpmath.mpf, mpmath.mpf]:
    """(loss, magnitude of the rounded intermediate values): log sum exp(x - max) - (x_label - max)."""
    top = mpmath.mpf(max(logits))
    total = mpmath.fsum(mpmath.exp(mpmath.mpf(value) - top) for value in logits)
    distance = top - mpmath.mpf(logits[label])
    return mpmath.log(total) + distance, 1 + distance + mpmath.log(total)


def test_losses(proof):
    """float32 against mpmath: 8 roundings of the largest intermediate value; beyond that, the formulas do not cancel."""
    rng = np.random.default_rng(3)
    trials = proof.trials(20_000, 1000)
    unit = 2.0**-24
    worst = dict.fromkeys(("cross entropy", "binary cross entropy", "squares", "smooth l1"), 0.0)
    with mpmath.workdps(60):
        for _ in range(trials):
            logits = random_values(rng, int(rng.integers(1, 6)))
            label = int(rng.integers(len(logits)))
            row = np.array([logits], np.float32)
            z, target = mpmath.mpf(logits[0]), float(rng.choice([0.0, 1.0, 0.25]))
            t = np.array([[target]], np.float32)
            first = row[:, :1]
            difference = abs(z - target)
            found = {
                "cross entropy": (nn.CrossEntropyLoss()(row, np.array([label])), *cross_entropy(logits, label)),
                "binary cross entropy": (
                    nn.BCEWithLogitsLoss()(first, t),
                    (1 - target) * softplus(z) + target * softplus(-z),
                    1 + abs(z),
                ),
                "smooth l1": (
                    nn.SmoothL1Loss()(first, t),
                    difference**2 / 2 if difference < 1 else difference - mpmath.mpf(0.5),
                    1 + difference,
                ),
            }
            if difference < 1e15:  # whose square is still a float32
                found["squares"] = nn.MSELoss()(first, t), difference**2, difference**2 + mpmath.mpf(2) ** -100
            for name, (loss, exact, size) in found.items():
                value = loss.item()
                error = abs(mpmath.mpf(value) - exact) / (8 * unit * size)
                assert math.isfinite(value), f"{name} of {logits}, label {label}, target {target}: {value}"
                assert error <= 1, f"{name} of {logits}, label {label}, target {target}: {value}, not {exact}"
                worst[name] = max(worst[name], float(error))
    shown = ", ".join(f"{name} {8 * error:.1f}" for name, error in worst.items())
    proof.report("losses at extremes within 8 roundings of mpmath's", 4 * trials, f"worst, in roundings: {shown}")
