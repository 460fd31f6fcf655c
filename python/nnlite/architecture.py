"""A model's architecture as plain data, so that a model file can be run without the script that made it."""

from typing import Any

from . import nn
from .errors import ModelFileError
from .nn import Module, Sequential

# The settings that rebuild each layer; only what stands here can be built from a file.
_LAYERS: dict[type[Module], tuple[str, ...]] = {
    nn.BatchNorm1d: ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    nn.Dropout: ("p",),
    nn.ELU: ("alpha",),
    nn.Embedding: ("num_embeddings", "embedding_dim", "padding_idx"),
    nn.Flatten: ("start_dim", "end_dim"),
    nn.GELU: ("approximate",),
    nn.Identity: (),
    nn.LayerNorm: ("normalized_shape", "eps", "elementwise_affine"),
    nn.LeakyReLU: ("negative_slope",),
    nn.Linear: ("in_features", "out_features"),
    nn.LogSoftmax: ("dim",),
    nn.ReLU: (),
    nn.SiLU: (),
    nn.Sigmoid: (),
    nn.Softmax: ("dim",),
    nn.Softplus: ("beta", "threshold"),
    nn.Tanh: (),
}
_BY_NAME = {layer.__name__: layer for layer in _LAYERS}


def describe_model(model: Module) -> list[dict[str, Any]]:
    """The layers of a Sequential (nested ones too), one dictionary each; TypeError for a layer that is not a known one."""
    if not isinstance(model, Sequential):
        raise TypeError(f"only a Sequential of nnlite's layers can be described, got {type(model).__name__}")
    return [_describe(layer) for layer in model]


def _describe(layer: Module) -> dict[str, Any]:
    if isinstance(layer, Sequential):
        return {"layer": "Sequential", "layers": describe_model(layer)}
    names = _LAYERS.get(type(layer))
    if names is None:
        raise TypeError(f"{type(layer).__name__} is not a layer that can be rebuilt from a file")
    settings: dict[str, Any] = {name: getattr(layer, name) for name in names}
    if isinstance(layer, nn.Linear):
        settings["bias"] = layer.bias is not None
    return {"layer": type(layer).__name__, **settings}


def build_model(description: Any) -> Sequential:
    """The model of a description; ModelFileError for one that no `describe_model` made."""
    if not isinstance(description, list):
        raise ModelFileError("the file does not describe a model")
    return Sequential(*(_build(entry) for entry in description))


def _build(entry: Any) -> Module:
    if not isinstance(entry, dict) or "layer" not in entry:
        raise ModelFileError(f"the file describes a layer as {entry!r}")
    settings = {key: value for key, value in entry.items() if key != "layer"}
    if entry["layer"] == "Sequential":
        return build_model(settings.get("layers"))
    layer = _BY_NAME.get(entry["layer"])
    if layer is None:
        raise ModelFileError(f"the file describes a layer {entry['layer']!r}, which this version does not know")
    try:
        return layer(**settings)
    except (TypeError, ValueError, MemoryError) as error:
        raise ModelFileError(f"the file describes a {entry['layer']} that cannot be built: {error}") from None
