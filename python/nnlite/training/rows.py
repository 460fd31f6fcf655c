"""Checks and conversions of what `fit`, `evaluate` and `predict` are given."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from ..data.dataset import IterableDataset, arrays_of, has_parts
from ..data.loader import DataLoader
from ..nn import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, Embedding, Module, NLLLoss, Sequential
from ..nn.losses import Loss
from ..nn.options import number
from .arrays import Array, as_array, first_where, require_finite


@dataclass(frozen=True)
class Rows:
    """Model inputs and, where given, targets and weights: arrays of one length whose rows are contiguous."""

    inputs: tuple[Array, ...]
    target: Array | None = None
    weight: Array | None = None

    def __len__(self) -> int:
        return len(self.inputs[0])

    @property
    def kinds(self) -> tuple[Any, ...]:
        """Shape and type of a row of each array; the number of inputs."""
        return len(self.inputs), *((array.shape[1:], array.dtype) for array in self.arrays())

    def arrays(self) -> list[Array]:
        """All of them, in the order in which programs take them."""
        return [*self.inputs, *(a for a in (self.target, self.weight) if a is not None)]

    def select(self, rows: slice | Array) -> "Rows":
        """Some of the rows."""
        pick = [None if a is None else a[rows] for a in (self.target, self.weight)]
        return Rows(tuple(a[rows] for a in self.inputs), pick[0], pick[1])


def model_dtype(model: Module) -> np.dtype[Any]:
    """The floating type of the model's parameters (float32 where it has none)."""
    parameters = _core.tensors_below(model, "_parameters")
    return parameters[0].dtype if parameters else np.dtype(np.float32)


def input_dtypes(model: Module, criterion: Any, rows: Rows) -> list[np.dtype[Any]]:
    """The tensor type of each array of `rows`."""
    floating = model_dtype(model)
    indices = takes_indices(model)
    dtypes = [np.dtype(np.int64) if indices and a.dtype.kind in "iu" else floating for a in rows.inputs]
    if rows.target is not None:
        # Classes stay integers, for a custom criterion too; the elementwise losses compute with floats.
        whole = "iub" if is_class_loss(criterion) else "" if isinstance(criterion, Loss) else "iu"
        dtypes.append(np.dtype(np.int64) if rows.target.dtype.kind in whole else floating)
    return dtypes + ([floating] if rows.weight is not None else [])


def takes_indices(model: Module) -> bool:
    """Whether integer inputs are indices of an embedding rather than numbers."""
    return any(isinstance(module, Embedding) for module in model.modules())


def is_class_loss(criterion: Any) -> bool:
    """Whether integer targets are class indices."""
    return isinstance(criterion, Loss) and criterion.takes_classes


def unpack(x: Any, y: Any) -> tuple[Any, Any]:
    """Splits a dataset, or the dataset of a DataLoader, given as `x` into inputs and target."""
    if isinstance(x, DataLoader):
        x = dataset_of(x)
    if (
        y is not None
        or (_is_array_like(x) and not _is_list_of_items(x))
        or not (hasattr(x, "__getitem__") and hasattr(x, "__len__"))
    ):
        return x, y
    if len(x) == 0:
        raise ValueError(f"the {type(x).__name__} is empty")
    arrays = arrays_of(x)
    if len(arrays) == 1:
        return arrays[0], None
    return (arrays[0] if len(arrays) == 2 else tuple(arrays[:-1])), arrays[-1]


def dataset_of(loader: DataLoader) -> Any:
    """What a DataLoader reads; TypeError where it does more than to read rows in order or shuffled."""
    for option in ("sampler", "batch_sampler", "collate_fn"):
        if getattr(loader, option) is not None:
            raise TypeError(
                f"x is a DataLoader with a {option}, which fit cannot follow: write the loop over it yourself"
            )
    if isinstance(loader.dataset, IterableDataset) or loader.batch_size is None:
        raise TypeError("x is a DataLoader without batches of numbered rows: write the loop over it yourself")
    return loader.dataset


