"""Architectures as plain data, and models rebuilt from it."""

from __future__ import annotations

import json
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnlite as nl
from nnlite import ModelFileError, nn
from nnlite.files.architecture import _LAYERS, build_model, describe_model
from nnlite.files.model_file import load_with_metadata
from nnlite.naming import public_names
from nnlite.nn import margin_losses

# Settings that are not the defaults.
ROWS = {
    "BatchNorm1d": [
        nn.BatchNorm1d(3),
        nn.BatchNorm1d(3, 1e-3, None, False),
        nn.BatchNorm1d(3, track_running_stats=False),
    ],
    "AlphaDropout": [nn.AlphaDropout(0.25)],
    "Bilinear": [nn.Bilinear(2, 3, 4), nn.Bilinear(2, 3, 4, False)],
    "CELU": [nn.CELU(0.5)],
    "CosineSimilarity": [nn.CosineSimilarity(0)],
    "Dropout": [nn.Dropout(), nn.Dropout(0.25), nn.Dropout(1)],
    "ELU": [nn.ELU(0.5)],
    "Embedding": [nn.Embedding(5, 2), nn.Embedding(5, 2, -1)],
    "EmbeddingBag": [nn.EmbeddingBag(5, 2), nn.EmbeddingBag(5, 2, "max", True, -1)],
    "Flatten": [nn.Flatten(), nn.Flatten(0, 1)],
    "GELU": [nn.GELU(), nn.GELU("tanh")],
    "GLU": [nn.GLU(), nn.GLU(1)],
    "GroupNorm": [nn.GroupNorm(2, 6), nn.GroupNorm(2, 6, 1e-3, False)],
    "Hardshrink": [nn.Hardshrink(0.25)],
    "Hardtanh": [nn.Hardtanh(-2.0, 0.5)],
    "InstanceNorm1d": [nn.InstanceNorm1d(3), nn.InstanceNorm1d(3, 1e-3, 0.2, True, True)],
    "LayerNorm": [nn.LayerNorm(3), nn.LayerNorm((2, 3), 1e-3, True, False), nn.LayerNorm(3, elementwise_affine=False)],
    "LeakyReLU": [nn.LeakyReLU(0.3)],
    "Linear": [nn.Linear(3, 2), nn.Linear(3, 2, False), nn.Linear(3, 2, dtype=np.float64)],
    "LogSoftmax": [nn.LogSoftmax(), nn.LogSoftmax(0)],
    "PReLU": [nn.PReLU(), nn.PReLU(3, 0.1)],
    "PairwiseDistance": [nn.PairwiseDistance(1.0)],
    "RMSNorm": [nn.RMSNorm(3), nn.RMSNorm((2, 3), 1e-3), nn.RMSNorm(3, elementwise_affine=False)],
    "Softmax": [nn.Softmax(1)],
    "Softmin": [nn.Softmin(1)],
    "Softplus": [nn.Softplus(2.0, 10)],
    "Softshrink": [nn.Softshrink(0.25)],
    "Threshold": [nn.Threshold(0.1, 2.0)],
    "Unflatten": [nn.Unflatten(1, (2, -1))],
}
LAYERS = {name: ROWS.get(name) or [layer()] for name, layer in _LAYERS.items()}


def through_json(model: nn.Sequential) -> nn.Sequential:
    return build_model(json.loads(json.dumps(describe_model(model))))


def assert_equal(built: nn.Module, model: nn.Module) -> None:
    """Compares class, settings, names, types and shapes, but not values."""
    assert repr(built).replace("MLP", "Sequential") == repr(model).replace("MLP", "Sequential")
    pairs = zip(built.state_dict().items(), model.state_dict().items(), strict=True)
    assert all((n, a.shape, a.dtype) == (m, b.shape, b.dtype) for (n, a), (m, b) in pairs)


def test_files_can_name_every_layer() -> None:
    assert set(ROWS) <= set(_LAYERS)
    others = {
        "Module",
        "Parameter",
        "functional",
        "init",
        "utils",
        *nn.containers.__all__,
        *nn.mlp.__all__,
        *nn.losses.__all__,
    }
    others |= {*public_names(margin_losses)}
    assert set(_LAYERS) == set(nn.__all__) - others


@pytest.mark.parametrize("layer", [layer for rows in LAYERS.values() for layer in rows], ids=repr)
def test_layers(layer) -> None:
    assert_equal(through_json(nn.Sequential(layer)), nn.Sequential(layer))
    sizes = [parameter.numel() for parameter in layer.parameters()]
    if sizes:
        assert layer.largest_parameter(describe_model(nn.Sequential(layer))[0]) == max(sizes)


@given(st.lists(st.sampled_from(sorted(LAYERS)), max_size=6), st.booleans())
def test_sequences(names, nested) -> None:
    model = nn.Sequential(*(LAYERS[name][-1] for name in names))
    if nested:
        model = nn.Sequential(model, nn.Sequential(nn.Sequential()), nn.ReLU())
    assert_equal(through_json(model), model)


