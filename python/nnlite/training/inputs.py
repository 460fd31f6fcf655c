"""Checking and shaping what `fit`, `evaluate` and `predict` are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from ..data.dataset import TensorDataset, arrays_of
from ..nn import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, Embedding, Module, NLLLoss
from ..nn.losses import _Loss

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rows:
    """Model inputs and, where given, targets and weights: arrays of one length whose rows are contiguous."""

    inputs: tuple[Array, ...]
    target: Array | None = None
    weight: Array | None = None

    def __len__(self) -> int:
        return len(self.inputs[0])

    def arrays(self) -> list[Array]:
        """All of them, in the order in which programs take them."""
        return [*self.inputs, *(a for a in (self.target, self.weight) if a is not None)]

    def select(self, rows: slice | Array) -> "Rows":
        """Some of the rows."""
        pick = [None if a is None else a[rows] for a in (self.target, self.weight)]
        return Rows(tuple(a[rows] for a in self.inputs), pick[0], pick[1])


def as_array(name: str, value: Any) -> Array:
    """`value` as a numeric array with contiguous rows; TypeError or ValueError that names what is wrong."""
    array = value.detach().numpy() if isinstance(value, Tensor) else _asarray(name, value)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{name} has dtype {array.dtype}, which is not numeric; convert it first, for example {name}.astype('float32')"
        )
    if array.ndim == 0:
        raise ValueError(f"{name} is a single value; it must have a first dimension of rows")
    if len(array) == 0 or array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    if not array.dtype.isnative or array.dtype.itemsize not in (1, 2, 4, 8) or array.dtype == np.float16:
        array = array.astype(np.float64 if array.dtype.itemsize > 8 else array.dtype.newbyteorder("="))
        array = array.astype(np.float32) if array.dtype == np.float16 else array
    return array if _rows_contiguous(array) else np.ascontiguousarray(array)


def _asarray(name: str, value: Any) -> Array:
    try:
        return np.asanyarray(value)
    except ValueError as error:
        raise ValueError(f"{name} cannot become one array ({error}); are its rows of different lengths?") from None


def _rows_contiguous(array: Array) -> bool:
    return array.flags.aligned and (array.ndim == 1 or bool(array[0].flags.c_contiguous))


def require_finite(name: str, array: Array) -> None:
    """ValueError naming the first NaN or infinity."""
    contiguous = array if array.flags.c_contiguous else np.ascontiguousarray(array)
    at = _core.first_nonfinite(contiguous)
    if at >= 0:
        index = tuple(int(i) for i in np.unravel_index(at, array.shape))
        raise ValueError(
            f"{name} holds {array[index]} at index {index}; training needs finite numbers: drop or fill such values first"
        )


def unpack(x: Any, y: Any) -> tuple[Any, Any]:
    """Splits a dataset given as `x` into inputs and target."""
    if y is None and hasattr(x, "__getitem__") and hasattr(x, "__len__") and not _is_array_like(x):
        arrays = x.tensors if isinstance(x, TensorDataset) else arrays_of(x)
        if len(arrays) > 1:
            return (arrays[0] if len(arrays) == 2 else tuple(arrays[:-1])), arrays[-1]
        return arrays[0], None
    return x, y


def _is_array_like(x: Any) -> bool:
    return isinstance(x, np.ndarray | Tensor | list | tuple) or hasattr(x, "__array__")


def prepare(
    model: Module, criterion: Any, x: Any, y: Any, sample_weight: Any = None, class_weight: Mapping[int, float] | None = None
) -> Rows:
    """All checks that do not need the model's output."""
    x, y = unpack(x, y)
    inputs = tuple(_input(model, f"x[{i}]", part) for i, part in enumerate(x)) if isinstance(x, tuple) else (
        _input(model, "x", x),
    )
    if y is None:
        raise ValueError("y is missing: pass the targets, or a dataset of (x, y)")
    target = _target(criterion, as_array("y", y))
    for i, part in enumerate(inputs[1:], 1):
        _same_length("x[0]", inputs[0], f"x[{i}]", part)
    _same_length("x", inputs[0], "y", target)
    return Rows(inputs, target, _weights(target, sample_weight, class_weight))


def prepare_inputs(model: Module, x: Any) -> Rows:
    """Inputs alone, for prediction."""
    x, _ = unpack(x, None)
    parts = x if isinstance(x, tuple) else (x,)
    return Rows(tuple(_input(model, "x", part) for part in parts))


def _same_length(name: str, array: Array, other_name: str, other: Array) -> None:
    if len(array) != len(other):
        raise ValueError(f"{name} has {len(array)} rows and {other_name} has {len(other)}; they must have one length")


def _input(model: Module, name: str, value: Any) -> Array:
    array = as_array(name, value)
    require_finite(name, array)
    return array


def takes_indices(model: Module) -> bool:
    """Whether integer inputs are indices of an embedding rather than numbers."""
    return any(isinstance(module, Embedding) for module in model.modules())


def is_class_loss(criterion: Any) -> bool:
    """Whether integer targets are class indices."""
    return isinstance(criterion, CrossEntropyLoss | NLLLoss)


def _target(criterion: Any, target: Array) -> Array:
    require_finite("y", target)
    if isinstance(criterion, BCELoss | BCEWithLogitsLoss):
        outside = ((target < 0) | (target > 1)).reshape(-1)
        if outside.any():
            at = int(outside.argmax())
            raise ValueError(
                f"y holds {target.reshape(-1)[at]} at index {at}; {type(criterion).__name__} needs targets between 0 and 1"
            )
    if is_class_loss(criterion) and target.ndim == 1 and target.dtype.kind == "f":
        raise ValueError(
            f"y holds {target.dtype} values of shape {target.shape}; {type(criterion).__name__} needs class indices as "
            "integers: use y.astype('int64')"
        )
    return target


def check_labels(criterion: Any, target: Array, classes: int) -> None:
    """ValueError naming the first class index out of range."""
    if not is_class_loss(criterion) or target.dtype.kind == "f":
        return
    wrong = ((target < 0) | (target >= classes)) & (target != criterion.ignore_index)
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        shown = index[0] if len(index) == 1 else index
        raise ValueError(
            f"y holds the class {target[index]} at index {shown}, but the model has {classes} outputs, so classes run "
            f"from 0 to {classes - 1}"
        )


def _weights(target: Array, sample_weight: Any, class_weight: Mapping[int, float] | None) -> Array | None:
    if sample_weight is None and class_weight is None:
        return None
    weight = np.ones(len(target), np.float32)
    if sample_weight is not None:
        given = as_array("sample_weight", sample_weight)
        if given.shape != (len(target),):
            raise ValueError(f"sample_weight has shape {given.shape}; it must be ({len(target)},), one weight a row")
        require_finite("sample_weight", given)
        weight = given.astype(np.float32)
    if class_weight is not None:
        if target.ndim != 1 or target.dtype.kind not in "iub":
            raise ValueError(f"class_weight needs class indices as targets, got {target.dtype} of shape {target.shape}")
        for label, factor in class_weight.items():
            weight[target == label] *= np.float32(factor)
    return weight


def require_weightable(criterion: Any) -> None:
    """Weights multiply single losses, so the criterion must be able to leave them unreduced."""
    if not isinstance(criterion, _Loss):
        raise TypeError(
            f"sample_weight and class_weight need one of nnlite's losses as criterion, got {type(criterion).__name__}"
        )