def _is_list_of_items(x: Any) -> bool:
    """Whether a list is a dataset: [(array, label), ...]."""
    first = x[0] if isinstance(x, list) and x else None
    return isinstance(first, Mapping) or (isinstance(first, tuple) and has_parts(list(first)))


def _is_array_like(x: Any) -> bool:
    return isinstance(x, np.ndarray | Tensor | list | tuple) or hasattr(x, "__array__")


def prepare(model: Module, criterion: Any, x: Any, y: Any, sample_weight: Any = None, part: str = "") -> Rows:
    """Inputs, target and weights, after all checks that do not need the model's output; messages begin with `part`."""
    x, y = unpack(x, y)
    dtype = model_dtype(model)
    inputs = _inputs(model, x, part, dtype)
    if y is None:
        raise ValueError(f"{part}y is missing: pass the targets, or a dataset of (x, y)")
    target = _numbers(f"{part}y", y, dtype)
    _check_target(criterion, target, part)
    _same_length(f"{part}x", inputs[0], f"{part}y", target)
    return Rows(inputs, target, None if sample_weight is None else _weights(target, sample_weight))


def prepare_inputs(model: Module, x: Any) -> Rows:
    """Inputs alone, for prediction."""
    return Rows(_inputs(model, unpack(x, None)[0], "", model_dtype(model)))


def prepare_pair(model: Module, criterion: Any, data: Any) -> Rows:
    """`validation_data`: (x, y), or a dataset of such."""
    pair = data if isinstance(data, tuple | list) else unpack(data, None)
    if len(pair) != 2 or pair[1] is None:
        raise ValueError(f"validation_data must be (x, y), got {_kind(data)}")
    return prepare(model, criterion, pair[0], pair[1], part="validation ")


def _kind(value: Any) -> str:
    return f"{type(value).__name__} of {len(value)}" if hasattr(value, "__len__") else type(value).__name__


def _numbers(name: str, value: Any, dtype: np.dtype[Any]) -> Array:
    """`value` as an array of finite numbers for a model of this type."""
    if _core.is_ready(value, dtype.itemsize):
        return value  # type: ignore[no-any-return]
    array = as_array(name, value)
    require_finite(name, array, dtype)
    return array


def _inputs(model: Module, x: Any, part: str, dtype: np.dtype[Any]) -> tuple[Array, ...]:
    if _core.is_ready(x, dtype.itemsize) and x.dtype.kind == "f":  # as nearly always
        return (x,)
    values = x if isinstance(x, tuple) else tuple(x) if _is_list_of_inputs(model, x) else (x,)
    if not values:
        raise ValueError(f"{part}x is an empty tuple; pass one array for each input of the model")
    names = [f"{part}x[{i}]" for i in range(len(values))] if len(values) > 1 else [f"{part}x"]
    arrays = tuple([_numbers(name, value, dtype) for name, value in zip(names, values, strict=True)])
    for name, array in zip(names, arrays, strict=True):
        _same_length(names[0], arrays[0], name, array)
    _check_indices(model, arrays[0], names[0])
    return arrays


