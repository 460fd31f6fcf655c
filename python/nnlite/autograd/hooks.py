"""Hooks of tensors, handles of registered hooks, and what `grad_fn` gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from .. import _core
from .._core import Tensor

_numbers = itertools.count()


class RemovableHandle:
    """Removes a hook by `remove()`, or at the end of a `with` block."""

    def __init__(self, hooks: dict[int, Any], number: int) -> None:
        self._hooks = hooks
        self.id = number

    def remove(self) -> None:
        """Removes the hook, if it is still registered."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class Hooks(dict[int, Callable[[Tensor], Any]]):
    """A tensor's hooks, called with its gradient; the result replaces the gradient."""

    def __call__(self, gradient: Tensor) -> Any:
        for hook in list(self.values()):
            result = hook(gradient)
            gradient = gradient if result is None else result
        return gradient


def register(tensor: Tensor, hook: Callable[[Tensor], Any]) -> RemovableHandle:
    """See `Tensor.register_hook`."""
    if not callable(hook):
        raise TypeError(f"a hook must be callable, got {hook!r}")
    hooks = _core.gradient_hooks(tensor, Hooks())
    number = next(_numbers)
    hooks[number] = hook
    return RemovableHandle(hooks, number)


def watched(tensor: Tensor, hook: Callable[[Tensor], Any]) -> Tensor:
    """`tensor` as another one, whose hook sees the gradient of that one's uses alone."""
    same = tensor.view(1, *tensor.shape)[0]
    register(same, hook)
    return same


class Node:
    """The operation that made a tensor."""

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        """Such as "MulBackward0"."""
        return self._name

    def __repr__(self) -> str:
        return f"<{self._name} object>"
