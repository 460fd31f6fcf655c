"""Parameters, and copies without autograd history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._core import Tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Parameter(Tensor):
    """A tensor that a module trains: assigned to an attribute of a `Module`, it appears in its `parameters()`.

    `parameter.data = tensor` replaces its values (any shape); modules and optimizers keep the same object.
    New attributes are refused, so that a misspelt `requires_grad` fails.
    """

    __slots__ = ()

    def __init__(self, data: ArrayLike | Tensor, requires_grad: bool = True) -> None:
        Tensor.__init__(self, data, None, requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        copy = type(self)(self.detach(), self.requires_grad)
        memo[id(self)] = copy
        return copy

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.detach().numpy(), self.requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + Tensor.__repr__(self)


def without_tapes(value: Any, known: dict[int, Tensor]) -> Any:
    """`value` with computed tensors detached, also within lists, tuples and dictionaries.

    A value without computed tensors is returned itself. `known` maps tensors to their detached copies.
    """
    if isinstance(value, Tensor):
        return value if value.is_leaf else known.setdefault(id(value), value.detach())
    if type(value) is dict:
        entries = {key: without_tapes(entry, known) for key, entry in value.items()}
        return entries if any(entries[key] is not value[key] for key in value) else value
    if type(value) in (list, tuple):
        elements = [without_tapes(element, known) for element in value]
        changed = any(new is not old for new, old in zip(elements, value, strict=True))
        return type(value)(elements) if changed else value
    return value
