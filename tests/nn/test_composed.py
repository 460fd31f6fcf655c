"""Layers and losses made of native operations: the same bits in a captured step as operation by operation, and PyTorch's values
where its samples do not reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as tf

import nnlite as nl
from comparison import compare, labels, normal, uniform
from nnlite import nn, optim
from nnlite.nn import composed
from nnlite.nn import functional as F

X = normal(60, 6).astype(np.float32)
SIGNS = np.where(normal(60, 3, seed=1) > 0, 1, -1).astype(np.float32)

LAYERS: dict[str, Callable[[], nn.Module]] = {
    **{
        name: getattr(nn, name)
        for name in composed.__all__
        if name not in ("Softmin", "Threshold", "CosineSimilarity", "PairwiseDistance")
    },
    "Threshold": lambda: nn.Threshold(0.1, 2.0),
    "Softmin": lambda: nn.Softmin(1),
    "PReLU of channels": lambda: nn.PReLU(6),
    "GroupNorm": lambda: nn.GroupNorm(2, 6),
    "RMSNorm": lambda: nn.RMSNorm(6),
    "AlphaDropout": lambda: nn.AlphaDropout(0.3),
    "InstanceNorm1d": lambda: nn.Sequential(nn.Unflatten(1, (2, 3)), nn.InstanceNorm1d(2, affine=True), nn.Flatten()),
}
LOSSES = {
    "PoissonNLLLoss": (lambda: nn.PoissonNLLLoss(full=True), labels(60, 3, classes=5).astype(np.float32)),
    "HingeEmbeddingLoss": (nn.HingeEmbeddingLoss, SIGNS),
    "SoftMarginLoss": (nn.SoftMarginLoss, SIGNS),
    "MultiLabelSoftMarginLoss": (nn.MultiLabelSoftMarginLoss, (SIGNS > 0).astype(np.float32)),
    "MultiMarginLoss": (lambda: nn.MultiMarginLoss(2, weight=[1.0, 2.0, 0.5]), labels(60, classes=3)),
}


def trained(layer: nn.Module, criterion: Any, target: np.ndarray, compile: bool) -> tuple[str, list[float]]:
    nl.manual_seed(3)
    outputs = layer(nl.tensor(X)).shape[1]
    model = nn.Sequential(nn.Linear(6, 6), layer, nn.Linear(outputs, target.shape[1] if target.ndim == 2 else 3))
    trainer = nl.Trainer(model, criterion, optim.SGD(model.parameters(), lr=0.05), seed=1)
    history = trainer.fit(X, target, epochs=2, batch_size=25, compile=compile, progress=False)
    return model.fingerprint(), history["loss"]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_has_the_same_bits_in_a_captured_step(name: str) -> None:
    captured, eager = (trained(LAYERS[name](), nn.MSELoss(), SIGNS, compile) for compile in (True, False))
    assert captured == eager


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_has_the_same_bits_in_a_captured_step(name: str) -> None:
    make, target = LOSSES[name]
    captured, eager = (trained(nn.Tanh(), make(), target, compile) for compile in (True, False))
    assert captured == eager


KINKS = np.array([-np.inf, -6, -3, -1, -0.5, -0.0, 0.5, 1, 2, 3, 6, np.nan, np.inf])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("celu", ()), ("celu", (0.5,)), ("celu", (-0.5,)), ("hardshrink", ()), ("hardsigmoid", ()), ("hardtanh", ()),
        ("hardtanh", (-0.5, 2.0)), ("logsigmoid", ()), ("relu6", ()), ("selu", ()), ("softshrink", ()),
        ("softshrink", (0.0,)), ("softsign", ()), ("threshold", (0.5, -3.0)),
    ],
)  # fmt: skip
def test_kinks_infinities_and_nan(name: str, options: tuple[float, ...], dtype: type) -> None:
    """Gradients too, up to PyTorch's own choice of 0 or NaN where x is not finite."""
    x = KINKS.astype(dtype)
    mine, other = nl.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = getattr(F, name)(mine, *options), getattr(tf, name)(other, *options)
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-6)
    y.backward(np.ones_like(x))
    z.backward(torch.ones_like(z))
    finite = np.isfinite(x)
    np.testing.assert_allclose(mine.grad.numpy()[finite], other.grad.numpy()[finite], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("ours", "theirs", "shapes"),
    [
        (F.cosine_similarity, tf.cosine_similarity, [(4, 5), (4, 5)]),
        (lambda a, b: F.cosine_similarity(a, b, 0), lambda a, b: tf.cosine_similarity(a, b, 0), [(4, 5), (4, 1)]),
        *(
            (lambda a, b, p=p: F.pairwise_distance(a, b, p, keepdim=True), lambda a, b, p=p: tf.pairwise_distance(a, b, p, keepdim=True), [(4, 5), (4, 5)])
            for p in (1.0, 2.0, 3.0, np.inf)
        ),
        *(
            (lambda a, p=p: F.normalize(a, p, -1), lambda a, p=p: tf.normalize(a, p, -1), [(4, 5)])
            for p in (1.0, 2.0, 3.0)
        ),
        *(
            (lambda a, b, c, s=s, p=p: F.triplet_margin_loss(a, b, c, 0.7, p, swap=s), lambda a, b, c, s=s, p=p: tf.triplet_margin_loss(a, b, c, 0.7, p, swap=s), [(6, 5)] * 3)
            for s in (False, True) for p in (1.0, 2.0)
        ),
        (lambda a, b: F.bilinear(a, b, *(t.double() for t in BILINEAR)), lambda a, b: tf.bilinear(a, b, *(torch.from_numpy(t.double().numpy()) for t in BILINEAR)), [(2, 4, 3), (2, 4, 5)]),
        (lambda a: F.rms_norm(a, (3, 4)), lambda a: tf.rms_norm(a, (3, 4)), [(2, 3, 4)]),
        (lambda a: F.group_norm(a, 2), lambda a: tf.group_norm(a, 2), [(3, 4, 2, 2)]),
    ],
)  # fmt: skip
def test_functions_of_several_inputs(ours: Any, theirs: Any, shapes: list[tuple[int, ...]]) -> None:
    compare(ours, theirs, [normal(*shape, seed=i) for i, shape in enumerate(shapes)], np.float64)


