"""The threshold between the classes of a single column of outputs."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..metrics.classification import are_signs, has_column_per_class
from ..nn import (
    BCELoss,
    BCEWithLogitsLoss,
    Dropout,
    Flatten,
    HuberLoss,
    Identity,
    L1Loss,
    Module,
    MSELoss,
    Sequential,
    Sigmoid,
    SmoothL1Loss,
    Softplus,
)
from .state import TrainingState

Array = np.ndarray[Any, Any]

# What a loss takes outputs for, by its class and by the names that a custom function calls.
_CLASSES: dict[type[Module], str] = {
    BCELoss: "probabilities", BCEWithLogitsLoss: "logits", Sigmoid: "logits", Softplus: "logits",
    MSELoss: "labels", L1Loss: "labels", HuberLoss: "labels", SmoothL1Loss: "labels",
}  # fmt: skip
_NAMES = {
    "binary_cross_entropy": "probabilities", "binary_cross_entropy_with_logits": "logits", "sigmoid": "logits",
    "logsigmoid": "logits", "softplus": "logits", "mse_loss": "labels", "l1_loss": "labels", "huber_loss": "labels",
    "smooth_l1_loss": "labels",
}  # fmt: skip
_WITHOUT_EFFECT = (Dropout, Flatten, Identity)  # on the threshold


class ClassThreshold:
    """The threshold for outputs and targets of a training: as given, or from its loss, its last layer and its labels.

    Raises ValueError if these do not determine it.
    """

    def __init__(self, state: TrainingState, given: float | None) -> None:
        if given is not None and not (isinstance(given, int | float | np.number) and np.isfinite(given)):
            raise ValueError(f"threshold must be a finite number or None, got {given!r}")
        self._state = state
        self._given = given
        self._signs = False  # labels of -1 and 1 were seen

    def note(self, targets: Array | None) -> None:
        """Remembers how labels are coded, which a few of one class do not show."""
        self._signs = self._signs or (targets is not None and are_signs(targets))

    def __call__(self, outputs: Array, targets: Array) -> float:
        if self._given is not None or has_column_per_class(outputs) or outputs.dtype.kind != "f":
            return self._given or 0.0
        self.note(targets)
        kind, probable = _kind_of(self._state), isinstance(_last_layer(self._state.model), Sigmoid)
        if kind == "probabilities" or (probable and kind != "logits"):
            return 0.5
        if kind == "logits" and not probable:
            return 0.0
        if kind == "labels":
            return 0.0 if self._signs else 0.5
        if self._signs and not probable:
            return 0.0
        raise ValueError(_question(self._state, probable))


def _question(state: TrainingState, probable: bool) -> str:
    name = getattr(state.criterion, "__name__", type(state.criterion).__name__)
    why = (
        f"the model ends in a Sigmoid but the criterion {name} expects logits"
        if probable
        else f"the criterion {name} and the model do not determine it"
    )
    return (
        "the threshold between classes 0 and 1 is unknown: " + why + "; pass "
        "Trainer(..., threshold=0.0) for logits, threshold=0.5 for probabilities"
    )


def _last_layer(model: Module) -> Module:
    while isinstance(model, Sequential):
        layers = [layer for layer in model if not isinstance(layer, _WITHOUT_EFFECT)]
        if not layers:
            break
        model = layers[-1]
    return model


def _kind_of(state: TrainingState) -> str | None:
    """What the criterion takes outputs for, as far as visible; a penalty beside it does not count."""
    seen = {id(module) for module in state.model.modules()}
    kinds = set(_kinds(state.criterion, seen))
    if len(kinds) > 1:
        kinds.discard("labels")
    return kinds.pop() if len(kinds) == 1 else None


def _kinds(value: Any, seen: set[int]) -> Iterator[str]:
    if id(value) in seen:
        return
    seen.add(id(value))
    for kind, meaning in _CLASSES.items():
        if isinstance(value, kind):
            yield meaning
            return
    if isinstance(value, types.FunctionType):
        if value.__module__.startswith("nnlite.nn.functional."):
            yield from filter(None, [_NAMES.get(value.__name__)])
            return
        yield from (_NAMES[name] for name in value.__code__.co_names if name in _NAMES)
    for part in _parts(value):
        yield from _kinds(part, seen)


def _parts(value: Any) -> Iterator[Any]:
    """The functions and objects that a custom criterion calls."""
    if isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, types.MethodType):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, types.FunctionType):
        called = (value.__globals__.get(name) for name in value.__code__.co_names)
        cells = (cell.cell_contents for cell in value.__closure__ or () if cell != types.CellType())
        inner = [getattr(value, "__wrapped__", None), *(value.__defaults__ or ()), *called, *cells]
        yield from (part for part in inner if isinstance(part, _FOLLOWED) or _is_own(part))
    elif isinstance(value, Module) or _is_own(value):
        yield from value.modules() if isinstance(value, Module) else ()
        yield from (part for part in vars(value).values() if isinstance(part, _FOLLOWED) or _is_own(part))
        yield getattr(type(value), "forward", None)
        yield vars(type(value)).get("__call__")


_FOLLOWED = (Module, types.FunctionType, types.MethodType, functools.partial)


def _is_own(value: Any) -> bool:
    """A callable object of a plain class, as a criterion can be."""
    return callable(value) and hasattr(value, "__dict__") and not isinstance(value, type)
