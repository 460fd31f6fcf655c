"""Reprs: an object's class and the arguments of its constructor."""

from __future__ import annotations

from typing import Any

import numpy as np

_LONGEST = 60  # characters of one argument


def described(instance: object, **more: Any) -> str:
    """`Class(argument=value, ...)` from the attributes named as the constructor's arguments, defaults left out, and `more`.

    >>> class Point:
    ...     def __init__(self, x, y=0, hidden=None):
    ...         self.x, self.y = x, y
    >>> described(Point(3), size=np.zeros((2, 1)))
    'Point(x=3, size=array of shape (2, 1))'
    """
    import inspect

    arguments: dict[str, Any] = {}
    for name, parameter in inspect.signature(type(instance).__init__).parameters.items():
        value = vars(instance).get(name, vars(instance).get(f"_{name}", parameter.empty))
        if value is not parameter.empty and not _is_default(value, parameter.default):
            arguments[name] = value
    shown = ", ".join(f"{name}={brief(value)}" for name, value in {**arguments, **more}.items())
    return f"{type(instance).__name__}({shown})"


def brief(value: Any) -> str:
    """A value on one short line: an array's shape, a model's size, the class of anything long."""
    if isinstance(value, np.ndarray):
        return f"array of shape {value.shape}"
    if isinstance(value, tuple) and any(isinstance(item, np.ndarray) for item in value):
        return f"({', '.join(map(brief, value))})"
    if hasattr(value, "param_groups"):
        return f"{type(value).__name__}(lr={value.param_groups[0]['lr']})"
    if hasattr(value, "named_parameters") and any(True for _ in value.parameters()):
        return f"{type(value).__name__} of {sum(p.numel() for p in value.parameters()):,} parameters"
    if callable(value) and hasattr(value, "__qualname__"):
        return str(value.__qualname__)
    text = repr(value)
    return (
        text
        if len(text) <= _LONGEST and "\n" not in text and " object at 0x" not in text
        else f"{type(value).__name__}(...)"
    )


def _is_default(value: Any, default: Any) -> bool:
    return value is default or (
        isinstance(value, str | int | float | bool) and type(value) is type(default) and value == default
    )
