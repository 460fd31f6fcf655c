"""Values of state dicts, and messages about dictionaries that do not fit."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._core import Tensor

__all__ = ["StateArray", "array_of", "hints", "require_state_dict"]

Array = np.ndarray[Any, Any]


class StateArray(Array):
    """A value of a state dict: a NumPy array that PyTorch's `load_state_dict` takes too, with a tensor's common methods."""

    def clone(self) -> "StateArray":
        """A copy."""
        copied: StateArray = self.copy()
        return copied

    def detach(self) -> "StateArray":
        """The array itself."""
        return self

    cpu = detach

    def numpy(self) -> Array:
        """The same memory as a plain array."""
        return self.view(np.ndarray)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        import sys

        from_numpy = sys.modules["torch"].from_numpy  # PyTorch is calling

        def tensor(value: Any) -> Any:
            return from_numpy(value.numpy()) if isinstance(value, StateArray) else value

        return func(*map(tensor, args), **{key: tensor(value) for key, value in (kwargs or {}).items()})


def array_of(value: Any) -> Array:
    """A tensor of nnlite or PyTorch, or anything array-like, as an array."""
    if isinstance(value, Tensor) or hasattr(value, "detach"):
        value = value.detach()
    return np.asarray(value)


def require_state_dict(state_dict: Any) -> None:
    """TypeError for anything but a mapping."""
    if isinstance(state_dict, Mapping):
        return
    fix = ""
    if isinstance(state_dict, str | bytes) or hasattr(state_dict, "__fspath__"):
        fix = "; read a file first: model.load_state_dict(nl.load(path))"
    elif hasattr(state_dict, "state_dict"):
        fix = f"; pass its state: model.load_state_dict({type(state_dict).__name__.lower()}.state_dict())"
    raise TypeError(f"a state dict maps names to arrays, got a {type(state_dict).__name__}{fix}")


def hints(state_dict: Mapping[Any, Any], own: Iterable[str]) -> list[str]:
    """Well-known reasons why a state dict does not fit a model with the names `own`."""
    own = set(own)
    if own <= state_dict.keys():
        return []
    nested = [key for key, value in state_dict.items() if isinstance(value, Mapping) and own & value.keys()]
    if nested:
        return [f"the entry {nested[0]!r} is itself a state dict: load state_dict[{nested[0]!r}]"]
    given = {key for key in state_dict if isinstance(key, str)}
    prefix = _prefix(given, own)
    if prefix:
        return [
            f"its names begin with {prefix!r} (wrappers such as DataParallel add that): load "
            f"{{name.removeprefix({prefix!r}): value for name, value in state_dict.items()}}"
        ]
    prefix = _prefix(own, given)
    if prefix:
        return [
            f"the model's names begin with {prefix!r}: load {{{prefix!r} + name: value for name, value in state_dict.items()}}"
        ]
    return []


def _prefix(long: set[str], short: set[str]) -> str:
    """The prefix of every name of `short` in `long`, such as "module.", or ""."""
    any_name = min(short, default="")
    for name in long:
        prefix = name.removesuffix(any_name)
        if name.endswith(f".{any_name}") and all(prefix + other in long for other in short):
            return prefix
    return ""