BILINEAR = (nl.tensor(normal(2, 3, 5)), nl.tensor(normal(2)))


@pytest.mark.parametrize("padding_idx", [None, 2])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag(mode: str, padding_idx: int | None) -> None:
    options = {"mode": mode, "padding_idx": padding_idx}
    for inputs in [(labels(4, 3, classes=7),), (labels(9, classes=7), np.array([0, 2, 2, 6]))]:
        ours, theirs = nn.EmbeddingBag(7, 4, **options), torch.nn.EmbeddingBag(7, 4, **options)
        ours.load_state_dict(theirs.state_dict())
        y, z = ours(*inputs), theirs(*map(torch.from_numpy, inputs))
        np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-6)
        (y * y).sum().backward()
        (z * z).sum().backward()
        np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_embedding_bag_weights_rows() -> None:
    weight, share, index = normal(7, 4), uniform(4, 3), labels(4, 3, classes=7)
    compare(
        lambda w, s: F.embedding_bag(index, w, mode="sum", per_sample_weights=s),
        lambda w, s: tf.embedding_bag(torch.from_numpy(index), w, mode="sum", per_sample_weights=s),
        [weight, share],
        np.float64,
    )


def test_pretrained_tables_are_frozen_unless_asked() -> None:
    table = normal(5, 3)
    for kind in (nn.Embedding, nn.EmbeddingBag):
        layer = kind.from_pretrained(table, padding_idx=-1)
        np.testing.assert_array_equal(layer.weight.numpy(), table)
        assert not layer.weight.requires_grad
        assert layer.padding_idx == 4
        assert kind.from_pretrained(table, freeze=False).weight.requires_grad


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = nl.tensor(normal(200, 500))
    y = nn.AlphaDropout(0.3)(x).numpy()
    assert abs(y.mean()) < 0.02
    assert abs(y.var() - 1) < 0.02
    assert nn.AlphaDropout(0.3).eval()(x) is x
    assert (nn.AlphaDropout(1.0)(x).numpy() == 0).all()


def test_running_statistics_of_instance_norm_follow() -> None:
    ours, theirs = (lib.InstanceNorm1d(3, track_running_stats=True) for lib in (nn, torch.nn))
    for seed in range(3):
        x = normal(4, 3, 5, seed=seed).astype(np.float32)
        ours(x), theirs(torch.from_numpy(x))
    for name in ("running_mean", "running_var"):
        np.testing.assert_allclose(getattr(ours, name).numpy(), getattr(theirs, name).numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.glu(np.ones((2, 3))), r"even size along dim -1, got shape \(2, 3\)"),
        (lambda: nn.GroupNorm(4, 6), "4 groups do not divide 6"),
        (lambda: nn.PReLU(3)(np.ones((2, 4), np.float32)), r"weight of 3 .*\(2, 4\)"),
        (lambda: F.hardtanh([1.0], 2.0, 1.0), "min_val <= max_val, got 2.0 and 1.0"),
        (lambda: F.softshrink([1.0], -0.5), "lambd >= 0, got -0.5"),
        (lambda: nn.RMSNorm(4)(np.ones((2, 3), np.float32)), r"\(4,\) got an input of shape \(2, 3\)"),
        (lambda: nn.Bilinear(2, 3, 1)(np.ones((2, 2), np.float32), np.ones((3, 3), np.float32)), r"\(2, 2\) and \(3, 3\)"),
        (lambda: nn.EmbeddingBag(3, 2)([0, 1]), r"\(B, N\) or, with offsets"),
        (lambda: nn.HingeEmbeddingLoss()(np.ones((4, 1)), np.ones(4)), r"\(4,\).*\(4, 1\)"),
        (lambda: nn.MultiMarginLoss(3), "p 1 or 2, got 3"),
        (lambda: nn.MultiLabelMarginLoss()(np.ones((1, 2)), [[0, 2]]), "labels run from 0 to 2"),
        (lambda: nn.GaussianNLLLoss()([1.0], [1.0], [-1.0]), "var >= 0, got -1"),
        (lambda: nn.TripletMarginLoss(margin=0), "margin > 0, got 0"),
    ],
)  # fmt: skip
def test_errors_name_the_values(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
