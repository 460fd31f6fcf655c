"""The Python values that a model's forward pass and a criterion can reach, to compare and to put back.

A captured step runs the Python code once and its kernels many times: what the code changes on the way (a counter, a list
that grows, a random number that it draws) would change once instead of at every batch.
"""

from __future__ import annotations

import array
import functools
import marshal
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
from ..optim import LRScheduler, Optimizer, ReduceLROnPlateau

_DEPTH = 8  # of containers within containers
_MOST = 20_000  # values
_LARGEST = 1 << 20  # bytes of an array that is kept
_PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic)
_LEAVES = (*_PLAIN, types.ModuleType)
_PLAIN_TYPES = frozenset(_PLAIN)  # most values are exactly of one of these
_Cached = type(functools.lru_cache(lambda: None))


class _Kept(NamedTuple):
    """One thing that can change: how messages call it, what it held, and how that is read and put back."""

    name: str
    owner: Any
    content: Any

    def present(self) -> Any:
        return _content_of(self.owner)


class _Names(NamedTuple):
    """Some of the names of a namespace: globals as a dictionary, a class or an object with slots by its attributes."""

    owner: Any
    names: tuple[str, ...]

    def content(self) -> dict[str, Any]:
        if isinstance(self.owner, dict):
            return {name: self.owner[name] for name in self.names if name in self.owner}
        if isinstance(self.owner, type):  # the class's own, whatever a descriptor makes of them
            return {name: vars(self.owner)[name] for name in self.names if name in vars(self.owner)}
        return {name: getattr(self.owner, name) for name in self.names if hasattr(self.owner, name)}

    def put_back(self, content: dict[str, Any]) -> None:
        for name, value in content.items():
            if isinstance(self.owner, dict):
                self.owner[name] = value
            else:
                setattr(self.owner, name, value)


class PythonState:
    """What `roots` (modules, criteria, optimizers) and everything behind them hold now.

    Nothing is looked at where all of them are nnlite's own, whose code changes nothing.
    """

    def __init__(self, roots: Iterable[Any]) -> None:
        self._kept: list[_Kept] = []
        self._arrays: list[tuple[str, np.ndarray[Any, Any]]] = []
        self._seen: set[int] = set()
        roots = list(roots)
        if all(map(_is_own, roots)):
            return
        for root in roots:
            self._walk(root, type(root).__name__, 0)
        self._keep("the default random generator", _core.default_generator())
        self._keep("random", random._inst)
        self._keep("np.random", np.random.mtrand._rand)

    def changes(self) -> list[str]:
        """Names of what is another than it was; a tensor of one trace is as good as one of another."""
        found: list[str] = []
        for kept in self._kept:
            present = kept.present()
            if isinstance(kept.content, dict) and isinstance(present, dict):
                keys = [*kept.content, *(key for key in present if key not in kept.content)]
                found += [f"{kept.name}.{key}" for key in keys if not _same_entry(kept.content, present, key)]
            elif not _same(kept.content, present):
                found.append(kept.name)
        return found

    def arrays_within(self, tensors: Callable[[], Iterable[Tensor]]) -> list[str]:
        """Names of the NumPy arrays that share memory with one of the tensors."""
        if not self._arrays:  # as nearly always
            return []
        values = [tensor.detach().numpy() for tensor in tensors()]
        return [name for name, array in self._arrays if any(np.may_share_memory(array, value) for value in values)]

    def restore(self) -> None:
        """Puts back whatever has changed."""
        for kept in self._kept:
            if not _same(kept.content, kept.present()):
                _put_back(kept.owner, kept.content)

    def _walk(self, value: Any, name: str, depth: int) -> None:
        if type(value) in _PLAIN_TYPES or id(value) in self._seen or depth > _DEPTH or len(self._kept) > _MOST:
            return
        if isinstance(value, _LEAVES):
            return
        self._seen.add(id(value))
        for part, part_name in self._parts(value, name):
            self._walk(part, part_name, depth + 1)

    def _keep(self, name: str, owner: Any) -> Any:
        content = _content_of(owner)
        self._kept.append(_Kept(name, owner, content))
        return content

    def _parts(self, value: Any, name: str) -> Iterator[tuple[Any, str]]:
        """Keeps what `value` itself holds; gives what is behind it."""
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
        elif isinstance(value, _Cached):
            self._keep(name, value)
            yield value.__wrapped__, name
        elif isinstance(value, Optimizer):
            yield value.param_groups, f"{name}.param_groups"
        elif isinstance(value, LRScheduler | ReduceLROnPlateau):
            yield from self._parts_of_object(value, name)
        elif isinstance(value, bytearray | array.array):
            self._keep(name, value)
        elif isinstance(value, np.ndarray):
            self._arrays.append((name, value))
            if value.nbytes <= _LARGEST:
                self._keep(name, value)
        elif isinstance(value, type):
            yield from self._parts_of_class(value)
        elif isinstance(value, Iterator) or _state_of_generator(value) is not None:
            self._keep(name, value)
        elif not _is_foreign(type(value)) or _is_record(value):
            yield from self._parts_of_object(value, name)

    def _parts_of_object(self, value: Any, name: str) -> Iterator[tuple[Any, str]]:
        if hasattr(value, "__dict__"):
            yield from _named(name, self._keep(name, vars(value)))
        kind = type(value)
        if _is_foreign(kind):
            return
        slots = tuple(slot for base in kind.__mro__ for slot in _listed(vars(base).get("__slots__", ())))
        if slots:
            yield from _named(name, self._keep(name, _Names(value, slots)))
        yield from ((base, base.__qualname__) for base in kind.__mro__)

    def _parts_of_class(self, kind: type) -> Iterator[tuple[Any, str]]:
        if _is_foreign(kind):
            return
        data = {n: v for n, v in vars(kind).items() if not n.startswith("__") and not callable(v)}
        content = self._keep(kind.__qualname__, _Names(kind, tuple(data)))
        yield from _named(kind.__qualname__, content)
        for key, part in vars(kind).items():
            if isinstance(part, types.FunctionType) or (callable(part) and not key.startswith("__")):
                yield part, f"{kind.__qualname__}.{key}"

    def _parts_of_function(self, function: types.FunctionType) -> Iterator[tuple[Any, str]]:
        if _is_foreign(function):
            return
        name = function.__qualname__
        for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            yield self._keep(f"{name}.{variable}", cell), f"{name}.{variable}"
        used = tuple(n for n in _names_in(function.__code__) if n in function.__globals__)
        content = self._keep(function.__module__, _Names(function.__globals__, used))
        yield from ((part, key) for key, part in content.items())
        for module in content.values():
            if isinstance(module, types.ModuleType) and not _is_foreign(module):
                attributes = self._keep(module.__name__, _Names(vars(module), tuple(_names_in(function.__code__))))
                yield from _named(module.__name__, attributes)
        yield from ((part, name) for part in (function.__defaults__, function.__kwdefaults__, vars(function)) if part)


