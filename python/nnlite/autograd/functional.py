"""Derivatives of functions of tensors, under the names of PyTorch's torch.autograd.functional.

`func` takes the tensors in `inputs`, one or a tuple, and returns one or a tuple; results have the same structure. `create_graph`
records the results for further derivatives; `strict` raises RuntimeError where an output does not depend on an input (otherwise
the derivative is 0).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from ..naming import publish
from .grad_mode import enable_grad
from .gradients import grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Function = Callable[..., Any]
Several = tuple[Any, ...]


def vjp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Several:
    """(outputs, v^T J): the gradients of the outputs weighted by `v`, which has their shapes."""
    with enable_grad():
        ways, ends, outputs = _called(func, inputs, create_graph)
        made = _derivatives(ends, ways, _vectors("v", v, ends), create_graph, strict)
    return _plain(outputs, create_graph), _like(inputs, made)


def jvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Several:
    """(outputs, J v): how the outputs change with the inputs along `v`, which has their shapes. Computed by two passes back."""
    with enable_grad():
        ways, ends, outputs = _called(func, inputs, create_graph)
        zeros = [_zeros(end).requires_grad_() for end in ends]
        gradients = _derivatives(ends, ways, zeros, True, strict)
        linear = [(g, w) for g, w in zip(gradients, _vectors("v", v, ways), strict=True) if g.requires_grad]
        if linear:
            made = _derivatives([g for g, _ in linear], zeros, [w for _, w in linear], create_graph, strict)
        else:
            made = [_zeros(end) for end in ends]
    return _plain(outputs, create_graph), _like(outputs, made)


def jacobian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """d output / d input, of shape (*output, *input), for each pair; one pass back for each element of the outputs.

    `vectorize` changes nothing; of the strategies there is "reverse-mode".

    >>> import nnlite as nl
    >>> nl.autograd.functional.jacobian(lambda x: x**2, nl.tensor([1.0, 3.0]))
    tensor([[2., 0.],
            [0., 6.]])
    """
    if strategy != "reverse-mode":
        raise NotImplementedError(f"strategy {strategy!r} is not available; use 'reverse-mode'")
    with enable_grad():
        ways, ends, outputs = _called(func, inputs, create_graph)
        rows = [_like(inputs, _rows(end, ways, create_graph, strict)) for end in ends]
    return _like(outputs, rows)


def hessian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a single number, of shape (*input, *input), for each pair of inputs."""
    several = isinstance(inputs, tuple)

    def gradient(*values: Tensor) -> Any:
        return vjp(_number(func), values if several else values[0], None, True, strict)[1]

    return jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)


def vhp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Several:
    """(output, v^T H) of a single number, by two passes back; `v` has the shapes of the inputs."""
    with enable_grad():
        ways, ends, outputs = _called(_number(func), inputs, create_graph)
        gradients = _derivatives(ends, ways, [None], True, strict)
        pairs = [(g, w) for g, w in zip(gradients, _vectors("v", v, ways), strict=True) if g.requires_grad]
        if strict and len(pairs) < len(ways):
            raise RuntimeError("a gradient does not depend on any input; strict=False gives 0 for it")
        if pairs:
            made = _derivatives([g for g, _ in pairs], ways, [w for _, w in pairs], create_graph, strict)
        else:
            made = [_zeros(way) for way in ways]
    return _plain(outputs, create_graph), _like(inputs, made)


def hvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Several:
    """(output, H v) of a single number: the same as `vhp`, since H is symmetric."""
    return vhp(func, inputs, v, create_graph, strict)


def _tuple(given: Any) -> Several:
    return given if isinstance(given, tuple) else (given,)


def _like(structure: Any, results: list[Any]) -> Any:
    return tuple(results) if isinstance(structure, tuple) else results[0]


def _zeros(x: Tensor) -> Tensor:
    return Tensor(np.zeros(x.shape, x.dtype))


def _called(func: Function, inputs: Any, create_graph: bool) -> tuple[list[Tensor], list[Tensor], Any]:
    """The inputs as tensors that require a gradient, apart from what made them unless that gets one too; the outputs."""
    given = _tuple(inputs)
    ways = [x * 1.0 if create_graph and x.requires_grad else x.detach().requires_grad_() for x in given]
    outputs = func(*ways)
    ends = _tuple(outputs)
    if not all(isinstance(end, Tensor) for end in ends):
        raise TypeError(f"func must return a Tensor or a tuple of them, got {type(outputs).__name__}")
    return ways, list(ends), outputs


def _plain(outputs: Any, create_graph: bool) -> Any:
    return outputs if create_graph else _like(outputs, [end.detach() for end in _tuple(outputs)])


def _number(func: Function) -> Function:
    def single(*values: Tensor) -> Tensor:
        result = func(*values)
        if not isinstance(result, Tensor) or result.numel() != 1:
            raise RuntimeError("func must return a Tensor of one number")
        return result.reshape(())

    return single


def _vectors(name: str, v: Any, like: list[Tensor]) -> list[Any]:
    if v is None:
        if len(like) > 1 or like[0].numel() != 1:
            raise RuntimeError(f"{name} can be left out for a single number only")
        return [Tensor(np.ones(like[0].shape, like[0].dtype))]
    vectors = list(_tuple(v))
    if [x.shape for x in vectors] != [x.shape for x in like]:
        raise RuntimeError(f"{name} has shapes {[x.shape for x in vectors]}, it needs {[x.shape for x in like]}")
    return vectors


def _derivatives(
    ends: list[Tensor], ways: list[Tensor], seeds: list[Any], create_graph: bool, strict: bool
) -> list[Any]:
    pairs = [(end, seed) for end, seed in zip(ends, seeds, strict=True) if end.requires_grad]
    if strict and len(pairs) < len(ends):
        raise RuntimeError("an output does not depend on any input; strict=False gives 0 for it")
    if not pairs:
        return [_zeros(way) for way in ways]
    made = grad([e for e, _ in pairs], ways, [s for _, s in pairs], True, create_graph, allow_unused=True)
    unused = [i for i, g in enumerate(made) if g is None]
    if strict and unused:
        raise RuntimeError(f"no output depends on input {unused[0]}; strict=False gives 0 for it")
    return [_zeros(way) if g is None else g for g, way in zip(made, ways, strict=True)]


def _rows(end: Tensor, ways: list[Tensor], create_graph: bool, strict: bool) -> list[Any]:
    """d end / d way for each way."""
    if end.numel() == 0 or (not end.requires_grad and not strict):
        return [Tensor(np.zeros((*end.shape, *way.shape), end.dtype)) for way in ways]
    flat = end.reshape(-1)
    rows = [_derivatives([flat[i]], ways, [None], create_graph, strict) for i in range(end.numel())]
    return [
        _core.stack(column).reshape((*end.shape, *way.shape))
        for column, way in zip(zip(*rows, strict=True), ways, strict=True)
    ]


publish(__name__)
