"""Classification metrics.

The class of outputs (N, C > 1) is their first maximum, that of a single column (N,) or (N, 1) is `output > threshold` (0 for
logits, 0.5 for probabilities). Integer outputs (N,) are classes. Targets are class indices (N,), or one-hot or probabilities in
the outputs' shape; for a single column they are 0 and 1, or -1 and 1. Values equal scikit-learn's. All raise ValueError, naming
both shapes, for outputs and targets that do not fit, and for no rows. A row of outputs with NaN has no class and is never right.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core

Array = np.ndarray[Any, Any]
Classes = NDArray[np.int64]

_NO_CLASS = np.iinfo(np.int64).min  # of a row of outputs with NaN
_LARGEST_MATRIX = 10_000  # classes
_LARGEST_ARRAY = 10_000_000


def predicted_classes(outputs: ArrayLike, threshold: float = 0.0) -> Classes:
    """The predicted class of each row of outputs: (N, C) and (N,) become (N,), (N, C, d1, ...) becomes (N, d1, ...).

    >>> from nnlite.metrics import predicted_classes
    >>> predicted_classes([[0.1, 2.0], [3.0, -1.0]]).tolist(), predicted_classes([-0.5, 0.5]).tolist()
    ([1, 0], [0, 1])
    """
    values = np.asarray(outputs)
    if has_column_per_class(values):
        best: Classes = values.argmax(1).astype(np.int64)
        return best
    flat = values.reshape(-1)
    return (flat if flat.dtype.kind in "iub" else flat > threshold).astype(np.int64)


def has_column_per_class(outputs: Array) -> bool:
    """Whether the largest output gives the class, rather than a threshold."""
    return outputs.ndim > 1 and outputs.shape[1] > 1


def are_signs(targets: Array) -> bool:
    """Whether two classes are given as -1 and 1."""
    return bool(targets.size) and targets.dtype.kind in "if" and targets.min() == -1 and bool((abs(targets) == 1).all())


def _given_classes(outputs: Array, targets: Array) -> Classes:
    """Targets as class indices."""
    if targets.ndim > 1 and targets.shape[1] > 1 and targets.shape == outputs.shape:
        _require_one_class_a_row(targets)
        best: Classes = targets.argmax(1).astype(np.int64)
        return best
    require_numbers("targets", targets, "classes must be whole numbers")
    if targets.dtype.kind == "f":
        part = ~(targets == np.round(targets))
        if part.any() and targets.min() >= 0 and targets.max() <= 1 and outputs.size == targets.size:
            return (targets > 0.5).astype(np.int64)  # probabilities of class 1
        if part.any():
            row = int(part.reshape(-1).argmax())
            raise ValueError(f"targets hold {targets.reshape(-1)[row]} at index {row}, which is not a class index")
    return targets.astype(np.int64)


def _require_one_class_a_row(targets: Array) -> None:
    """Refuses rows that mark several classes, which argmax would hide."""
    if ((targets == 0) | (targets == 1)).all():
        marks = targets.sum(1)
        if (marks != 1).any():
            row = int((marks != 1).reshape(len(targets), -1).any(1).argmax())
            raise ValueError(
                f"targets mark {marks.reshape(len(targets), -1)[row][0]:g} classes in row {row}; these metrics are for one "
                "class per row: pass a function of (outputs, targets) for several"
            )


def _two_classes(outputs: Array, predicted: Classes, true: Classes) -> tuple[Classes, Classes]:
    """Classes 0 and 1 of a single column; ValueError if outputs and targets are coded differently."""
    if outputs.dtype.kind in "iu":  # classes as they are
        if are_signs(true) or are_signs(predicted):
            if (predicted == 0).any() or (true == 0).any():
                raise ValueError("outputs and targets are coded differently: one as 0 and 1, the other as -1 and 1")
            if (abs(predicted) == 1).all() and (abs(true) == 1).all():
                return (predicted > 0).astype(np.int64), (true > 0).astype(np.int64)
        return predicted, true
    if are_signs(true):
        return predicted, (true > 0).astype(np.int64)
    other = ((true != 0) & (true != 1)).reshape(-1)
    if other.any():
        row = int(other.argmax())
        raise ValueError(
            f"targets hold {true.reshape(-1)[row]} at index {row}, but a single column of outputs separates only two classes, "
            "0 and 1 or -1 and 1; use one output for each class"
        )
    return predicted, true


def _classes(outputs: ArrayLike, targets: ArrayLike, threshold: float) -> tuple[Classes, Classes]:
    """Predicted and true classes, flat."""
    values, given = np.asarray(outputs), np.asarray(targets)
    require_numbers("outputs", values, "they must be numbers")
    predicted, true = predicted_classes(values, threshold), _given_classes(values, given)
    if not has_column_per_class(values):
        predicted, true = _two_classes(values, predicted, true)
    if without_ones(predicted.shape) != without_ones(true.shape):
        raise ValueError(f"outputs of shape {values.shape} and targets of shape {given.shape} do not fit")
    if not predicted.size:
        raise ValueError(f"there are no rows: outputs have shape {values.shape}")
    if values.dtype.kind == "f" and np.isnan(values).any():
        missing = np.isnan(values).any(1) if has_column_per_class(values) else np.isnan(values)
        predicted = np.where(missing.reshape(predicted.shape), _NO_CLASS, predicted)
    return predicted.reshape(-1), true.reshape(-1)


def require_numbers(name: str, array: Array, what: str) -> None:
    """ValueError for text and other objects."""
    if array.dtype.kind not in "iubf":
        raise ValueError(
            f"{name} have dtype {array.dtype}; {what}. Text labels become "
            "numbers by np.unique(labels, return_inverse=True)[1]"
        )


def without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(N, 1) and (N,) hold the same values in the same order."""
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def accuracy(outputs: ArrayLike, targets: ArrayLike, threshold: float = 0.0) -> float:
    """The share of rows with the right class.

    >>> from nnlite.metrics import accuracy
    >>> accuracy([[0.1, 2.0], [3.0, -1.0]], [1, 1])
    0.5
    """
    right, rows = _right_of_all(outputs, targets, threshold)
    return right / rows


