"""Modules made of modules, and of parameters."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Any, ClassVar, TypeVar, overload

from .module import Module
from .parameter import Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]

L = TypeVar("L", bound="_Numbered")


class _Numbered(Module):
    """Modules in order, named by their numbers unless given other names."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def _name_at(self, index: int) -> str:
        names = list(self._modules)
        if not -len(names) <= index < len(names):
            raise IndexError(f"index {index} is out of range: there are {len(names)} modules")
        return names[index]

    def __setitem__(self, index: int, module: Module) -> None:
        _require_module(module)
        self.add_module(self._name_at(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)[index] if isinstance(index, slice) else [self._name_at(index)]
        self._renumber([module for name, module in self._modules.items() if name not in names])

    def _renumber(self, modules: Sequence[Module]) -> None:
        for name in list(self._modules):
            delattr(self, name)
        for number, module in enumerate(modules):
            self.add_module(str(number), module)

    def append(self: L, module: Module) -> L:
        """Adds a module at the end."""
        _require_module(module)
        number = len(self)
        while str(number) in self._modules:  # a slice of a Sequential keeps its names
            number += 1
        self.add_module(str(number), module)
        return self

    def extend(self: L, modules: Iterable[Module]) -> L:
        """Adds modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self: L, index: int, module: Module) -> L:
        """Puts a module before the one at `index`; all are renumbered."""
        _require_module(module)
        if not -len(self) <= index <= len(self):
            raise IndexError(f"index {index} is out of range: there are {len(self)} modules")
        modules = list(self._modules.values())
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, index: int | slice = -1) -> Any:
        """Removes and returns the module at `index`, or those of a slice; the others are renumbered."""
        module = self[index]  # type: ignore[index]
        del self[index]
        return module

    def __iadd__(self: L, modules: Iterable[Module]) -> L:
        return self.extend(modules)


class Sequential(_Numbered):
    """Calls its modules one after another: `Sequential(first, second, ...)` or `Sequential(OrderedDict(name=module, ...))`.

    Indexed as a list; a slice is a Sequential of the same modules under the same names.

    >>> from nnlite import nn
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    >>> len(model), model[0].out_features
    (3, 8)
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            self.extend(args)

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)
        return input

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return Sequential(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._name_at(index)]  # type: ignore[no-any-return]

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *other)

    def __mul__(self, other: int) -> Sequential:
        return Sequential(*self).__imul__(other)

    __rmul__ = __mul__

    def __imul__(self, other: int) -> Sequential:
        if not isinstance(other, int):
            raise TypeError(f"a Sequential can be repeated a whole number of times, not {other!r}")
        if other < 1:
            raise ValueError(f"a Sequential can be repeated once or more, not {other} times")
        return self.extend(list(self) * (other - 1))


class ModuleList(_Numbered):
    """A list that registers its modules; a slice is a ModuleList of the same modules.

    >>> from nnlite import nn
    >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
    >>> len(list(layers[1:].parameters()))
    4
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> ModuleList: ...
    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return ModuleList(list(self)[index])
        return self._modules[self._name_at(index)]  # type: ignore[no-any-return]

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])


class Entries(Module):
    """The methods of a dictionary, of the entries in one of a module's registries."""

    registry: ClassVar[str]

    @property
    def _entries(self) -> dict[str, Any]:
        return self.__dict__[self.registry]  # type: ignore[no-any-return]

    def __setitem__(self, key: str, value: Any) -> None:
        raise NotImplementedError

    def __getitem__(self, key: str) -> Any:
        return self._entries[key]

    def __delitem__(self, key: str) -> None:
        del self._entries[key]
        del self.__dict__[key]

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._entries.keys()

    def values(self) -> ValuesView[Any]:
        """The values."""
        return self._entries.values()

    def items(self) -> ItemsView[str, Any]:
        """Pairs of names and values."""
        return self._entries.items()

    def update(self, entries: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Adds entries, replacing those of the same names."""
        pairs = entries.items() if isinstance(entries, Mapping | Entries) else entries
        for key, value in list(pairs):
            self[key] = value

    def pop(self, key: str) -> Any:
        """Removes and returns the entry `key`."""
        value = self[key]
        del self[key]
        return value

    def clear(self) -> None:
        """Removes all entries."""
        for key in list(self):
            del self[key]


class ModuleDict(Entries):
    """A dictionary that registers its modules."""

    registry = "_modules"

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)


class ParameterList(Module):
    """A list that registers its parameters; tensors and arrays become parameters. A slice is a ParameterList of the same ones."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(values or ())

    def append(self, value: Any) -> ParameterList:
        """Adds a parameter at the end."""
        self.register_parameter(str(len(self)), _parameter_of(value))
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Adds parameters at the end."""
        for value in list(values):
            self.append(value)
        return self

    __iadd__ = extend

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parameters.values())

    @overload
    def __getitem__(self, index: int) -> Parameter: ...
    @overload
    def __getitem__(self, index: slice) -> ParameterList: ...
    def __getitem__(self, index: int | slice) -> Any:
        found = list(self._parameters.values())[index]
        return ParameterList(found) if isinstance(index, slice) else found

    def __setitem__(self, index: int, value: Any) -> None:
        self.register_parameter(list(self._parameters)[index], _parameter_of(value))

    def extra_repr(self) -> str:
        return _shown(self._parameters)


class ParameterDict(Entries):
    """A dictionary that registers its parameters; tensors and arrays become parameters."""

    registry = "_parameters"

    def __init__(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__()
        self.update(parameters or {})

    def __setitem__(self, key: str, value: Any) -> None:
        self.register_parameter(key, _parameter_of(value))

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._parameters)

    def __or__(self, other: Mapping[str, Any] | ParameterDict) -> ParameterDict:
        return self.copy().__ior__(other)

    def __ror__(self, other: Mapping[str, Any]) -> ParameterDict:
        return ParameterDict(other).__ior__(self)

    def __ior__(self, other: Mapping[str, Any] | ParameterDict) -> ParameterDict:
        self.update(other)  # type: ignore[arg-type]
        return self

    def copy(self) -> ParameterDict:
        """A dictionary of the same parameters."""
        return ParameterDict(self._parameters)

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter `key`, or `default`."""
        return self._parameters.get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The parameter `key`, created from `default` if missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def popitem(self) -> tuple[str, Any]:
        """Removes and returns the last entry."""
        key = next(reversed(self))
        return key, self.pop(key)

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A dictionary of `default` under each name."""
        return ParameterDict((key, default) for key in keys)

    def extra_repr(self) -> str:
        return _shown(self._parameters)


def _parameter_of(value: Any) -> Parameter:
    return value if isinstance(value, Parameter) else Parameter(value)


def _shown(parameters: Mapping[str, Any]) -> str:
    return "\n".join(f"({name}): Parameter of shape {value.shape}" for name, value in parameters.items())


def _require_module(module: Any) -> None:
    if not isinstance(module, Module):
        raise TypeError(f"a {type(module).__name__} is not a Module")