def _is_list_of_inputs(model: Module, x: Any) -> bool:
    """Whether a list holds one array for each of several inputs, rather than rows."""
    if not isinstance(x, list) or len(x) < 2 or not all(np.ndim(value) > 0 and hasattr(value, "shape") for value in x):
        return False
    parameters = inspect.signature(model.forward).parameters.values()
    required = [
        p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    return len(required) == len(x)


def _check_indices(model: Module, array: Array, name: str) -> None:
    """Indices of a leading embedding; those of any other are checked batch by batch."""
    if array.dtype.kind not in "iu":
        return
    first = next(iter(model), None) if isinstance(model, Sequential) else model
    if not isinstance(first, Embedding):
        return
    found = first_where((array < 0) | (array >= first.num_embeddings))
    if found is not None:
        raise ValueError(
            f"{name} holds the index {array[found[0]]} at index {found[1]}, but the embedding has "
            f"{first.num_embeddings} rows"
        )


def _same_length(name: str, array: Array, other_name: str, other: Array) -> None:
    if len(array) != len(other):
        raise ValueError(
            f"{name} has {len(array)} rows and {other_name} has {len(other)}; they must have equal lengths"
        )


def _check_target(criterion: Any, target: Array, part: str) -> None:
    name = type(criterion).__name__
    if isinstance(criterion, BCELoss | BCEWithLogitsLoss):
        found = first_where((target < 0) | (target > 1))
        if found is not None:
            raise ValueError(
                f"{part}y holds {target[found[0]]} at index {found[1]}; {name} needs targets between 0 and 1"
            )
    if is_class_loss(criterion) and target.ndim == 1 and target.dtype.kind == "f":
        raise ValueError(
            f"{part}y holds {target.dtype} values of shape {target.shape}; {name} needs class indices as integers: use "
            "y.astype('int64')"
        )


def check_labels(criterion: Any, target: Array | None, row_shape: tuple[int, ...], part: str = "") -> None:
    """ValueError naming the first class index out of the range that outputs (N, *row_shape) have."""
    if target is None or target.dtype.kind == "f" or not is_class_loss(criterion) or not row_shape:
        return
    classes = row_shape[0]
    if _core.are_below(target, classes):
        return
    found = first_where(((target < 0) | (target >= classes)) & (target != getattr(criterion, "ignore_index", None)))
    if found is not None:
        raise ValueError(
            f"{part}y holds the class {target[found[0]]} at index {found[1]}, but the model has {classes} outputs, so "
            f"classes run from 0 to {classes - 1}"
        )


def counted(criterion: Any, outputs: Array, target: Array) -> tuple[Array, Array]:
    """Outputs and labels without those that the criterion, or a loss within it, ignores: (M, C) and (M,) of (N, C, ...)."""
    losses = criterion.modules() if isinstance(criterion, Module) else ()
    ignored = [loss.ignore_index for loss in losses if isinstance(loss, CrossEntropyLoss | NLLLoss)]
    if not ignored or target.dtype.kind not in "iu" or target.shape != outputs.shape[:1] + outputs.shape[2:]:
        return outputs, target
    if max(ignored) < 0 and _core.are_below(target, outputs.shape[1]):
        return outputs, target
    counts = ~np.isin(target, ignored)
    return (outputs, target) if counts.all() else (np.moveaxis(outputs, 1, -1)[counts], target[counts])


def _weights(target: Array, sample_weight: Any) -> Array:
    weight = as_array("sample_weight", sample_weight)
    if weight.shape != (len(target),):
        raise ValueError(f"sample_weight has shape {weight.shape}; it must be ({len(target)},), one weight per row")
    require_finite("sample_weight", weight, np.dtype(np.float32))
    return weight


def with_class_weight(rows: Rows, class_weight: Mapping[int, float]) -> Rows:
    """The rows' weights times those of their classes; a class without a weight keeps 1."""
    if not isinstance(class_weight, Mapping):
        raise TypeError(f"class_weight must be a dictionary {{class: weight}}, got {type(class_weight).__name__}")
    target = rows.target
    if target is None or target.size != len(rows):
        shape = None if target is None else target.shape
        raise ValueError(f"class_weight needs one class per row as target, got targets of shape {shape}")
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight.astype(np.float64)
    for label, factor in class_weight.items():
        number("a class of class_weight", label)
        if not math.isfinite(number(f"class_weight of class {label}", factor)):
            raise ValueError(f"class_weight of class {label} is {factor}; it must be finite")
        weight[target.reshape(-1) == label] *= factor
    return replace(rows, weight=weight)
