"""Arrays prepared for training: standardised features, targets as class indices or standardised values."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from .. import _core
from ..errors import ModelFileError
from .moments import mean_and_deviation
from .reading import MOST_CLASSES
from .table import text_of
from .target import require_few

Array = np.ndarray[Any, Any]
Split = Callable[[int], tuple[Any, Any]]

_AT_ONCE = 1 << 20  # elements converted at a time: a float64 copy of all images would be large


@dataclass
class Arrays:
    """Rows as read: x (N, ...) and y (N,), a test set if there is one; uint8 inputs are divided by `pixels`."""

    name: str
    x: Array
    y: Array
    class_names: list[str] | None = None
    test: tuple[Array, Array] | None = None
    pixels: float = 0.0


@dataclass
class Source:
    """Rows for training: x (N, features) float32, y (N,) int64 classes or float32 values (standardised by mean and scale)."""

    name: str
    x: Array
    y: Array
    class_names: list[str] | None = None
    test: tuple[Array, Array] | None = None
    scaling: dict[str, Any] = field(default_factory=dict)  # how inputs were scaled, for the model file
    target_mean: float = 0.0
    target_scale: float = 1.0
    report: list[str] = field(default_factory=list)  # how each column of a table was read, for display

    @property
    def is_classification(self) -> bool:
        """Whether y holds classes."""
        return self.class_names is not None


def split_rows(share: float, seed: int, rows: int) -> tuple[Any, Any]:
    """(training rows, held-out rows or None)."""
    held = int(rows * share)
    if held == 0:
        return slice(None), None
    order = _core.Generator(seed).permutation(rows, "split")
    return order[held:], order[:held]


_everything: Split = partial(split_rows, 0.0, 0)


def _plain(values: Array) -> Array:
    """float16 and long double as float32 or float64; native byte order."""
    if values.dtype.kind != "f":
        return values
    with np.errstate(over="ignore"):  # a long double that overflows is reported with all infinities
        return values.astype(np.float32 if values.dtype.itemsize < 8 else np.float64, copy=False)


def _require_numeric(name: str, part: str, values: Array) -> None:
    if values.dtype.kind not in "iufb":
        raise ValueError(
            f"{name}: {part} has dtype {values.dtype}, which is not numeric: save numbers, for example {part}.astype('float32')"
        )
    if values.ndim == 0 or values.size == 0:
        raise ValueError(f"{name}: {part} is empty: shape {values.shape}")
    if values.dtype.kind != "f":
        return
    finite = np.isfinite(values)
    if not finite.all():
        index = tuple(int(i) for i in np.unravel_index(int((~finite).argmax()), values.shape))
        raise ValueError(f"{name}: {part} holds {values[index]} at index {index}; fill or drop such values first")


def _moments(name: str, part: str, values: Array) -> tuple[Array, Array]:
    """Means and standard deviations over the rows; a constant has scale 1."""
    mean, deviation = mean_and_deviation(values)
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all()):
        raise ValueError(f"{name}: {part} holds numbers that are too large: their mean or deviation is not finite")
    # Rounding: the mean of equal numbers need not be that number, nor their deviation 0.
    constant = (deviation == 0) | (values.min(0) == values.max(0))
    return np.where(constant, values[0], mean), np.where(constant, 1.0, deviation)


def scaled(name: str, x: Array, scaling: dict[str, Any]) -> Array:
    """(x - mean) / scale of x (N, ...) as float32 (N, features), computed in float64."""
    x = _plain(x)
    _require_numeric(name, "x", x)
    mean, scale = _mean_and_scale(scaling)
    rows = x.reshape(len(x), -1)
    if mean.size not in (1, rows.shape[1]):
        raise ValueError(f"{name} has {rows.shape[1]} features, the model takes {mean.size}")
    result = np.empty(rows.shape, np.float32)
    step = max(1, _AT_ONCE // rows.shape[1])
    for begin in range(0, len(rows), step):
        piece = rows[begin : begin + step].astype(np.float64)
        with np.errstate(over="ignore"):
            result[begin : begin + step] = (piece - mean) / scale
    if not np.isfinite(result).all():
        raise ValueError(f"{name}: x holds numbers too large for float32, even after standardising")
    return result


def _mean_and_scale(scaling: dict[str, Any]) -> tuple[Array, Array]:
    try:
        mean, scale = (np.asarray(scaling[key], np.float64) for key in ("mean", "scale"))
    except (KeyError, TypeError, ValueError):
        raise ModelFileError("the file does not say how the model's inputs were scaled") from None
    if mean.ndim != 1 or mean.shape != scale.shape or not (np.isfinite(mean).all() and (scale > 0).all()):
        raise ModelFileError("the file does not say how the model's inputs were scaled")
    return mean, scale


def _distinct(name: str, y: Array, task: str | None) -> Array | None:
    """The sorted classes, or None for a quantity."""
    if y.dtype.kind not in "iufbUS" or y.shape[1:]:
        raise ValueError(f"{name}: y must hold one number or text per row, got {y.dtype} of shape {y.shape}")
    if task == "regression":
        if y.dtype.kind in "US":
            raise ValueError(f"{name}: --task regression needs numbers, and y holds {y.dtype}")
        return None
    values = np.unique(y)
    if task is None and y.dtype.kind == "f" and (len(values) > MOST_CLASSES or not np.all(values == np.round(values))):
        return None
    if task is None:
        fix = "" if y.dtype.kind in "US" else ", --task regression makes y a quantity"
        require_few(f"{name}: y", len(values), len(y), fix)
    return values


def _labels(name: str, y: Array, classes: Array) -> Array:
    """The position of each target among the classes of the training rows."""
    if y.ndim != 1 or (y.dtype.kind in "US") != (classes.dtype.kind in "US"):
        raise ValueError(f"{name}: targets of {y.dtype} and shape {y.shape} are not classes like {classes[0]!r}")
    labels = np.searchsorted(classes, y)
    wrong = classes[np.minimum(labels, len(classes) - 1)] != y
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{name}: the target {y[row]} of test row {row} is not a class of the training rows")
    return labels.astype(np.int64)


def standardised(arrays: Arrays, split: Split, task: str | None = None) -> Source:
    """Scales each feature to mean 0 and standard deviation 1, or pixels to [0, 1]; a quantity likewise.

    The rows that `split` holds out become the test set unless the arrays have one. Raises ValueError that names the array
    and the index of a value that cannot be used.
    """
    name, x, y = arrays.name, _plain(arrays.x), _plain(arrays.y)
    train, held = (split if arrays.test is None else _everything)(len(x))
    _require_numeric(name, "x", x)
    if y.dtype.kind == "f":
        _require_numeric(name, "y", y)
    pixels = arrays.pixels
    mean, scale = (np.zeros(1), np.full(1, pixels)) if pixels else _moments(name, "x", x.reshape(len(x), -1)[train])
    scaling = {"mean": mean.tolist(), "scale": scale.tolist()}
    inputs, classes = scaled(name, x, scaling), _distinct(name, y, task)
    if classes is not None:
        if len(classes) < 2:
            raise ValueError(f"{name}: y holds {classes[0]} in every row: nothing to learn")
        targets, names, centre, width = _labels(name, y, classes), arrays.class_names or _names(classes), 0.0, 1.0
    else:
        centre, width = (float(value) for value in _moments(name, "y", y[train]))
        targets, names = ((y.astype(np.float64) - centre) / width).astype(np.float32), None
    source = Source(name, inputs[train], targets[train], names, _test_of(inputs, targets, held), scaling, centre, width)
    return source if arrays.test is None else _with_test(source, classes, *map(_plain, arrays.test))


def _test_of(inputs: Array, targets: Array, held: Any) -> tuple[Array, Array] | None:
    return None if held is None else (inputs[held], targets[held])


def _names(classes: Array) -> list[str]:
    """Integers have the same name whether they came as int or float."""
    if classes.dtype.kind == "f":
        return [text_of(float(value)) for value in classes]
    return [value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in classes]


def _with_test(source: Source, classes: Array | None, test_x: Array, test_y: Array) -> Source:
    """Adds a test set, with its targets encoded like the training rows' `y`."""
    if len(test_x) != len(test_y):
        raise ValueError(f"{source.name}: the test set has {len(test_x)} rows and {len(test_y)} targets")
    inputs = scaled(source.name, test_x, source.scaling)
    if inputs.shape[1] != source.x.shape[1]:
        raise ValueError(
            f"{source.name}: the test set has {inputs.shape[1]} features, the training set {source.x.shape[1]}"
        )
    if classes is not None:
        targets = _labels(source.name, test_y, classes)
    else:
        _require_numeric(source.name, "the test set's y", test_y)
        targets = ((test_y.astype(np.float64) - source.target_mean) / source.target_scale).astype(np.float32)
    source.test = (inputs, targets)
    return source
