"""Copying, comparing and restoring Python values for capture."""

from __future__ import annotations

import array
import functools
import marshal
import random
import types
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .._core import Tensor

DEPTH = 8  # of containers within containers
LARGEST = 1 << 20  # bytes of an array that is kept
PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic)
CachedFunction = type(functools.lru_cache(lambda: None))


class Names(NamedTuple):
    """Some of the names of a namespace: globals as a dictionary, a class or an object with slots by its attributes."""

    owner: Any
    names: tuple[str, ...]

    def content(self) -> dict[str, Any]:
        if isinstance(self.owner, dict):
            return {name: self.owner[name] for name in self.names if name in self.owner}
        if isinstance(self.owner, type):  # the class's own, bypassing descriptors
            return {name: vars(self.owner)[name] for name in self.names if name in vars(self.owner)}
        return {name: getattr(self.owner, name) for name in self.names if hasattr(self.owner, name)}

    def put_back(self, content: dict[str, Any]) -> None:
        for name, value in content.items():
            if isinstance(self.owner, dict):
                self.owner[name] = value
            else:
                setattr(self.owner, name, value)


def state_of_generator(value: Any) -> Any:
    """The state of one of the generators of nnlite, NumPy and Python; None for anything else."""
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, np.random.RandomState):
        return value.get_state()
    if isinstance(value, random.Random):
        return marshal.dumps(value.getstate())  # compared at once, not number by number
    return value.state() if isinstance(value, _core.Generator) else None


def content_of(owner: Any) -> Any:
    """A copy of what `owner` itself holds."""
    if isinstance(owner, dict | list | set | deque | np.ndarray):
        return owner.copy()
    if isinstance(owner, Names):
        return owner.content()
    if isinstance(owner, Tensor):  # of a trained one only whether it is trained: only steps change its values
        fixed = not owner.requires_grad and owner.numel() * 8 <= LARGEST
        return owner.requires_grad, owner.detach().numpy().copy() if fixed else None
    if isinstance(owner, CachedFunction):
        return owner.cache_info().currsize
    if isinstance(owner, bytearray | array.array):
        return owner[:]
    if isinstance(owner, types.CellType):
        try:
            return owner.cell_contents
        except ValueError:  # not set yet
            return None
    if isinstance(owner, types.GeneratorType):
        return owner.gi_frame and (owner.gi_frame.f_lasti, dict(owner.gi_frame.f_locals))
    if isinstance(owner, Iterator):
        return repr(owner.__reduce__()) if _can_be_reduced(owner) else None
    return state_of_generator(owner)


def _can_be_reduced(iterator: Any) -> bool:
    try:
        iterator.__reduce__()
    except TypeError:
        return False
    return True


def put_back(owner: Any, content: Any) -> None:
    """Restores what `content_of` returned."""
    if isinstance(owner, Names):
        owner.put_back(content)
    elif isinstance(owner, Iterator):
        pass  # cannot be rewound
    elif isinstance(owner, Tensor):
        requires_grad, values = content
        owner.requires_grad_(requires_grad)
        if values is not None:
            owner.detach().numpy()[...] = values
    elif isinstance(owner, CachedFunction):
        owner.cache_clear()
    elif isinstance(owner, bytearray | array.array):
        owner[:] = content
    elif isinstance(owner, types.CellType):
        owner.cell_contents = content
    elif isinstance(owner, np.ndarray):
        owner[...] = content
    elif isinstance(owner, dict | set):
        owner.clear()
        owner.update(content)
    elif isinstance(owner, list | deque):
        owner.clear()
        owner.extend(content)
    elif isinstance(owner, np.random.Generator):
        owner.bit_generator.state = content
    elif isinstance(owner, random.Random):
        owner.setstate(marshal.loads(content))
    else:
        owner.set_state(content)


def same_entry(before: dict[Any, Any], after: dict[Any, Any], key: Any) -> bool:
    """Whether both have the key, with the same value."""
    return key in before and key in after and same(before[key], after[key])


def same(a: Any, b: Any, depth: int = 0) -> bool:
    """Whether two values are indistinguishable; tensors of two traces count as equal."""
    if a is b:
        return True
    if type(a) is not type(b) or depth > DEPTH:
        return False
    if isinstance(a, Tensor):
        return _core.is_traced(a) and _core.is_traced(b)
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    if isinstance(a, (*PLAIN, bytearray, array.array)):
        return bool(a == b) or bool(a != a and b != b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key], depth + 1) for key in a)
    if isinstance(a, list | tuple | deque):
        return len(a) == len(b) and all(same(x, y, depth + 1) for x, y in zip(a, b, strict=True))
    if isinstance(a, set | frozenset):
        return bool(a == b)
    if isinstance(a, types.FunctionType):
        return a.__code__ is b.__code__
    if not hasattr(a, "__dict__"):
        return False
    return same(vars(a), vars(b), depth + 1)
