"""Arguments of the functions: dimensions, padding, and the shapes of weights."""

from __future__ import annotations

import warnings

import mpmath
import numpy as np
import pytest
import torch

import nnlite as nl
from comparison import compare, labels, normal, uniform
from nnlite import nn
from nnlite.nn import functional


@pytest.mark.parametrize("padding", [None, 0, 4, -1, -5])
def test_the_padding_row_is_counted_from_the_end_and_has_no_gradient(padding) -> None:
    indices, weight = labels(3, 4, classes=5), normal(5, 2)
    compare(
        lambda i, w: functional.embedding(i, w, padding),
        lambda i, w: torch.nn.functional.embedding(i, w, padding),
        [indices, weight],
    )
    layer = nn.Embedding(5, 2)
    layer.padding_idx = padding  # as an attribute too
    layer(indices).sum().backward()
    assert padding is None or not layer.weight.grad.numpy()[padding].any()


@pytest.mark.parametrize("padding", [5, -6, 1.5])
def test_a_padding_row_outside_the_table_is_an_error(padding) -> None:
    with pytest.raises((ValueError, TypeError), match=r"outside a table of 5 rows|integer"):
        functional.embedding([0], nl.tensor(normal(5, 2)), padding_idx=padding)
    with pytest.raises((ValueError, TypeError)):
        nn.Embedding(5, 2, padding_idx=padding)


@pytest.mark.parametrize("rank", range(6))
def test_softmax_without_dim_follows_pytorchs_rule_and_warns(rank) -> None:
    x = normal(*(3, 2, 4, 2, 3)[:rank])
    pairs = [
        (functional.softmax, torch.nn.functional.softmax),
        (functional.log_softmax, torch.nn.functional.log_softmax),
        (nn.Softmax(), torch.nn.Softmax()),
        (nn.LogSoftmax(), torch.nn.LogSoftmax()),
    ]
    for mine, other in pairs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compare(mine, other, [x])
        with pytest.warns(UserWarning, match=f"softmax.*dim={0 if rank in (0, 1, 3) else 1}"):
            mine(x)


def test_softmax_with_a_wrong_dim_is_an_index_error() -> None:
    for dim in (2, -3):
        for call in (functional.softmax, functional.log_softmax):
            with pytest.raises(IndexError, match=f"dim {dim} is out of range"):
                call(np.ones((2, 2)), dim)


BINARY = [
    (functional.binary_cross_entropy, "weight"),
    (functional.binary_cross_entropy_with_logits, "weight"),
    (functional.binary_cross_entropy_with_logits, "pos_weight"),
]


@pytest.mark.parametrize(("loss", "option"), BINARY)
@pytest.mark.parametrize("shape", [(4,), (1, 4), (4, 2), (2, 4, 1), (1, 1, 1), (3,), (4, 1, 1)], ids=str)
def test_weights_never_broadcast_the_target(loss, option, shape) -> None:
    with pytest.raises(ValueError, match=rf"{option} has shape \({shape[0]},.*target \(4, 1\)"):
        loss(uniform(4, 1), uniform(4, 1), **{option: np.ones(shape)})


@pytest.mark.parametrize(("loss", "option"), BINARY)
def test_weights_are_numbers_lists_and_arrays(loss, option) -> None:
    x, target = uniform(4, 3), uniform(4, 3, seed=1)
    plain = loss(x, target, **{option: np.full((4, 3), 2.0)}).item()
    for value in (
        2,
        2.0,
        np.float32(2),
        [2.0],
        [2, 2, 2],
        [[2]] * 4,
        np.full((4, 1), 2),
        nl.tensor(2.0),
        nl.tensor([2]),
    ):
        assert loss(x, target, **{option: value}).item() == pytest.approx(plain, rel=1e-12)
    for value in ("balanced", {0: 1.0}, ["a"], [None]):
        with pytest.raises(TypeError, match=rf"BCE.*Loss: {option} must be"):
            loss(x, target, **{option: value})


