"""The multi-layer perceptron, a Sequential made from its sizes."""

import copy
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from .activations import ReLU
from .containers import Sequential
from .dropout import Dropout
from .linear import Linear
from .module import Module

__all__ = ["MLP"]


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