def misclassified(outputs: ArrayLike, targets: ArrayLike, threshold: float = 0.0) -> int:
    """The number of rows with a wrong class."""
    right, rows = _right_of_all(outputs, targets, threshold)
    return rows - right


def _right_of_all(outputs: ArrayLike, targets: ArrayLike, threshold: float) -> tuple[int, int]:
    """How many rows have the right class, and how many there are."""
    if isinstance(outputs, np.ndarray) and isinstance(targets, np.ndarray) and outputs.size:
        right = _core.count_right(outputs, targets)
        if right >= 0:
            return right, len(outputs)
    predicted, given = _classes(outputs, targets, threshold)
    return int((predicted == given).sum()), len(given)


def top_k_accuracy(outputs: ArrayLike, targets: ArrayLike, k: int = 5) -> float:
    """The share of rows (N, C) whose class (N,) is among the k largest outputs.

    Ties go to the first output, as in argmax, so that k = 1 is `accuracy`; in scikit-learn to the last.
    """
    values, given = np.asarray(outputs), np.asarray(targets)
    require_numbers("outputs", values, "they must be numbers")
    if values.ndim != 2 or given.shape != values.shape[:1] or not len(given):
        raise ValueError(f"top_k_accuracy needs outputs (N, C) and targets (N,), got {values.shape} and {given.shape}")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    given = _given_classes(values, given)
    outside = (given < 0) | (given >= values.shape[1])
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(f"targets hold the class {given[row]} at index {row}, but there are {values.shape[1]} outputs")
    own = np.take_along_axis(values, given[:, None], 1)
    before = np.arange(values.shape[1])[None] < given[:, None]
    rank = ((values > own) | ((values == own) & before)).sum(1)
    return float(((rank < k) & ~np.isnan(values).any(1)).mean())


def confusion_matrix(outputs: ArrayLike, targets: ArrayLike, threshold: float = 0.0) -> NDArray[np.int64]:
    """Counts (C, C): row the true class, column the predicted one.

    >>> from nnlite.metrics import confusion_matrix
    >>> confusion_matrix([0, 1, 1], [0, 0, 1]).tolist()
    [[1, 1], [0, 1]]
    """
    predicted, given, classes = _counted(outputs, targets, threshold)
    if (predicted == _NO_CLASS).any():
        raise ValueError(
            f"outputs hold NaN in row {int((predicted == _NO_CLASS).argmax())}, which therefore has no class"
        )
    if classes > _LARGEST_MATRIX:
        raise ValueError(
            f"a confusion matrix of {classes:,} classes would take {8 * classes**2 / 2**30:,.0f} GiB; renumber the classes "
            "from 0 by np.unique(labels, return_inverse=True)[1]"
        )
    return np.bincount(given * classes + predicted, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def _counted(outputs: ArrayLike, targets: ArrayLike, threshold: float) -> tuple[Classes, Classes, int]:
    """Predicted and true classes, negative only for _NO_CLASS, and the number of classes."""
    predicted, given = _classes(outputs, targets, threshold)
    known = predicted[predicted != _NO_CLASS]
    lowest = min(given.min(), known.min(initial=0))
    if lowest < 0:
        raise ValueError(f"classes must not be negative, got {lowest}")
    columns = np.asarray(outputs)
    least = columns.shape[1] if has_column_per_class(columns) else 2
    return predicted, given, max(least, int(max(known.max(initial=0), given.max())) + 1)


def _ratio(numerator: Array, denominator: Array, zero_division: float) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, zero_division)