def test_names_are_kept() -> None:
    model = nn.Sequential(OrderedDict(body=nn.Sequential(OrderedDict(inner=nn.Linear(2, 3))), head=nn.Linear(3, 1)))
    built = through_json(model)
    assert list(built.state_dict()) == ["body.inner.weight", "body.inner.bias", "head.weight", "head.bias"]
    built.load_state_dict(model.state_dict())
    assert built.fingerprint() == model.fingerprint()


def test_double_precision_is_kept() -> None:
    model = nn.MLP([3, 4, 2], nn.Tanh).double()
    built = through_json(model)
    built.load_state_dict(model.state_dict())
    assert built.fingerprint() == model.fingerprint()


def test_a_file_is_enough_to_predict(tmp_path) -> None:
    model = nn.MLP([4, 8, 3], nn.GELU, dropout=0.5)
    nl.save(tmp_path / "m", model, metadata={"architecture": describe_model(model)})
    state, metadata = load_with_metadata(tmp_path / "m")
    built = build_model(metadata["architecture"], sum(array.size for array in state.values()))
    built.load_state_dict(state)
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    with nl.no_grad():
        np.testing.assert_array_equal(built.eval()(x).numpy(), model.eval()(x).numpy())


def test_building_does_not_consume_random_numbers() -> None:
    description = describe_model(nn.MLP([4, 8, 3]))
    nl.manual_seed(3)
    expected = nn.Linear(2, 2).fingerprint()
    nl.manual_seed(3)
    build_model(description)
    assert nn.Linear(2, 2).fingerprint() == expected


class OwnLayer(nn.Module):
    """A layer that cannot be rebuilt from a file."""


class OwnForward(nn.Sequential):
    """Does not just apply its layers in turn."""

    def forward(self, x):
        return super().forward(x) * 2


class OwnLinear(nn.Linear):
    """May compute anything."""


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (nn.Linear(2, 1), "Linear"),
        (nn.Sequential(OwnLayer()), "OwnLayer"),
        (nn.Sequential(OwnLinear(1, 1)), "OwnLinear"),
        (OwnForward(nn.ReLU()), "OwnForward"),
        (nn.Sequential(OwnForward(nn.ReLU())), "OwnForward"),
        (nn.Sequential(nn.ModuleList()), "ModuleList"),
        (nn.Sequential(nn.MSELoss()), "MSELoss"),
    ],
)
def test_models_that_cannot_be_described(model, name) -> None:
    with pytest.raises(TypeError, match=name):
        describe_model(model)


def linear(**changes: object) -> list[dict[str, object]]:
    return [{"layer": "Linear", "in_features": 2, "out_features": 1, "bias": True, **changes}]


def nested(levels: int) -> list:
    inner: list = []
    for _ in range(levels):
        inner = [{"layer": "Sequential", "layers": inner}]
    return inner


@pytest.mark.parametrize(
    "description",
    [
        None,
        {},
        "Linear",
        [3],
        [{}],
        [{"layer": []}],
        [{"layer": "MSELoss"}],
        [{"layer": "Module"}],
        [{"layer": "Sequential"}],
        [{"layer": "Sequential", "layers": 3}],
        [{"layer": "os.system"}],
        [{"layer": "__import__", "name": "os"}],
        [{"layer": "Linear"}],
        [{"layer": "ReLU", "inplace": True}],
        [{"layer": "ReLU", "self": 1}],
        [{"layer": "Dropout", "p": 2.0}],
        [{"layer": "Dropout", "p": float("nan")}],
        [{"layer": "GELU", "approximate": "other"}],
        [{"layer": "Softmax", "dim": "x"}],
        [{"layer": "LayerNorm", "normalized_shape": [1.5], "eps": 1e-5, "elementwise_affine": True, "bias": True}],
        [{"layer": "LayerNorm", "normalized_shape": [-1], "eps": 1e-5, "elementwise_affine": True, "bias": True}],
        [{"layer": "Embedding", "num_embeddings": 3, "embedding_dim": 2, "padding_idx": 7}],
        linear(in_features=0),
        linear(in_features=-3),
        linear(in_features=2.5),
        linear(in_features="2"),
        linear(in_features=True),
        linear(in_features=2**62, out_features=2**62),
        linear(bias=1),
        linear(more=1),
        linear(dtype="object"),
        linear(dtype=[]),
        linear(name=3),
        linear(name=""),
        linear(name="a.b"),
        linear(name="0") + linear(name="0"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_invalid_descriptions_are_refused(description) -> None:
    with pytest.raises(ModelFileError, match="the file"):
        build_model(description)


@pytest.mark.parametrize("levels", [60, 2000])
def test_descriptions_nested_too_deep_are_refused(levels) -> None:
    with pytest.raises(ModelFileError, match="the file"):
        build_model(nested(levels))
    with pytest.raises(ModelFileError, match="the file"):
        build_model(linear(in_features=nested(levels)))


def test_a_model_larger_than_its_file_allocates_nothing() -> None:
    with pytest.raises(ModelFileError, match="at least 1000000000000 parameters but holds 3"):
        build_model(linear(in_features=10**6, out_features=10**6), parameters=3)
    assert len(build_model(linear(), parameters=3)) == 1
