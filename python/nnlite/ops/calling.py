"""How functions of tensors are called: arrays for tensors, NumPy's names of arguments, in place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor

Operand = Any  # a Tensor, an array or a number
_NUMPY = {"axis": "dim", "axis0": "dim0", "axis1": "dim1", "keepdims": "keepdim", "x": "input"}


def with_numpy_names(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which also takes arrays where tensors are due, and `axis` and `keepdims` as PyTorch does."""
    names = list(function.__annotations__)
    tensors = [name for name in names if function.__annotations__[name] == "Tensor" and name != "return"]

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = {_NUMPY.get(name, name): value for name, value in kwargs.items()}
        for name in tensors:
            at = names.index(name)
            if at < len(args):
                if not isinstance(args[at], Tensor):
                    args = (*args[:at], _tensor(function.__name__, name, args[at]), *args[at + 1 :])
            elif name in kwargs and not isinstance(kwargs[name], Tensor):
                kwargs[name] = _tensor(function.__name__, name, kwargs[name])
        return function(*args, **kwargs)

    return call


def _tensor(function: str, name: str, value: Operand) -> Tensor:
    try:
        return _core.as_tensor(value)
    except TypeError as error:
        given = "None" if value is None else type(value).__name__
        raise TypeError(f"{function}(): {name} must be a Tensor, an array or numbers, got {given}") from error


def function_of(name: str) -> Callable[..., Any]:
    """A method of the core as a function."""
    method = getattr(Tensor, name)

    def call(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        return method(input, *args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"`input.{name}(...)`."
    return with_numpy_names(call)


def in_place(function: Callable[..., Any], name: str) -> Callable[..., Tensor]:
    """`function`, whose result replaces the values of its first argument."""

    @functools.wraps(function)
    def call(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        result = function(input.clone(), *args, **kwargs)
        if result.dtype != input.dtype and not is_floating(input):
            raise RuntimeError(f"{name}(): a result of type {result.dtype} does not fit into a tensor of {input.dtype}")
        return input.copy_(result)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"`{name[:-1]}`, in place."
    return call


def reflected(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`function` of two operands, the second first."""
    return lambda input, other: function(like(input, other), input)


def is_floating(*tensors: Tensor) -> bool:
    """Whether one of them is."""
    return any(x.dtype.kind == "f" for x in tensors)


def floating(input: Tensor) -> Tensor:
    """Integers as float32."""
    return input if is_floating(input) else input.float()


def like(input: Tensor, value: Operand) -> Tensor:
    """A number or an array as a tensor of the type of `input`, of its own beside integers."""
    return value if isinstance(value, Tensor) else Tensor(value, input.dtype if is_floating(input) else None)


def array_of(x: Operand) -> np.ndarray[Any, Any]:
    """Its values, without gradient."""
    return np.asarray(x.detach() if isinstance(x, Tensor) else x)


def by_numpy(function: Callable[..., Any], *operands: Operand) -> Tensor:
    """What NumPy computes of integers and booleans."""
    return _core.as_tensor(function(*map(array_of, operands)))


def normal_dim(name: str, dim: int, ndim: int) -> int:
    """`dim` counted from the front; a single value has one dimension."""
    ndim = max(ndim, 1)
    if not isinstance(dim, int):
        raise TypeError(f"{name}(): dim must be an integer, got {dim!r}")
    if not -ndim <= dim < ndim:
        raise IndexError(f"{name}(): dimension {dim} is out of range [{-ndim}, {ndim - 1}]")
    return dim % ndim


def normal_dims(name: str, dim: int | Sequence[int] | None, ndim: int) -> list[int]:
    """The dimensions meant by `dim`, from the front; all for None and ()."""
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return list(range(ndim))
    dims = [normal_dim(name, d, ndim) for d in ([dim] if isinstance(dim, int) else dim)]
    if len(set(dims)) < len(dims):
        raise RuntimeError(f"{name}(): dim {dim} names a dimension twice")
    return dims if ndim else []


def integers(name: str, index: Operand) -> np.ndarray[Any, Any]:
    """Indices as an int64 array."""
    array = array_of(index)
    if array.size and array.dtype.kind not in "iu":
        raise RuntimeError(f"{name}(): index must hold integers, got {array.dtype}")
    return array.astype(np.int64)
