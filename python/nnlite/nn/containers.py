"""Modules made of modules."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, overload

from .activations import ReLU
from .dropout import Dropout
from .linear import Linear
from .module import Module


class Sequential(Module):
    """Calls its modules one after another: `Sequential(first, second, ...)` or `Sequential(OrderedDict(name=module, ...))`.

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

    def forward(self, x: Any) -> Any:
        for module in self._modules.values():
            x = module(x)
        return x

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        names = list(self._modules)
        if isinstance(index, slice):
            return Sequential(OrderedDict((name, self._modules[name]) for name in names[index]))
        return self._modules[names[index]]  # type: ignore[no-any-return]

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(list(self._modules)[index], module)

    def append(self, module: Module) -> Sequential:
        """Adds a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Sequential:
        """Adds modules at the end."""
        for module in modules:
            self.append(module)
        return self


class ModuleList(Module):
    """A list of modules whose parameters are known."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        """Adds a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int) -> Module:
        return list(self)[index]


class ModuleDict(Module):
    """A dictionary of modules whose parameters are known."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        for name, module in (modules or {}).items():
            self.add_module(name, module)

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __getitem__(self, name: str) -> Module:
        return self._modules[name]  # type: ignore[no-any-return]

    def __contains__(self, name: str) -> bool:
        return name in self._modules

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)


class MLP(Sequential):
    """A multi-layer perceptron: `sizes` (inputs, hidden..., outputs), an activation between, dropout after each activation.

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
        if len(sizes) < 2:
            raise ValueError(f"MLP needs at least the numbers of inputs and outputs, got sizes={list(sizes)}")
        layers: list[Module] = []
        for inputs, outputs in pairwise(sizes[:-1]):
            layers += [
                Linear(inputs, outputs, bias),
                copy.deepcopy(activation) if isinstance(activation, Module) else activation(),
            ]
            if dropout > 0:
                layers.append(Dropout(dropout))
        super().__init__(*layers, Linear(sizes[-2], sizes[-1], bias))