_AVERAGES = ("auto", "binary", "macro", "micro", "weighted", None)


def _averaged(
    figure: str, outputs: ArrayLike, targets: ArrayLike, average: str | None, threshold: float, zero_division: float
) -> Any:
    """Precision, recall or F1, from the counts of each class: a matrix of all pairs would be too large for many classes."""
    if average not in _AVERAGES:
        raise ValueError(f"average must be one of {', '.join(map(repr, _AVERAGES))}, got {average!r}")
    predicted_class, given_class, classes = _counted(outputs, targets, threshold)
    if average == "auto":
        average = "binary" if classes == 2 else "macro"
    if average == "binary" and classes != 2:
        raise ValueError(
            f"average='binary' needs 2 classes, but there are {classes}; use 'macro', 'micro' or 'weighted'"
        )
    if average is None and classes > _LARGEST_ARRAY:
        raise ValueError(
            f"average=None gives one value for each of {classes:,} classes; renumber the classes from 0 by "
            "np.unique(labels, return_inverse=True)[1]"
        )
    known, right = predicted_class != _NO_CLASS, predicted_class == given_class
    chosen = predicted_class[known], given_class, given_class[right]
    if average not in ("binary", None):  # absent classes do not count, so that a few huge indices cost nothing
        occurring = np.unique(np.concatenate(chosen[:2]))
        chosen = tuple(np.searchsorted(occurring, part) for part in chosen)  # type: ignore[assignment]
        classes = len(occurring)
    predicted, given, hits = (np.bincount(part, minlength=classes).astype(float) for part in chosen)
    if average == "micro":
        hits, predicted, given = (np.array([part.sum()]) for part in (hits, predicted, given))
    parts = {"precision": (hits, predicted), "recall": (hits, given), "f1": (2 * hits, predicted + given)}
    values = _ratio(*parts[figure], zero_division)
    if average is None:
        return values
    if average in ("binary", "micro"):
        return float(values[-1])
    # Absent classes do not count, nor does a NaN chosen for zero_division.
    counts = ((given + predicted) > 0) & ~np.isnan(values)
    weights = given[counts] if average == "weighted" else np.ones(int(counts.sum()))
    return (
        float(np.average(values[counts], weights=weights if weights.any() else None)) if counts.any() else float("nan")
    )


def precision(
    outputs: ArrayLike,
    targets: ArrayLike,
    average: str | None = "auto",
    threshold: float = 0.0,
    zero_division: float = 0.0,
) -> Any:
    """The right share of those predicted: tp / (tp + fp).

    `average`: "binary" is the value for class 1, "macro" the mean over classes, "weighted" that by their true counts, "micro"
    the value over all decisions, None the array (C,); "auto" is "binary" for two classes, else "macro". A class never
    predicted has `zero_division`.

    >>> from nnlite.metrics import precision
    >>> precision([0, 1, 1, 1], [0, 0, 1, 1])
    0.6666666666666666
    """
    return _averaged("precision", outputs, targets, average, threshold, zero_division)


def recall(
    outputs: ArrayLike,
    targets: ArrayLike,
    average: str | None = "auto",
    threshold: float = 0.0,
    zero_division: float = 0.0,
) -> Any:
    """The share found of those that exist: tp / (tp + fn); averaged as `precision`."""
    return _averaged("recall", outputs, targets, average, threshold, zero_division)


def f1(
    outputs: ArrayLike,
    targets: ArrayLike,
    average: str | None = "auto",
    threshold: float = 0.0,
    zero_division: float = 0.0,
) -> Any:
    """The harmonic mean of precision and recall, 2 tp / (2 tp + fp + fn); averaged as `precision`."""
    return _averaged("f1", outputs, targets, average, threshold, zero_division)
