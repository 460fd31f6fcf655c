"""Named metrics: what each computes, and its direction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .classification import accuracy, f1, misclassified, precision, recall, top_k_accuracy
from .regression import mean_absolute_error, mean_squared_error, r2_score

Array = np.ndarray[Any, Any]
Metric = Callable[[Array, Array], float]
Threshold = float | Callable[[Array, Array], float]  # a number, or a function of (outputs, targets)


@dataclass(frozen=True)
class Row:
    """A metric; `thresholded` ones take a threshold for single columns, `power` is of the target's unit."""

    function: Callable[..., Any]
    greater_is_better: bool
    thresholded: bool = False
    power: int = 0


METRICS = {
    "accuracy": Row(accuracy, True, thresholded=True),
    "misclassified": Row(misclassified, False, thresholded=True),
    "precision": Row(precision, True, thresholded=True),
    "recall": Row(recall, True, thresholded=True),
    "f1": Row(f1, True, thresholded=True),
    "mse": Row(mean_squared_error, False, power=2),
    "mae": Row(mean_absolute_error, False, power=1),
    "r2": Row(r2_score, True),
    "top_k": Row(top_k_accuracy, True),
}


@dataclass(frozen=True)
class Thresholded:
    """A classification metric with its threshold, which outputs and targets may determine."""

    function: Callable[..., Any]
    threshold: Threshold

    def __call__(self, outputs: Array, targets: Array) -> Any:
        threshold = self.threshold(outputs, targets) if callable(self.threshold) else self.threshold
        return self.function(outputs, targets, threshold=threshold)


def resolve(metric: str | Metric, threshold: Threshold = 0.0) -> tuple[str, Metric]:
    """A metric's key in the history and its function (outputs, targets) -> number.

    `metric` is a name ("accuracy", "misclassified", "precision", "recall", "f1", "mse", "mae", "r2", "top_k" for the best 5,
    "top_3", ...) or a function; `threshold` is for classification, and may be a function of (outputs, targets).
    Raises ValueError listing the names for an unknown one, TypeError for anything else.
    """
    if callable(metric):
        return _name_of(metric), _with_threshold(metric, threshold)
    if not isinstance(metric, str):
        raise TypeError(f"a metric is a name or a function of (outputs, targets), got {metric!r}")
    row = METRICS.get(metric)
    if row is not None:
        return metric, _with_threshold(row.function, threshold)
    count = _count_of(metric)
    if count is not None:
        return metric, partial(top_k_accuracy, k=count)
    names = ", ".join([*METRICS, "top_1, top_2, ..."])
    raise ValueError(f"metric {metric!r} is unknown; use one of {names}, or a function of (outputs, targets)")


def resolve_all(metrics: Iterable[str | Metric], threshold: Threshold = 0.0) -> list[tuple[str, Metric]]:
    """`resolve` for each; ValueError for a name that is taken."""
    found: dict[str, Metric] = {}
    for name, metric in (resolve(metric, threshold) for metric in metrics):
        if name in ("loss", "epoch") or found.setdefault(name, metric) != metric:
            raise ValueError(f"the history already has {name!r}: give the metric's function another __name__")
    return list(found.items())


def _unwrapped(metric: Any) -> Any:
    while isinstance(metric, partial | Thresholded):
        metric = metric.func if isinstance(metric, partial) else metric.function
    return metric


def _name_of(metric: Any) -> str:
    metric = _unwrapped(metric)
    return getattr(metric, "__name__", type(metric).__name__)


def _row_of(metric: Any) -> Row | None:
    """The row of one of nnlite's functions, unwrapped."""
    return next((row for row in METRICS.values() if row.function is _unwrapped(metric)), None)


def is_known(metric: Metric) -> bool:
    """Whether a metric is one of nnlite's, which depends only on its arguments."""
    return _row_of(metric) is not None


def _with_threshold(metric: Metric, threshold: Threshold) -> Metric:
    row = _row_of(metric)
    is_given = isinstance(metric, partial) and "threshold" in metric.keywords
    return metric if row is None or not row.thresholded or is_given else Thresholded(metric, threshold)


def _count_of(name: str) -> int | None:
    count = name.removeprefix("top_")
    return int(count) if count != name and count.isdecimal() and int(count) > 0 else None


def greater_is_better(figure: str, metrics: Iterable[tuple[str, Metric]] = ()) -> bool | None:
    """Whether larger values under a key of the history ("val_accuracy") are better; None if unknown.

    `metrics` are (name, function) of a fit; a custom function says it in an attribute `greater_is_better`.

    >>> from nnlite.metrics import greater_is_better
    >>> greater_is_better("val_f1"), greater_is_better("loss"), greater_is_better("auc")
    (True, False, None)
    """
    name = figure.removeprefix("val_")
    for own, metric in metrics:
        said = getattr(_unwrapped(metric), "greater_is_better", _row_of(metric))
        if own == name and said is not None:
            return said.greater_is_better if isinstance(said, Row) else bool(said)
    if name == "loss":
        return False
    if name in METRICS:
        return METRICS[name].greater_is_better
    return True if _count_of(name) is not None else None
