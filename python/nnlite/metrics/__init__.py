"""Metrics of whole arrays of outputs and targets, and their names."""

from ..naming import publish
from .classification import (
    accuracy,
    confusion_matrix,
    f1,
    misclassified,
    precision,
    predicted_classes,
    recall,
    top_k_accuracy,
)
from .registry import METRICS, Metric, Threshold, greater_is_better, is_known, resolve, resolve_all
from .regression import mean_absolute_error, mean_squared_error, r2_score

__all__ = [
    "METRICS", "Metric", "Threshold", "accuracy", "confusion_matrix", "f1", "greater_is_better", "is_known", "mean_absolute_error",
    "mean_squared_error", "misclassified", "precision", "predicted_classes", "r2_score", "recall", "resolve", "resolve_all",
    "top_k_accuracy",
]  # fmt: skip

publish(__name__)
