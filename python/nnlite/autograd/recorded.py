"""What the rules of `derivatives` are given and return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .._core import Tensor

Gradients = Sequence[Tensor | None]


class Recorded(NamedTuple):
    """A node: its name, the gradient of its output, and for each input whether a gradient is wanted and the shape, if given."""

    name: str
    gradient: Tensor
    wanted: list[bool]
    shapes: list[Any]
    ask: Callable[[str, int, Tensor | None], Tensor]

    def input(self, i: int) -> Tensor:
        """As a recorded tensor; RuntimeError, also for the output, if the values have changed since."""
        return self.ask("input", i, None)

    def output(self) -> Tensor:
        """As a recorded tensor."""
        return self.ask("output", 0, None)

    def slope(self, i: int) -> Tensor:
        """The gradient of input i for an output gradient of 1, a constant."""
        return self.ask("slope", i, None)

    def adjoint(self, i: int, gradient: Tensor) -> Tensor:
        """The gradient of input i, in which the operation is linear, by its own backward pass."""
        return self.ask("adjoint", i, gradient)

    def attribute(self, name: str) -> Any:
        """An attribute of the operation."""
        value: Any = self.ask(name, 0, None)
        return value
