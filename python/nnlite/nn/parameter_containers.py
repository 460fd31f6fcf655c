"""Modules made of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

from .containers import Entries
from .module import Module
from .parameter import Parameter

__all__ = ["ParameterDict", "ParameterList"]


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
        """The parameter `key`, made of `default` where there is none."""
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