def test_errors_about_options_name_the_module() -> None:
    for make in (nn.BCELoss, nn.BCEWithLogitsLoss, nn.CrossEntropyLoss, nn.NLLLoss):
        with pytest.raises(TypeError, match=f"{make.__name__}: weight must be .* got str 'balanced'"):
            make(weight="balanced")
    with pytest.raises(TypeError, match="BCEWithLogitsLoss: pos_weight must be"):
        nn.BCEWithLogitsLoss(pos_weight="auto")
    assert nn.BCEWithLogitsLoss(pos_weight=3)([[0.0]], [[1.0]]).item() == pytest.approx(3 * np.log(2))
    assert nn.CrossEntropyLoss([1, 2, 3]).weight.dtype == np.float32
    with pytest.raises(ValueError, match=r"weight has shape \(\).*3 classes"):
        nn.CrossEntropyLoss(2.0)(normal(2, 3), [0, 1])


def test_class_weights_that_require_a_gradient_are_refused() -> None:
    weight = nl.tensor(np.ones(3), requires_grad=True)
    for loss in (functional.cross_entropy, functional.nll_loss):
        with pytest.raises(RuntimeError, match=r"not differentiable by weight.*detach"):
            loss(normal(2, 3), [0, 1], weight)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_weights_have_gradients(reduction) -> None:
    p = uniform(5, 3, seed=1)
    compare(
        lambda x, t, w: functional.cross_entropy(x, t, w, reduction=reduction),
        lambda x, t, w: torch.nn.functional.cross_entropy(x, t, w, reduction=reduction),
        [normal(5, 3), p, uniform(3, low=0.5, seed=2)],
    )
    x, t, w, q = normal(5, 3), p, uniform(5, 1, seed=3), uniform(3, low=0.5, seed=4)
    by_hand = lambda x, t, w, q: (  # noqa: E731
        -w * (q * t * torch.nn.functional.logsigmoid(x) + (1 - t) * torch.nn.functional.logsigmoid(-x))
    )
    compare(
        lambda *a: functional.binary_cross_entropy_with_logits(*a[:3], "none", a[3]), by_hand, [x, t, w, q], np.float64
    )


def test_pos_weight_keeps_digits_at_extreme_logits() -> None:
    mpmath.mp.dps = 50
    for value in (-1e30, -800.0, -40.0, -1e-20, 0.0, 37.0, 700.0, 1e30):
        for t in (0.0, 0.3, 1.0):
            x = nl.tensor([value], dtype=np.float64, requires_grad=True)
            loss = functional.binary_cross_entropy_with_logits(x, [t], pos_weight=3.0)
            loss.backward()
            chance = 1 / (1 + mpmath.exp(-mpmath.mpf(value)))
            softplus = [mpmath.log1p(mpmath.exp(-abs(mpmath.mpf(value)))) + max(sign * value, 0.0) for sign in (1, -1)]
            t = mpmath.mpf(t)
            assert loss.item() == pytest.approx(float(3 * t * softplus[1] + (1 - t) * softplus[0]), rel=1e-14)
            assert x.grad.item() == pytest.approx(float((1 - t) * chance - 3 * t * (1 - chance)), rel=1e-13)


def test_batchmean_is_for_divergences() -> None:
    x = uniform(3, 2)
    losses = [functional.mse_loss, functional.binary_cross_entropy, functional.binary_cross_entropy_with_logits]
    for loss in [*losses, *(lambda *a, f=f, **k: f(*a, weight=2.0, **k) for f in losses[1:])]:
        with pytest.raises(ValueError, match="'batchmean' is unknown"):
            loss(x, x, reduction="batchmean")
    with pytest.raises(ValueError, match="'batchmean' is unknown"):
        functional.cross_entropy(x, [0, 1, 0], reduction="batchmean")


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "silu", "dropout"])
def test_inplace_gives_the_same_values_and_leaves_the_input(name) -> None:
    function, x = getattr(functional, name), nl.tensor(normal(4, 3))
    before = x.numpy().copy()
    nl.manual_seed(0)
    expected = function(input=x).numpy()
    nl.manual_seed(0)
    np.testing.assert_array_equal(function(input=x, inplace=True).numpy(), expected)
    np.testing.assert_array_equal(x.numpy(), before)
