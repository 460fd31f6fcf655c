"""Gradients of chosen tensors, returned or added up."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .. import _core
from .._core import Tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Seeds = Tensor | ArrayLike | Sequence[Tensor | ArrayLike | None] | None

Tensors = Tensor | Sequence[Tensor]


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Seeds = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the sum of `outputs` by each of `inputs`, a tuple; no tensor's grad changes.

    `grad_outputs` are the gradients of the outputs, 1 for single numbers. `create_graph`: the gradients have gradients in
    turn. `retain_graph` keeps the record for another pass, by default where `create_graph` is set. Raises RuntimeError for an
    input on which no output depends: `allow_unused` gives None for it, `materialize_grads` zeros.

    >>> import nnlite as nl
    >>> x = nl.tensor([1.0, 2.0], requires_grad=True)
    >>> (g,) = nl.autograd.grad((x**3).sum(), x, create_graph=True)
    >>> nl.autograd.grad(g.sum(), x)[0]
    tensor([ 6., 12.])
    """
    if is_grads_batched or not only_inputs:
        raise NotImplementedError(
            "grad computes one gradient of the inputs at a time: leave is_grads_batched and only_inputs out"
        )
    if materialize_grads and allow_unused is False:
        raise ValueError("materialize_grads needs allow_unused, got allow_unused=False")
    ends, ways = _tensors("outputs", outputs), _tensors("inputs", inputs)
    retain = create_graph if retain_graph is None else retain_graph
    made = _core.gradients(ends, _seeds(ends, grad_outputs), ways, False, retain, create_graph)
    unused = [i for i, g in enumerate(made) if g is None]
    if unused and not (allow_unused or materialize_grads):
        raise RuntimeError(
            f"no output depends on input {unused[0]}; pass allow_unused=True to get None for it, "
            "or materialize_grads=True to get zeros"
        )
    if materialize_grads:
        return tuple(x.detach() * 0.0 if g is None else g for g, x in zip(made, ways, strict=True))
    return tuple(made)


def backward(
    tensors: Tensors,
    grad_tensors: Seeds = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """`Tensor.backward` of several tensors at once: adds the gradients of their sum to the grad of leaves, or of `inputs`."""
    ends = _tensors("tensors", tensors)
    wanted = [] if inputs is None else _tensors("inputs", inputs)
    if inputs is not None and not wanted:
        raise RuntimeError("inputs is empty; leave it out")
    if create_graph:
        warnings.warn(
            "backward(create_graph=True) makes a circle of each leaf and its grad, which keeps their memory until grad is None; "
            "use autograd.grad",
            stacklevel=2,
        )
    retain = create_graph if retain_graph is None else retain_graph
    _core.gradients(ends, _seeds(ends, grad_tensors), wanted, True, retain, create_graph)


def _tensors(name: str, given: Tensors) -> list[Tensor]:
    tensors = [given] if isinstance(given, Tensor) else list(given)
    wrong = next((x for x in tensors if not isinstance(x, Tensor)), None)
    if wrong is not None:
        raise TypeError(f"{name} must be a Tensor or several, got {type(wrong).__name__}")
    return tensors


def _seeds(ends: list[Tensor], given: Any) -> list[Any]:
    several = isinstance(given, Iterable) and not isinstance(given, Tensor) and not hasattr(given, "__array__")
    seeds = list(given) if several and given is not None else [given] * len(ends) if given is None else [given]
    if len(seeds) != len(ends):
        raise RuntimeError(f"got {len(seeds)} gradients for {len(ends)} outputs; pass one each, None for 1")
    return seeds
