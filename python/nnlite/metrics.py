"""Figures of merit over whole arrays of outputs and targets.

Classes are read off outputs (N, C > 1) by the first maximum, and off a single column (N,) or (N, 1) by `output > threshold`
(0 for logits, 0.5 for probabilities). Integer outputs (N,) are taken as classes. Values equal scikit-learn's.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = np.ndarray[Any, Any]
Metric = Callable[[Array, Array], float]


def predicted_classes(outputs: ArrayLike, threshold: float = 0.0) -> NDArray[np.int64]:
    """The class that each row of outputs stands for."""
    values = np.asarray(outputs)
    if values.ndim > 1 and values.shape[1] > 1:
        return values.argmax(1).astype(np.int64)
    flat = values.reshape(-1)
    return (flat if flat.dtype.kind in "iub" else flat > threshold).astype(np.int64)


def _classes(outputs: ArrayLike, targets: ArrayLike, threshold: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    predicted = predicted_classes(outputs, threshold)
    given = np.asarray(targets)
    if given.ndim == 2 and given.shape[1] > 1:
        given = given.argmax(1)
    flat = given.reshape(-1) if given.size == len(predicted) else given
    if flat.shape != predicted.shape:
        raise ValueError(f"outputs of shape {np.shape(outputs)} and targets of shape {np.shape(targets)} do not fit")
    return predicted, flat.astype(np.int64)


def accuracy(outputs: ArrayLike, targets: ArrayLike, threshold: float = 0.0) -> float:
    """The share of rows whose class is right."""
    predicted, given = _classes(outputs, targets, threshold)
    return float((predicted == given).mean())


def misclassified(outputs: ArrayLike, targets: ArrayLike, threshold: float = 0.0) -> int:
    """The number of rows whose class is wrong."""
    predicted, given = _classes(outputs, targets, threshold)
    return int((predicted != given).sum())


def top_k_accuracy(outputs: ArrayLike, targets: ArrayLike, k: int = 5) -> float:
    """The share of rows whose class is among the k largest outputs; of equal ones the first count, as argmax has it."""
    values, given = np.asarray(outputs), np.asarray(targets).astype(np.int64)
    if values.ndim != 2 or given.shape != values.shape[:1]:
        raise ValueError(f"top_k_accuracy needs outputs (N, C) and targets (N,), got {values.shape} and {given.shape}")
    own = np.take_along_axis(values, given[:, None], 1)
    before = np.arange(values.shape[1])[None] < given[:, None]
    rank = ((values > own) | ((values == own) & before)).sum(1)
    return float((rank < k).mean())


def confusion_matrix(outputs: ArrayLike, targets: ArrayLike, threshold: float = 0.0) -> NDArray[np.int64]:
    """Counts (C, C): row the true class, column the predicted one."""
    predicted, given = _classes(outputs, targets, threshold)
    columns = np.asarray(outputs)
    known = columns.shape[1] if columns.ndim > 1 and columns.shape[1] > 1 else 2
    classes = max(known, int(max(predicted.max(initial=0), given.max(initial=0))) + 1)
    return np.bincount(given * classes + predicted, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def _ratio(numerator: Array, denominator: Array, zero_division: float) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, zero_division)


def _averaged(
    outputs: ArrayLike, targets: ArrayLike, average: str | None, threshold: float, zero_division: float, beta: str
) -> Any:
    matrix = confusion_matrix(outputs, targets, threshold)
    if average is not None and average not in ("auto", "binary", "macro", "micro", "weighted"):
        raise ValueError(f"average must be 'auto', 'binary', 'macro', 'micro', 'weighted' or None, got {average!r}")
    if average == "auto":
        average = "binary" if len(matrix) == 2 else "macro"
    hits, predicted, given = np.diag(matrix).astype(float), matrix.sum(0).astype(float), matrix.sum(1).astype(float)
    if average == "micro":
        hits, predicted, given = (np.array([part.sum()]) for part in (hits, predicted, given))
    parts = {"precision": (hits, predicted), "recall": (hits, given), "f1": (2 * hits, predicted + given)}
    values = _ratio(*parts[beta], zero_division)
    if average is None:
        return values
    if average == "binary":
        if len(values) != 2:
            raise ValueError(f"average='binary' needs 2 classes, there are {len(values)}; use 'macro', 'micro' or 'weighted'")
        return float(values[1])
    if average == "micro":
        return float(values[0])
    seen = (given + predicted) > 0
    return float(np.average(values[seen], weights=given[seen] if average == "weighted" else None))


def precision(
    outputs: ArrayLike, targets: ArrayLike, average: str | None = "auto", threshold: float = 0.0, zero_division: float = 0.0
) -> Any:
    """Right among those predicted; for two classes that of class 1, else averaged ("macro" unless told)."""
    return _averaged(outputs, targets, average, threshold, zero_division, "precision")


def recall(
    outputs: ArrayLike, targets: ArrayLike, average: str | None = "auto", threshold: float = 0.0, zero_division: float = 0.0
) -> Any:
    """Found among those there are; averaged as `precision`."""
    return _averaged(outputs, targets, average, threshold, zero_division, "recall")


def f1(
    outputs: ArrayLike, targets: ArrayLike, average: str | None = "auto", threshold: float = 0.0, zero_division: float = 0.0
) -> Any:
    """The harmonic mean of precision and recall; averaged as `precision`."""
    return _averaged(outputs, targets, average, threshold, zero_division, "f1")


def _residuals(outputs: ArrayLike, targets: ArrayLike) -> tuple[Array, Array]:
    values, given = np.asarray(outputs, np.float64), np.asarray(targets, np.float64)
    if values.shape != given.shape:
        if values.size != given.size:
            raise ValueError(f"outputs of shape {values.shape} and targets of shape {given.shape} do not fit")
        values = values.reshape(given.shape)
    return values - given, given


def mean_squared_error(outputs: ArrayLike, targets: ArrayLike) -> float:
    """The mean of squared differences."""
    return float(np.mean(_residuals(outputs, targets)[0] ** 2))


def mean_absolute_error(outputs: ArrayLike, targets: ArrayLike) -> float:
    """The mean of absolute differences."""
    return float(np.mean(np.abs(_residuals(outputs, targets)[0])))


def r2_score(outputs: ArrayLike, targets: ArrayLike) -> float:
    """1 - residual sum of squares / total sum of squares, averaged over target columns; 1 is perfect, 0 the mean."""
    residuals, given = _residuals(outputs, targets)
    residuals, given = residuals.reshape(len(given), -1), given.reshape(len(given), -1)
    total = ((given - given.mean(0)) ** 2).sum(0)
    rest = (residuals**2).sum(0)
    scores = np.where(total > 0, 1 - rest / np.where(total > 0, total, 1), np.where(rest > 0, 0.0, 1.0))
    return float(scores.mean())


_WITH_THRESHOLD: dict[str, Callable[..., Any]] = {
    "accuracy": accuracy,
    "misclassified": misclassified,
    "precision": precision,
    "recall": recall,
    "f1": f1,
}
_WITHOUT: dict[str, Callable[..., Any]] = {
    "mse": mean_squared_error,
    "mae": mean_absolute_error,
    "r2": r2_score,
    "top_k": top_k_accuracy,
}


def resolve(metric: str | Metric, threshold: float = 0.0) -> tuple[str, Metric]:
    """A metric's key in the history and its function; ValueError that lists the names for an unknown one."""
    if callable(metric):
        return getattr(metric, "__name__", type(metric).__name__), metric
    if metric in _WITH_THRESHOLD:
        return metric, partial(_WITH_THRESHOLD[metric], threshold=threshold)
    if metric in _WITHOUT:
        return metric, _WITHOUT[metric]
    if isinstance(metric, str) and metric.startswith("top_") and metric[4:].isdigit():
        return metric, partial(top_k_accuracy, k=int(metric[4:]))
    names = ", ".join([*_WITH_THRESHOLD, *_WITHOUT, "top_1, top_2, ..."])
    raise ValueError(f"metric {metric!r} is unknown; use one of {names}, or a function of (outputs, targets)")
