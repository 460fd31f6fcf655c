"""Regression metrics."""

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .classification import require_numbers, without_ones

Array = np.ndarray[Any, Any]


def _residuals(outputs: ArrayLike, targets: ArrayLike) -> tuple[Array, Array]:
    values, given = (_quantities(name, part) for name, part in (("outputs", outputs), ("targets", targets)))
    if without_ones(values.shape) != without_ones(given.shape):
        raise ValueError(f"outputs of shape {values.shape} and targets of shape {given.shape} do not fit")
    if not values.size:
        raise ValueError(f"there are no rows: outputs have shape {values.shape}")
    return values.reshape(given.shape) - given, given


def _quantities(name: str, value: ArrayLike) -> Array:
    array = np.asarray(value)
    if array.dtype != object:
        require_numbers(name, array, "they must be numbers")
    return array.astype(np.float64)


def mean_squared_error(outputs: ArrayLike, targets: ArrayLike) -> float:
    """The mean of squared differences, over all elements."""
    return float(np.mean(_residuals(outputs, targets)[0] ** 2))


def mean_absolute_error(outputs: ArrayLike, targets: ArrayLike) -> float:
    """The mean of absolute differences, over all elements."""
    return float(np.mean(np.abs(_residuals(outputs, targets)[0])))


def r2_score(outputs: ArrayLike, targets: ArrayLike) -> float:
    """1 - residual sum of squares / total sum of squares, averaged over target columns; 1 is perfect, 0 the mean.

    A constant target column scores 1 if all residuals are 0, else 0. A single row gives NaN, with a RuntimeWarning.

    >>> from nnlite.metrics import r2_score
    >>> r2_score([1.0, 2.0, 2.0], [1.0, 2.0, 3.0])
    0.5
    """
    residuals, given = _residuals(outputs, targets)
    residuals, given = residuals.reshape(len(given), -1), given.reshape(len(given), -1)
    if len(given) < 2:
        warnings.warn("r2_score of a single row is undefined: NaN", RuntimeWarning, stacklevel=2)
        return math.nan
    total = ((given - given.mean(0)) ** 2).sum(0)
    rest = (residuals**2).sum(0)
    scores = np.where(total == 0, np.where(rest > 0, 0.0, 1 - rest), 1 - rest / np.where(total == 0, 1, total))
    return float(scores.mean())
