"""Switching the tape off and on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from . import _core

F = TypeVar("F", bound=Callable[..., Any])


class _GradMode:
    """A context manager and decorator that sets whether operations are recorded on this thread."""

    _enabled: bool

    def __enter__(self) -> None:
        self._previous = _core.set_grad_enabled(self._enabled)

    def __exit__(self, *exception: object) -> None:
        _core.set_grad_enabled(self._previous)

    def __call__(self, function: F) -> F:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with type(self)():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


class no_grad(_GradMode):
    """Inside, nothing is recorded and no result requires a gradient.

    >>> import nnlite as nl
    >>> x = nl.tensor([1.0], requires_grad=True)
    >>> with nl.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    _enabled = False


class enable_grad(_GradMode):
    """Inside, operations are recorded, also within `no_grad`."""

    _enabled = True
