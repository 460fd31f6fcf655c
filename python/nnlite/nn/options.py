"""Argument checks of functions and losses."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._core import Tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    Operand = Tensor | ArrayLike


def number(name: str, value: Any) -> float:
    """An option as a float; TypeError or ValueError that names it."""
    if type(value) is float:
        return value
    if isinstance(value, str | bytes | complex) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if isinstance(value, Tensor) and value.requires_grad:
        raise TypeError(
            f"{name} is a tensor that requires a gradient but would get none; pass its .item(), or use tensor operations"
        )
    if np.asarray(value).size != 1:
        raise ValueError(f"{name} must be a single number, got {np.asarray(value).size} values")
    return float(value)


def require_probability(p: Any) -> None:
    """TypeError or ValueError unless `p` is a probability."""
    if not 0 <= number("dropout probability", p) <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def padding_row(padding_idx: int, rows: int) -> int:
    """`padding_idx` as a row of a table; negative counts from the end."""
    try:
        index = operator.index(padding_idx)
    except TypeError:
        raise TypeError(f"padding_idx must be an integer or None, got {padding_idx!r}") from None
    if not -rows <= index < rows:
        raise ValueError(f"padding_idx {index} is outside a table of {rows} rows")
    return index % rows


def implicit_dim(name: str, x: Operand) -> int:
    """The dimension that PyTorch chooses for softmax without `dim`, with a warning."""
    dim = 0 if len(shape_of(x)) in (0, 1, 3) else 1
    warnings.warn(f"{name} was called without dim and works along dim={dim}; pass dim to choose", stacklevel=3)
    return dim


def require_same_shape(name: str, x: Operand, target: Operand) -> None:
    """ValueError unless a loss's input and target have equal shapes."""
    x_shape, target_shape = shape_of(x), shape_of(target)
    if x_shape == target_shape:
        return
    fix = "reshape one of them to the other's shape"
    if len(x_shape) == len(target_shape) + 1 and x_shape == (*target_shape, 1):
        fix = "use output.squeeze(-1), or target.reshape(-1, 1)"
    elif (*x_shape, 1) == target_shape:
        fix = "use target.squeeze(-1), or output.reshape(-1, 1)"
    raise ValueError(
        f"{name}: the input has shape {x_shape} and the target {target_shape}; broadcasting them would compare every row "
        f"with every other, so they must be equal: {fix}"
    )


def floating(x: Operand) -> Tensor:
    """A tensor or anything array-like as a floating tensor."""
    tensor = _core.as_tensor(x)
    return tensor if tensor.dtype.kind == "f" else tensor.float()


def shape_of(x: Operand) -> tuple[int, ...]:
    """The shape of a tensor or of anything array-like."""
    return x.shape if isinstance(x, Tensor) else np.shape(x)


def broadcast_to_target(name: str, option: str, value: Any, losses: Tensor) -> Tensor:
    """A weight as a tensor that broadcasts to the losses without enlarging them."""
    tensor = as_weight(name, option, value, losses.dtype).to(losses.dtype)
    sizes = zip(reversed(tensor.shape), reversed(losses.shape), strict=False)
    if tensor.ndim > losses.ndim or any(own not in (1, size) for own, size in sizes):
        raise ValueError(
            f"{name}: {option} has shape {tensor.shape} and the target {losses.shape}; {option} must broadcast to the "
            f"target's shape: give it that shape, or (N, 1) for one {option} per row"
        )
    return tensor


def as_weight(name: str, option: str, value: Any, dtype: DTypeLike | None = None) -> Tensor:
    """A loss's option, a tensor, an array, a number or a list of numbers, as a floating tensor."""
    tensor = value if isinstance(value, Tensor) else None
    try:
        if tensor is None and not isinstance(value, str | bytes | Mapping):
            tensor = Tensor(value, dtype)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: {option} must be numbers, got {value!r} ({error})") from None
    if tensor is None:
        raise TypeError(
            f"{name}: {option} must be a Tensor, an array, a number or a list, got {type(value).__name__} {value!r}"
        )
    return tensor if tensor.dtype.kind == "f" else tensor.float()
