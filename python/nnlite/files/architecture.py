"""A model's architecture as plain data, so that a model file can be run without the script that made it."""

import inspect
from collections.abc import Iterator
from reprlib import repr as short
from typing import Any

import numpy as np

from .. import _core
from ..errors import ModelFileError
from ..nn import Module, Sequential, activations, composed, dropout, linear, normalization

Settings = dict[str, Any]

# The layers that a file may name: those of `nn`, by a fixed table, so that a file never chooses what is imported or run.
_LAYERS: dict[str, type[Module]] = {
    name: vars(module)[name]
    for module in (activations, composed, dropout, linear, normalization)
    for name in module.__all__
}
_MOST_LEVELS = 50


def describe_model(model: Module) -> list[Settings]:
    """The layers of a Sequential (nested ones too) as JSON-able dictionaries: class, settings, and name and dtype if unusual.

    Raises TypeError for a layer that is not one of `nnlite.nn`, or a Sequential with a custom `forward`.

    >>> from nnlite import nn
    >>> from nnlite.files.architecture import describe_model
    >>> describe_model(nn.Sequential(nn.Linear(2, 1), nn.Tanh()))
    [{'layer': 'Linear', 'in_features': 2, 'out_features': 1, 'bias': True}, {'layer': 'Tanh'}]
    """
    if not isinstance(model, Sequential) or type(model).forward is not Sequential.forward:
        raise TypeError(f"only a Sequential of nnlite's layers can be described, got {type(model).__name__}")
    entries = []
    for position, (name, layer) in enumerate(_named_layers(model)):
        entry = _describe(layer)
        entries.append(entry if name == str(position) else {"name": name, **entry})
    return entries


def _named_layers(model: Sequential) -> list[tuple[str, Module]]:
    """The layers; a repeated one appears under each of its names."""
    modules = model.named_modules(remove_duplicate=False)
    return [(name, layer) for name, layer in modules if name and "." not in name]


def _describe(layer: Module) -> Settings:
    if isinstance(layer, Sequential):
        return {"layer": "Sequential", "layers": describe_model(layer)}
    if _LAYERS.get(type(layer).__name__) is not type(layer):
        raise TypeError(f"{type(layer).__name__} is not a layer that can be rebuilt from a file")
    entry: Settings = {"layer": type(layer).__name__}
    for name in _setting_names(type(layer)):
        value = getattr(layer, name)
        entry[name] = value is not None if name == "bias" else list(value) if isinstance(value, tuple) else value
    if any(parameter.dtype == np.float64 for parameter in layer.parameters()):
        entry["dtype"] = "float64"
    return entry


def _setting_names(layer: type[Module]) -> Iterator[str]:
    """The constructor's arguments, which layers keep as attributes of the same names."""
    for name, parameter in inspect.signature(layer).parameters.items():
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name not in ("inplace", "dtype"):
            yield name


def build_model(description: Any, parameters: int | None = None) -> Sequential:
    """The model that `describe_model` described, with new parameters; the default generator does not change.

    A model of more than `parameters`, the number that a file holds, is refused before anything is allocated. Raises
    ModelFileError for a description that `describe_model` cannot have made.

    >>> from nnlite.files.architecture import build_model
    >>> build_model([{"layer": "Linear", "in_features": 2, "out_features": 1, "bias": True}, {"layer": "Tanh"}])
    Sequential(
      (0): Linear(in_features=2, out_features=1, bias=True)
      (1): Tanh()
    )
    """
    entries = list(_entries(description, _MOST_LEVELS))
    needed = sum(_checked(entry) for entry in entries)
    if parameters is not None and needed > parameters:
        raise ModelFileError(f"the file describes a model of at least {needed} parameters but holds {parameters}")
    previous = _core.use_generator(_core.Generator(0))
    try:
        return _sequential(description)
    finally:
        _core.use_generator(previous)


def _entries(description: Any, levels: int) -> Iterator[Settings]:
    """Every layer of a description, nested ones too."""
    if not isinstance(description, list) or not levels:
        raise ModelFileError("the file does not describe a model")
    for entry in description:
        if not isinstance(entry, dict) or not isinstance(entry.get("layer"), str):
            raise ModelFileError(f"the file describes a layer as {short(entry)}")
        if entry["layer"] == "Sequential":
            yield from _entries(entry.get("layers"), levels - 1)
        else:
            yield entry


def _checked(entry: Settings) -> int:
    """A lower bound on the parameters of a layer, whose name and settings it checks."""
    layer = _LAYERS.get(entry["layer"])
    if layer is None:
        raise ModelFileError(f"the file describes a layer {short(entry['layer'])}, which this version does not know")
    signature = inspect.signature(layer).parameters
    wanted = set(_setting_names(layer))
    settings = {key: value for key, value in entry.items() if key not in ("layer", "name", "dtype")}
    for name in sorted(wanted ^ settings.keys()):
        raise ModelFileError(
            f"the file describes a {entry['layer']} {'with' if name in settings else 'without'} {name}"
        )
    for name, value in settings.items():
        if not _fits(value, signature[name].annotation):
            raise ModelFileError(f"the file describes a {entry['layer']} with {name} = {short(value)}")
    if entry.get("dtype", "float64") != "float64":
        raise ModelFileError(f"the file describes a {entry['layer']} of type {short(entry['dtype'])}")
    return max(layer.largest_parameter(settings), 0)


def _fits(value: Any, annotation: Any) -> bool:
    """Whether a value from a file is of an annotated type; integers pass for floats."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    kinds = text.split(" | ")
    if isinstance(value, list):
        return any(kind.endswith("Sequence[int]") for kind in kinds) and all(type(item) is int for item in value)
    kind = "None" if value is None else type(value).__name__
    return kind in kinds or (kind == "int" and "float" in kinds)


def _sequential(description: list[Settings]) -> Sequential:
    model = Sequential()
    for position, entry in enumerate(description):
        try:
            model.add_module(entry.get("name", str(position)), _built(entry))
        except ModelFileError:
            raise
        except (TypeError, ValueError, KeyError, OverflowError, MemoryError) as error:
            raise ModelFileError(f"the file describes a {entry['layer']} that cannot be built: {error}") from None
    if len(model) != len(description):
        raise ModelFileError("the file describes two layers of the same name")
    return model


def _built(entry: Settings) -> Module:
    if entry["layer"] == "Sequential":
        return _sequential(entry["layers"])
    settings = {key: value for key, value in entry.items() if key not in ("layer", "name", "dtype")}
    layer = _LAYERS[entry["layer"]](**settings)
    return layer.double() if "dtype" in entry else layer
