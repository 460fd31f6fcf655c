"""The Python values that a model's forward pass and a criterion can reach, to compare and restore.

A captured step runs the Python code once and its kernels many times: what the code changes (a counter, a growing list, a
random generator) would change once instead of for every batch.
"""

from __future__ import annotations

import array
import functools
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .._core import Tensor
from ..nn import Module
from ..optim import LRScheduler, Optimizer
from .python_values import (
    DEPTH,
    LARGEST,
    PLAIN,
    CachedFunction,
    Names,
    content_of,
    put_back,
    same,
    same_entry,
    state_of_generator,
)

_MOST = 20_000  # values
_LEAVES = (*PLAIN, types.ModuleType)
_PLAIN_TYPES = frozenset(PLAIN)  # most values are exactly of one of these


class _Kept(NamedTuple):
    """One thing that can change: its name in messages, its owner, and what it held."""

    name: str
    owner: Any
    content: Any

    def present(self) -> Any:
        return content_of(self.owner)


class PythonState:
    """What `roots` (modules, criteria, optimizers) and everything behind them hold now.

    If all of them are nnlite's own, whose code changes nothing, nothing is kept.
    """

    def __init__(self, roots: Iterable[Any]) -> None:
        self._kept: list[_Kept] = []
        self._arrays: list[tuple[str, np.ndarray[Any, Any]]] = []
        self._seen: set[int] = set()
        self._may_draw = False  # whether any code could draw from Python's and NumPy's generators
        roots = list(roots)
        if all(map(_is_own, roots)):
            return
        for root in roots:
            self._walk(root, type(root).__name__, 0)
        self._keep("the default random generator", _core.default_generator())
        if self._may_draw:  # copying these takes longer than all the rest
            self._keep("random", random._inst)
            self._keep("np.random", np.random.mtrand._rand)

    def changes(self) -> list[str]:
        """Names of what has changed; tensors of two traces count as equal."""
        found: list[str] = []
        for kept in self._kept:
            present = kept.present()
            if isinstance(kept.content, dict) and isinstance(present, dict):
                keys = [*kept.content, *(key for key in present if key not in kept.content)]
                found += [f"{kept.name}.{key}" for key in keys if not same_entry(kept.content, present, key)]
            elif not same(kept.content, present):
                found.append(kept.name)
        return found

    def arrays_within(self, tensors: Callable[[], Iterable[Tensor]]) -> list[str]:
        """Names of the NumPy arrays that share memory with one of the tensors."""
        if not self._arrays:  # as nearly always
            return []
        values = [tensor.detach().numpy() for tensor in tensors()]
        return [name for name, array in self._arrays if any(np.may_share_memory(array, value) for value in values)]

    def restore(self) -> None:
        """Restores whatever has changed."""
        for kept in self._kept:
            if not same(kept.content, kept.present()):
                put_back(kept.owner, kept.content)

    def _walk(self, value: Any, name: str, depth: int) -> None:
        if type(value) in _PLAIN_TYPES or id(value) in self._seen:
            return
        if depth > DEPTH or len(self._kept) > _MOST:
            self._may_draw = True
            return
        if isinstance(value, _LEAVES):
            self._may_draw |= isinstance(value, types.ModuleType) and not _is_of_nnlite(value)
            return
        self._seen.add(id(value))
        for part, part_name in self._parts(value, name):
            self._walk(part, part_name, depth + 1)

    def _keep(self, name: str, owner: Any) -> Any:
        content = content_of(owner)
        self._kept.append(_Kept(name, owner, content))
        return content

    def _parts(self, value: Any, name: str) -> Iterator[tuple[Any, str]]:
        """Keeps what `value` itself holds; yields its parts."""
        if isinstance(value, dict):
            yield from _named(name, self._keep(name, value))
        elif isinstance(value, list | set | deque):
            yield from ((part, f"{name}[{i}]") for i, part in enumerate(self._keep(name, value)))
        elif isinstance(value, tuple | frozenset):
            yield from ((part, f"{name}[{i}]") for i, part in enumerate(value))
        elif isinstance(value, Tensor):
            if not _core.is_traced(value):
                self._keep(name, value)
        elif isinstance(value, Module):
            yield from self._parts_of_object(value, name)
        elif isinstance(value, types.FunctionType):
            yield from self._parts_of_function(value)
        elif isinstance(value, types.MethodType):
            yield value.__self__, name
            yield value.__func__, name
        elif isinstance(value, types.BuiltinMethodType):  # a list's append, a generator's normal
            yield value.__self__, name
        elif isinstance(value, functools.partial | functools.partialmethod):
            yield from ((part, name) for part in (value.func, value.args, value.keywords))
        elif isinstance(value, property):
            yield from ((part, name) for part in (value.fget, value.fset, value.fdel))
        elif isinstance(value, staticmethod | classmethod):
            yield value.__func__, name
        elif isinstance(value, functools.cached_property):
            yield value.func, name
        elif isinstance(value, CachedFunction):
            self._keep(name, value)
            yield value.__wrapped__, name
        elif isinstance(value, Optimizer):
            yield value.param_groups, f"{name}.param_groups"
        elif isinstance(value, LRScheduler):
            yield from self._parts_of_object(value, name)
        elif isinstance(value, bytearray | array.array):
            self._keep(name, value)
        elif isinstance(value, np.ndarray):
            self._arrays.append((name, value))
            if value.nbytes <= LARGEST:
                self._keep(name, value)
        elif isinstance(value, type):
            yield from self._parts_of_class(value)
        elif isinstance(value, Iterator) or state_of_generator(value) is not None:
            self._keep(name, value)
        elif not _is_foreign(type(value)) or _is_record(value):
            yield from self._parts_of_object(value, name)
        else:
            self._may_draw |= not _is_of_nnlite(type(value))

    def _parts_of_object(self, value: Any, name: str) -> Iterator[tuple[Any, str]]:
        if hasattr(value, "__dict__"):
            yield from _named(name, self._keep(name, vars(value)))
        kind = type(value)
        if _is_foreign(kind):
            return
        slots = tuple(slot for base in kind.__mro__ for slot in _listed(vars(base).get("__slots__", ())))
        if slots:
            yield from _named(name, self._keep(name, Names(value, slots)))
        yield from ((base, base.__qualname__) for base in kind.__mro__)

    def _parts_of_class(self, kind: type) -> Iterator[tuple[Any, str]]:
        if _is_foreign(kind):
            self._may_draw |= not (kind is object or _is_of_nnlite(kind))
            return
        data = {n: v for n, v in vars(kind).items() if not n.startswith("__") and not callable(v)}
        content = self._keep(kind.__qualname__, Names(kind, tuple(data)))
        yield from _named(kind.__qualname__, content)
        for key, part in vars(kind).items():
            if isinstance(part, types.FunctionType) or (callable(part) and not key.startswith("__")):
                yield part, f"{kind.__qualname__}.{key}"

    def _parts_of_function(self, function: types.FunctionType) -> Iterator[tuple[Any, str]]:
        if _is_foreign(function):
            self._may_draw |= not _is_of_nnlite(function)
            return
        name = function.__qualname__
        for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            yield self._keep(f"{name}.{variable}", cell), f"{name}.{variable}"
        names = tuple(_names_in(function.__code__))
        used = tuple(n for n in names if n in function.__globals__)
        content = self._keep(function.__module__, Names(function.__globals__, used))
        imported = {n: sys.modules[n] for n in names if n in sys.modules and n not in content}  # within the function
        yield from ((part, key) for key, part in {**content, **imported}.items())
        yield from self._parts_of_modules([*content.values(), *imported.values()], names)
        yield from ((part, name) for part in (function.__defaults__, function.__kwdefaults__, vars(function)) if part)

    def _parts_of_modules(self, values: list[Any], names: tuple[str, ...]) -> Iterator[tuple[Any, str]]:
        """What has one of `names` in the user's modules among `values`, and in modules found there."""
        pending, known = list(values), set()
        for module in pending:
            if isinstance(module, types.ModuleType) and not _is_foreign(module) and id(module) not in known:
                known.add(id(module))
                attributes = self._keep(module.__name__, Names(vars(module), names))
                yield from _named(module.__name__, attributes)
                pending += attributes.values()


