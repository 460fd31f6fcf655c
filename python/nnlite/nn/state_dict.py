"""Messages about state dicts that do not fit."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["hints", "require_state_dict"]


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
