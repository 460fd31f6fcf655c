"""Modules made of modules, and of parameters."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar, overload

from .activations import ReLU
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .parameter import Parameter

__all__ = ["MLP", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]

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


class ModuleDict(Module):
    """A dictionary that registers its modules."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __getitem__(self, name: str) -> Module:
        return self._modules[name]  # type: ignore[no-any-return]

    def __delitem__(self, name: str) -> None:
        del self._modules[name]
        del self.__dict__[name]

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Names and modules."""
        return self._modules.items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Adds modules, replacing those of the same names."""
        for name, module in dict(modules).items():
            self.add_module(name, module)

    def pop(self, name: str) -> Module:
        """Removes and returns the module `name`."""
        module = self[name]
        del self[name]
        return module

    def clear(self) -> None:
        """Removes all modules."""
        for name in list(self):
            del self[name]


class ParameterList(Module):
    """A list of parameters; tensors and arrays become parameters."""

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


class ParameterDict(Module):
    """A dictionary of parameters; tensors and arrays become parameters."""

    def __init__(self, parameters: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        for name, value in (parameters or {}).items():
            self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        self.register_parameter(name, _parameter_of(value))

    def __getitem__(self, name: str) -> Any:
        return self._parameters[name]

    def __delitem__(self, name: str) -> None:
        del self._parameters[name]
        del self.__dict__[name]

    def __contains__(self, name: object) -> bool:
        return name in self._parameters

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._parameters.keys()

    def values(self) -> Iterable[Any]:
        """The parameters."""
        return self._parameters.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and parameters."""
        return self._parameters.items()


def _require_module(module: Any) -> None:
    if not isinstance(module, Module):
        raise TypeError(f"a {type(module).__name__} is not a Module")


def _parameter_of(value: Any) -> Parameter:
    return value if isinstance(value, Parameter) else Parameter(value)


def _made(activation: Any) -> Module:
    """A new module from an MLP's `activation`."""
    if isinstance(activation, Module):
        return copy.deepcopy(activation)
    try:
        made = activation()
    except TypeError:
        made = None
    if not isinstance(made, Module):
        given = getattr(activation, "__name__", None) or repr(activation)
        raise TypeError(
            f"activation must be a module or a callable that makes one, such as nn.LeakyReLU(0.2) or nn.Tanh, got {given}"
        )
    return made


class MLP(Sequential):
    """A multi-layer perceptron: `sizes` (inputs, hidden..., outputs), activations between, dropout after each activation.

    `activation` is a class (nn.Tanh), a function that makes a module, or a module, which is copied for each layer.

    >>> from nnlite import nn
    >>> nn.MLP([784, 128, 10])
    MLP(
      (0): Linear(in_features=784, out_features=128, bias=True)
      (1): ReLU()
      (2): Linear(in_features=128, out_features=10, bias=True)
    )
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[[], Module] | Module = ReLU,
        dropout: float = 0.0,
        bias: bool = True,
    ) -> None:
        if not hasattr(sizes, "__len__"):
            raise TypeError(f"sizes must be a list such as [784, 128, 10], got {sizes!r}")
        if len(sizes) < 2:
            raise ValueError(f"MLP needs at least two sizes (inputs, outputs), got sizes={list(sizes)}")
        layers: list[Module] = []
        for inputs, outputs in pairwise(sizes[:-1]):
            layers += [Linear(inputs, outputs, bias), _made(activation)]
            if dropout > 0:
                layers.append(Dropout(dropout))
        super().__init__(*layers, Linear(sizes[-2], sizes[-1], bias))