def _named(owner: str, content: dict[Any, Any]) -> Iterator[tuple[Any, str]]:
    """The parts that may hold others, and their names in messages."""
    return ((part, f"{owner}.{key}") for key, part in content.items() if type(part) not in _PLAIN_TYPES)


def _names_in(code: types.CodeType) -> Iterator[str]:
    """Global names that a function and those defined within it may read."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)


_FOREIGN = sys.stdlib_module_names | {"nnlite", "numpy", "torch", "jax", "pandas", "scipy", "sklearn", "matplotlib"}


def _is_foreign(thing: Any) -> bool:
    """Whether a class, function or module is a library's, not the user's."""
    return _root_of(thing) in _FOREIGN


def _root_of(thing: Any) -> str:
    where = thing.__name__ if isinstance(thing, types.ModuleType) else getattr(thing, "__module__", None)
    return (where or "builtins").partition(".")[0]


def _is_of_nnlite(thing: Any) -> bool:
    """Whether it is a class, function or module of nnlite, which draws from nnlite's generators alone."""
    return _root_of(thing) == "nnlite"


_RECORDS = {
    ("types", "SimpleNamespace"),
    ("argparse", "Namespace"),
    ("collections", "UserDict"),
    ("collections", "UserList"),
}


def _is_record(value: Any) -> bool:
    """Whether it is an object of the standard library that only holds users' values."""
    return (type(value).__module__, type(value).__qualname__) in _RECORDS


def _listed(slots: Any) -> Iterable[str]:
    return (slots,) if isinstance(slots, str) else slots


def _is_own(root: Any) -> bool:
    """Whether a model or criterion is nnlite's, or made of nnlite's classes alone."""
    if isinstance(root, types.FunctionType):
        return root.__module__.startswith("nnlite.")
    if not isinstance(root, Module):
        return type(root).__module__.startswith("nnlite.")
    return all(
        type(module).__module__.startswith("nnlite.") and not {"forward", "_hooks"} & vars(module).keys()
        for module in root.modules()
    )
