"""Argument checks of the optimizers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .._core import Tensor
from ..nn.options import number


def listed(params: Any) -> list[Any]:
    """One tensor or several as a list."""
    if isinstance(params, set | frozenset):
        raise TypeError("params is a set, which has no order: use a list")
    return [params] if isinstance(params, Tensor) else list(params)


def split_names(entries: Sequence[Any]) -> tuple[list[Any], list[str]]:
    """(parameters, names) of `model.parameters()`, which has no names, or `model.named_parameters()`."""
    named = [entry for entry in entries if isinstance(entry, tuple)]
    if not named:
        return list(entries), []
    if len(named) != len(entries):
        raise ValueError("either all parameters of a group have names, or none has")
    names = [name for name, _ in named]
    if len(set(names)) != len(names):
        raise ValueError(f"a name appears more than once among the parameters: {names}")
    return [parameter for _, parameter in named], names


def require_trainable(groups: Iterable[Iterable[Any]]) -> None:
    """Each parameter must be a leaf tensor and appear once."""
    known: set[int] = set()
    for parameter in (parameter for group in groups for parameter in group):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"the optimizer can only train tensors, got {type(parameter).__name__}")
        if not parameter.is_leaf:
            raise ValueError("the optimizer can only train leaf tensors, got a computed one")
        if id(parameter) in known:
            raise ValueError("a parameter appears more than once in the parameter groups")
        known.add(id(parameter))


def require_kind(name: str, value: Any, default: Any) -> None:
    """TypeError unless an option is of its default's kind: a number, numbers, a bool, or anything."""
    if isinstance(default, bool):
        if not isinstance(value, bool | int | np.bool_):
            raise TypeError(f"{name} must be True or False, got {value!r}")
    elif isinstance(default, tuple | list):
        if not isinstance(value, tuple | list) or len(value) != len(default):
            raise TypeError(f"{name} must be {len(default)} numbers, got {value!r}")
        for each in value:
            number(f"each of {name}", each)
    elif default is not None and not isinstance(default, str):
        number(name, value)


def require_not_negative(owner: str, options: Mapping[str, Any], *names: str) -> None:
    """ValueError for one of the named options below 0, or NaN."""
    for name in names:
        if not options[name] >= 0:
            raise ValueError(f"{owner}: {name} must not be negative, got {options[name]}")


def require_betas(owner: str, options: Mapping[str, Any]) -> None:
    """TypeError for betas that are not a pair, ValueError for one outside [0, 1)."""
    require_kind(f"{owner}: betas", options["betas"], (0.9, 0.999))
    if not all(0 <= beta < 1 for beta in options["betas"]):
        raise ValueError(f"{owner}: betas must be at least 0 and below 1, got {options['betas']}")
