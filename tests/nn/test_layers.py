"""Layers against PyTorch: values, gradients, states, options."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

import nnlite as nl
from comparison import FORWARD, GRADIENT, assert_close, labels, normal
from nnlite import nn
from nnlite.nn.activations import ELEMENTWISE

DTYPES = [np.float32, np.float64]

# ours, PyTorch's, input shapes
LAYERS = {
    "linear": (lambda: nn.Linear(5, 3), lambda: torch.nn.Linear(5, 3), [(4, 5), (5,), (2, 3, 5), (130, 5), (1, 5)]),
    "linear without bias": (lambda: nn.Linear(5, 3, bias=False), lambda: torch.nn.Linear(5, 3, bias=False), [(4, 5), (2, 2, 2, 5)]),
    "wide linear": (lambda: nn.Linear(70, 90), lambda: torch.nn.Linear(70, 90), [(33, 70)]),
    "identity": (nn.Identity, torch.nn.Identity, [(3, 4)]),
    "flatten": (nn.Flatten, torch.nn.Flatten, [(3, 4, 5), (3, 4)]),
    "flatten all": (lambda: nn.Flatten(0), lambda: torch.nn.Flatten(0), [(3, 4, 5)]),
    "layer norm": (lambda: nn.LayerNorm(6), lambda: torch.nn.LayerNorm(6), [(4, 6), (2, 3, 6), (6,)]),
    "layer norm 2d": (lambda: nn.LayerNorm([3, 6]), lambda: torch.nn.LayerNorm([3, 6]), [(4, 3, 6)]),
    "layer norm plain": (lambda: nn.LayerNorm(40, elementwise_affine=False), lambda: torch.nn.LayerNorm(40, elementwise_affine=False), [(7, 40)]),
    "layer norm no bias": (lambda: nn.LayerNorm(6, bias=False), lambda: torch.nn.LayerNorm(6, bias=False), [(7, 6)]),
    "batch norm": (lambda: nn.BatchNorm1d(6), lambda: torch.nn.BatchNorm1d(6), [(8, 6), (8, 6, 3), (200, 6)]),
    "batch norm average": (lambda: nn.BatchNorm1d(6, momentum=None), lambda: torch.nn.BatchNorm1d(6, momentum=None), [(8, 6)]),
    "batch norm plain": (lambda: nn.BatchNorm1d(6, affine=False), lambda: torch.nn.BatchNorm1d(6, affine=False), [(8, 6)]),
    "batch norm untracked": (lambda: nn.BatchNorm1d(6, track_running_stats=False), lambda: torch.nn.BatchNorm1d(6, track_running_stats=False), [(8, 6)]),
    "leaky relu": (lambda: nn.LeakyReLU(0.2), lambda: torch.nn.LeakyReLU(0.2), [(4, 5)]),
    "elu": (lambda: nn.ELU(0.7), lambda: torch.nn.ELU(0.7), [(4, 5)]),
    "gelu tanh": (lambda: nn.GELU("tanh"), lambda: torch.nn.GELU(approximate="tanh"), [(4, 5)]),
    "softplus": (lambda: nn.Softplus(2, 3), lambda: torch.nn.Softplus(2, 3), [(4, 5)]),
    "softmax": (lambda: nn.Softmax(1), lambda: torch.nn.Softmax(1), [(4, 5), (2, 5, 3)]),
    "log softmax": (lambda: nn.LogSoftmax(-1), lambda: torch.nn.LogSoftmax(-1), [(4, 5)]),
    **{name: (ours, getattr(torch.nn, ours.__name__), [(4, 5)]) for name, ours in ELEMENTWISE.items()},
}  # fmt: skip


def twins(name: str, dtype: type) -> tuple[nn.Module, torch.nn.Module]:
    """Our layer and PyTorch's with PyTorch's state, perturbed so that no parameter is trivial."""
    ours, theirs = LAYERS[name][0](), LAYERS[name][1]()
    if dtype is np.float64:
        ours, theirs = ours.double(), theirs.double()
    with torch.no_grad():
        for i, p in enumerate(theirs.parameters()):
            p += 0.1 * torch.from_numpy(normal(*p.shape, seed=i)).to(p.dtype)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str, dtype: type) -> None:
    for shape in LAYERS[name][2]:
        ours, theirs = twins(name, dtype)
        for step in range(2):  # the second starts from the state after the first
            x = normal(*shape, seed=step).astype(dtype)
            mine, other = nl.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
            y, z = ours(mine), theirs(other)
            assert_close(y.detach().numpy(), z.detach().numpy(), FORWARD[dtype], "value")
            direction = normal(*z.shape, seed=9).astype(dtype)
            y.backward(direction)
            z.backward(torch.from_numpy(direction))
            assert_close(mine.grad.numpy(), other.grad.numpy(), GRADIENT[dtype], "input gradient")
            for (key, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
                assert_close(p.grad.numpy(), q.grad.numpy(), GRADIENT[dtype], key)
        assert_states_equal(ours, theirs, dtype)
        ours.eval(), theirs.eval()
        assert_close(
            ours(nl.tensor(x)).detach().numpy(), theirs(torch.tensor(x)).detach().numpy(), FORWARD[dtype], "evaluation"
        )


def assert_states_equal(ours: nn.Module, theirs: torch.nn.Module, dtype: type) -> None:
    mine, other = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(other)
    for key, value in mine.items():
        assert_close(value, other[key].numpy(), FORWARD[dtype], key)


@pytest.mark.parametrize("name", [n for n in LAYERS if n not in ("flatten", "flatten all", "identity")])
def test_evaluation_gradients(name: str) -> None:
    ours, theirs = twins(name, np.float64)
    ours.eval(), theirs.eval()
    x = normal(*LAYERS[name][2][0])
    mine, other = nl.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    z = theirs(other)
    direction = normal(*z.shape, seed=9)
    ours(mine).backward(direction)
    z.backward(torch.from_numpy(direction))
    assert_close(mine.grad.numpy(), other.grad.numpy(), 1e-10, "input gradient")


def test_embedding() -> None:
    ours, theirs = nn.Embedding(7, 4, padding_idx=2), torch.nn.Embedding(7, 4, padding_idx=2)
    assert (ours.weight.detach().numpy()[2] == 0).all()
    ours.load_state_dict(theirs.state_dict())
    index = labels(3, 5, classes=7)
    y, z = ours(index), theirs(torch.from_numpy(index))
    assert_close(y.detach().numpy(), z.detach().numpy(), 0, "value")
    (y * y).sum().backward()
    (z * z).sum().backward()
    assert_close(ours.weight.grad.numpy(), theirs.weight.grad.numpy(), 1e-6, "gradient")
    with pytest.raises(IndexError, match=r"index 7 at position 1.*size 7"):
        ours([0, 7])
    with pytest.raises(TypeError, match="integers"):
        ours([0.5])


def test_dropout() -> None:
    layer = nn.Dropout(0.3)
    x = nl.ones(1000, 100)
    x.requires_grad = True
    y = layer(x)
    y.sum().backward()
    kept = y.detach().numpy() != 0
    assert abs(kept.mean() - 0.7) < 0.005
    np.testing.assert_allclose(y.detach().numpy()[kept], 1 / 0.7, rtol=1e-6)
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())
    assert not np.array_equal(layer(x).detach().numpy() != 0, kept), "two calls drew the same mask"
    nl.manual_seed(0)
    np.testing.assert_array_equal(layer(x).detach().numpy() != 0, kept)
    assert layer.eval()(x) is x
    assert (nn.Dropout(1.0)(x).detach().numpy() == 0).all()


def test_initial_distributions_match_pytorch() -> None:
    for ours, theirs in [
        (nn.Linear(300, 200), torch.nn.Linear(300, 200)),
        (nn.Embedding(300, 100), torch.nn.Embedding(300, 100)),
    ]:
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            a, b = p.detach().numpy(), q.detach().numpy()
            assert abs(a.std() / b.std() - 1) < 0.1
            if isinstance(ours, nn.Linear):
                assert np.abs(a).max() <= 1 / np.sqrt(300)
                assert np.abs(a).max() > 0.95 / np.sqrt(300)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Linear(5, 3)(np.ones((2, 4))), r"\[linear\] x has shape \(2, 4\), weight \(3, 5\)"),
        (lambda: nn.Linear(0, 3), "0 and 3"),
        (lambda: nn.LayerNorm(4)(np.ones((2, 3))), r"\(4,\).*\(2, 3\)"),
        (lambda: nn.BatchNorm1d(4)(np.ones((2, 3))), r"BatchNorm1d\(4\).*\(2, 3\)"),
        (lambda: nn.BatchNorm1d(4)(np.ones((1, 4))), "more than one value"),
        (lambda: nn.Dropout(1.5), "1.5"),
        (lambda: nn.GELU("fast"), "fast"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), "3"),
        (lambda: nn.MLP([3]), r"\[3\]"),
    ],
)  # fmt: skip
def test_errors(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_types_must_agree() -> None:
    with pytest.raises(TypeError, match=r"float64.*float32"):
        nn.Linear(2, 1)(nl.tensor(np.ones((1, 2))))
    assert nn.Linear(2, 1)(np.ones((1, 2))).dtype == np.float32  # an array is converted to the weight's type


def test_models_can_be_copied_and_pickled() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.fingerprint() == model.fingerprint()
        nn.init.zeros_(twin[0].weight)
        assert twin.fingerprint() != model.fingerprint()
