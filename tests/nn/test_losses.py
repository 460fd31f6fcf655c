"""Every loss, option and shape class against PyTorch, and mpmath at the extremes."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
import torch.nn.functional as tf

import nnlite as nl
from comparison import compare, labels, normal, uniform
from nnlite import _core, nn
from nnlite.nn import functional
from twins import LOSSES

# PyTorch warns about "mean" for KLDivLoss.
pytestmark = pytest.mark.filterwarnings("ignore:reduction.*mean.*divides:UserWarning")

DTYPES = [np.float32, np.float64]
REDUCTIONS = ["none", "mean", "sum"]
SHAPES = [(), (1,), (7,), (5, 3), (2, 3, 4), (200, 2), (70, 17)]


def test_every_native_loss_has_a_twin() -> None:
    assert {name.partition(" ")[0] for name in LOSSES} == set(_core.loss_names())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", LOSSES)
def test_elementwise(name: str, reduction: str, dtype: type) -> None:
    ours, theirs, options, draw, draw_target = LOSSES[name][:5]
    for shape in SHAPES:
        x, t = draw(*shape), draw_target(*shape, seed=1)
        compare(
            ours(reduction=reduction, **options), theirs(reduction=reduction, **options), [x, t], dtype, gradients=[0]
        )


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_by_the_target(name: str) -> None:
    ours, theirs, options, draw, draw_target = LOSSES[name][:5]
    for reduction in REDUCTIONS:
        compare(
            ours(reduction=reduction, **options),
            theirs(reduction=reduction, **options),
            [draw(4, 3), draw_target(4, 3, seed=1)],
        )


def test_gradient_by_the_target_at_its_bounds() -> None:
    for reduction in REDUCTIONS:
        compare(
            nn.BCELoss(reduction=reduction),
            torch.nn.BCELoss(reduction=reduction),
            [np.array([0.0, 1.0, 0.5]), np.array([0.0, 1.0, 1.0])],
        )
        for log_target in (False, True):
            compare(
                nn.KLDivLoss(reduction, log_target),
                torch.nn.KLDivLoss(reduction=reduction, log_target=log_target),
                [-np.ones(4), np.array([0.0, 0.5, 1.0, -0.5])],
            )


def test_kl_div_batchmean() -> None:
    for shape in [(), (6,), (4, 3), (2, 3, 4)]:
        x, t = -np.abs(normal(*shape)), uniform(*shape, seed=1)
        compare(nn.KLDivLoss("batchmean"), torch.nn.KLDivLoss(reduction="batchmean"), [x, t], gradients=[0])


def test_kl_div_of_zero_probabilities_is_zero() -> None:
    compare(
        nn.KLDivLoss("none"),
        torch.nn.KLDivLoss(reduction="none"),
        [-np.ones(3), np.array([0.0, 0.5, 1.0])],
        gradients=[0],
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_bce_weights(reduction: str, dtype: type) -> None:
    for shape, weight_shape in [((4, 3), (3,)), ((4, 3), (4, 3)), ((5,), (5,)), ((2, 3, 4), (4,))]:
        w = uniform(*weight_shape, low=0.2, high=2, seed=3).astype(dtype)
        p, t = uniform(*shape, low=0.01, high=0.99), uniform(*shape, seed=1)
        compare(
            nn.BCELoss(w, reduction),
            torch.nn.BCELoss(torch.from_numpy(w), reduction=reduction),
            [p, t],
            dtype,
            gradients=[0],
        )
        for positive in (None, uniform(*shape[-1:], low=0.5, high=4, seed=4).astype(dtype)):
            for weight in (None, w):
                compare(
                    nn.BCEWithLogitsLoss(weight, reduction, positive),
                    torch.nn.BCEWithLogitsLoss(*(None if v is None else torch.from_numpy(v) for v in (weight,)), reduction=reduction,
                                               pos_weight=None if positive is None else torch.from_numpy(positive)),
                    [normal(*shape), t], dtype, gradients=[0],
                )  # fmt: skip


CLASS_SHAPES = [
    ((4,), ()),
    ((6, 4), (6,)),
    ((1, 4), (1,)),
    ((3, 4, 5), (3, 5)),
    ((2, 3, 2, 2), (2, 2, 2)),
    ((150, 3), (150,)),
    ((5, 40), (5,)),
    ((5, 1), (5,)),
]
CLASS_OPTIONS = list(itertools.product(REDUCTIONS, [False, True], [-100, 1], [0.0, 0.1]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shapes", CLASS_SHAPES, ids=str)
def test_cross_entropy_of_indices(shapes: tuple, dtype: type) -> None:
    shape, target_shape = shapes
    classes = shape[0] if len(shape) == 1 else shape[1]
    x, t = 2 * normal(*shape), labels(*target_shape, classes=classes)
    for reduction, weighted, ignore, smoothing in CLASS_OPTIONS:
        if ignore >= 0 and (t == ignore).all():
            continue  # 0 / 0 on both sides
        w = uniform(classes, low=0.2, high=2, seed=2).astype(dtype) if weighted else None
        compare(
            nn.CrossEntropyLoss(w, ignore, reduction, smoothing),
            torch.nn.CrossEntropyLoss(None if w is None else torch.from_numpy(w), ignore_index=ignore, reduction=reduction, label_smoothing=smoothing),
            [x, t], dtype,
        )  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [s for s, _ in CLASS_SHAPES], ids=str)
def test_cross_entropy_of_probabilities(shape: tuple, dtype: type) -> None:
    axis = 0 if len(shape) == 1 else 1
    p = uniform(*shape, seed=1)
    p /= p.sum(axis, keepdims=True)
    for reduction, weighted, _, smoothing in CLASS_OPTIONS:
        w = uniform(shape[axis], low=0.2, high=2, seed=2).astype(dtype) if weighted else None
        ours = nn.CrossEntropyLoss(w, reduction=reduction, label_smoothing=smoothing)
        theirs = torch.nn.CrossEntropyLoss(
            None if w is None else torch.from_numpy(w), reduction=reduction, label_smoothing=smoothing
        )
        compare(ours, theirs, [normal(*shape), p], dtype, gradients=[0])
        compare(ours, theirs, [normal(*shape), p], dtype, gradients=[0, 1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shapes", CLASS_SHAPES, ids=str)
def test_nll(shapes: tuple, dtype: type) -> None:
    shape, target_shape = shapes
    classes = shape[0] if len(shape) == 1 else shape[1]
    t = labels(*target_shape, classes=classes)
    for reduction, weighted, ignore, _ in CLASS_OPTIONS[::2]:
        if ignore >= 0 and (t == ignore).all():
            continue
        w = uniform(classes, low=0.2, high=2, seed=2).astype(dtype) if weighted else None
        compare(
            nn.NLLLoss(w, ignore, reduction), torch.nn.NLLLoss(None if w is None else torch.from_numpy(w), ignore_index=ignore, reduction=reduction),
            [-np.abs(normal(*shape)), t], dtype,
        )  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weights", ["ignored", "zero"])
def test_a_batch_without_weight_is_nan_as_in_pytorch_with_gradient_zero(
    weights: str, smoothing: float, dtype: type
) -> None:
    t = np.array([0, 0, 2])
    if weights == "ignored":
        options, smoothed = {"ignore_index": -100}, 0.0
        t = np.full(3, -100)
    else:
        options, smoothed = {"weight": np.array([0, 3, 0, 3], dtype)}, smoothing
    for shape, target in [((3, 4), t), ((4,), t[0]), ((1, 4, 3), t[None])]:
        for reduction, expected in (("mean", np.nan), ("sum", 0.0)):
            losses = [nn.CrossEntropyLoss(reduction=reduction, label_smoothing=smoothing, **options)]
            losses += [nn.NLLLoss(reduction=reduction, **options)] if smoothing == 0 else []
            for criterion in losses:
                x = nl.tensor(normal(*shape).astype(dtype), requires_grad=True)
                loss = criterion(x, target)
                loss.backward()
                if reduction == "mean" or smoothed == 0:
                    np.testing.assert_equal(loss.item(), expected)
                    assert not x.grad.numpy().any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_logits_stay_finite(dtype: type) -> None:
    x = nl.tensor(np.array([[1e30, -1e30, 0.0], [-1e30, -1e30, 1e30]], dtype), requires_grad=True)
    for loss in (nn.CrossEntropyLoss()(x, [0, 2]), nn.CrossEntropyLoss()(x, [1, 0]), nn.BCEWithLogitsLoss()(x, np.ones((2, 3), dtype)),
                 nn.BCEWithLogitsLoss()(x, np.zeros((2, 3), dtype))):  # fmt: skip
        x.grad = None
        loss.backward()
        assert np.isfinite(loss.item())
        assert np.isfinite(x.grad.numpy()).all()
    p = nl.tensor(np.array([0.0, 1.0, 0.0, 1.0], dtype), requires_grad=True)
    loss = nn.BCELoss()(p, np.array([0.0, 1.0, 1.0, 0.0], dtype))
    assert loss.item() == 50  # (100 + 100) / 4: PyTorch's bound on the logarithm


def test_against_mpmath_at_extremes() -> None:
    mpmath.mp.dps = 50
    for x in (-800.0, -40.0, -1e-20, 0.0, 1e-20, 37.0, 700.0):
        for t in (0.0, 0.3, 1.0):
            exact = float(mpmath.log1p(mpmath.exp(-abs(mpmath.mpf(x)))) + max(x, 0.0) - mpmath.mpf(x) * mpmath.mpf(t))
            got = functional.binary_cross_entropy_with_logits(np.array([x]), np.array([t])).item()
            assert got == pytest.approx(exact, rel=1e-14, abs=1e-300)
        exact = float(mpmath.log1p(mpmath.exp(-mpmath.mpf(x))))
        got = functional.cross_entropy(np.array([[x, 0.0]]), [0]).item()
        # Below half an ulp of 1 the sum of exponentials rounds to 1, here as in PyTorch.
        assert got == pytest.approx(exact, rel=1e-14, abs=1.2e-16)


@pytest.mark.parametrize("name", LOSSES)
def test_shapes_are_never_broadcast(name: str) -> None:
    loss = LOSSES[name].ours()
    column, row = np.full((4, 1), 0.5), np.full(4, 0.5)
    with pytest.raises(ValueError, match=r"\(4, 1\).*\(4,\).*squeeze"):
        loss(column, row)
    with pytest.raises(ValueError, match=r"\(4,\).*\(4, 1\).*reshape"):
        loss(row, column)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.CrossEntropyLoss()(np.zeros((2, 3)), [0, 3]), ValueError, r"target 3 at index 1.*3 classes.*0 to 2"),
        (lambda: nn.CrossEntropyLoss()(np.zeros((2, 3)), [0, -1]), ValueError, "target -1 at index 1"),
        (lambda: nn.CrossEntropyLoss()(np.zeros((2, 3)), [0.0, 1.0]), ValueError, "integers"),
        (lambda: nn.CrossEntropyLoss()(np.zeros((2, 3)), np.eye(3, dtype=int)[:2]), ValueError, "argmax"),
        (lambda: nn.CrossEntropyLoss()(np.zeros((2, 3)), [0, 1, 2]), ValueError, r"\(2, 3\).*\(3,\)"),
        (lambda: nn.CrossEntropyLoss(np.ones(4))(np.zeros((2, 3)), [0, 1]), ValueError, r"weight.*\(4,\).*3 classes"),
        (lambda: nn.NLLLoss()(np.zeros((2, 3)), [0.0, 1.0]), TypeError, "class indices"),
        (lambda: nn.BCELoss()(np.array([0.5, 1.5]), np.zeros(2)), ValueError, r"element 1 is 1\.5.*BCEWithLogitsLoss"),
        (lambda: nn.MSELoss("average"), ValueError, "average"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=2), ValueError, "label_smoothing"),
        (lambda: functional.huber_loss([1.0], [1.0], delta=0), ValueError, "delta"),
        (lambda: nn.HuberLoss(delta=None)([1.0], [1.0]), TypeError, "delta must be a number, got None"),
        (lambda: nn.SmoothL1Loss(beta=math.nan)([1.0], [1.0]), ValueError, "beta"),
        (lambda: nn.CrossEntropyLoss(label_smoothing="a"), TypeError, "label_smoothing must be a number, got 'a'"),
        (lambda: functional.embedding([0], nl.tensor([[1.0]]), 1.5), TypeError, "padding_idx must be an integer or None"),
    ],
)  # fmt: skip
def test_errors(call, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_pytorch_functional_agrees_on_defaults() -> None:
    x, t = normal(5, 3), uniform(5, 3, seed=1)
    for name in ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "binary_cross_entropy_with_logits"):
        compare(getattr(functional, name), getattr(tf, name), [x, t], gradients=[0])