def _named(owner: str, content: dict[Any, Any]) -> Iterator[tuple[Any, str]]:
    """What may hold something itself, and how messages call it."""
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
    where = thing.__name__ if isinstance(thing, types.ModuleType) else getattr(thing, "__module__", None)
    return (where or "builtins").partition(".")[0] in _FOREIGN


_RECORDS = {
    ("types", "SimpleNamespace"),
    ("argparse", "Namespace"),
    ("collections", "UserDict"),
    ("collections", "UserList"),
}


def _is_record(value: Any) -> bool:
    """Whether it is one of the standard library's objects that only hold what users put there."""
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
        type(module).__module__.startswith("nnlite.") and "forward" not in vars(module) for module in root.modules()
    )


def _state_of_generator(value: Any) -> Any:
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, np.random.RandomState):
        return value.get_state()
    if isinstance(value, random.Random):
        return marshal.dumps(value.getstate())  # compared at once, not number by number
    return value.state() if isinstance(value, _core.Generator) else None


def _content_of(owner: Any) -> Any:
    if isinstance(owner, dict | list | set | deque | np.ndarray):
        return owner.copy()
    if isinstance(owner, _Names):
        return owner.content()
    if isinstance(owner, Tensor):  # of what is trained only whether it is: nothing else than a step changes the rest
        fixed = not owner.requires_grad and owner.numel() * 8 <= _LARGEST
        return owner.requires_grad, owner.detach().numpy().copy() if fixed else None
    if isinstance(owner, _Cached):
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
    return _state_of_generator(owner)


def _can_be_reduced(iterator: Any) -> bool:
    try:
        iterator.__reduce__()
    except TypeError:
        return False
    return True


def _put_back(owner: Any, content: Any) -> None:
    if isinstance(owner, _Names):
        owner.put_back(content)
    elif isinstance(owner, Iterator):
        pass  # cannot be turned back
    elif isinstance(owner, Tensor):
        requires_grad, values = content
        owner.requires_grad_(requires_grad)
        if values is not None:
            owner.detach().numpy()[...] = values
    elif isinstance(owner, _Cached):
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


def _same_entry(before: dict[Any, Any], after: dict[Any, Any], key: Any) -> bool:
    return key in before and key in after and _same(before[key], after[key])


def _same(a: Any, b: Any, depth: int = 0) -> bool:
    if a is b:
        return True
    if type(a) is not type(b) or depth > _DEPTH:
        return False
    if isinstance(a, Tensor):
        return _core.is_traced(a) and _core.is_traced(b)
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    if isinstance(a, (*_PLAIN, bytearray, array.array)):
        return bool(a == b) or bool(a != a and b != b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(_same(a[key], b[key], depth + 1) for key in a)
    if isinstance(a, list | tuple | deque):
        return len(a) == len(b) and all(_same(x, y, depth + 1) for x, y in zip(a, b, strict=True))
    if isinstance(a, set | frozenset):
        return bool(a == b)
    if isinstance(a, types.FunctionType):
        return a.__code__ is b.__code__
    if not hasattr(a, "__dict__"):
        return False
    return _same(vars(a), vars(b), depth + 1)
