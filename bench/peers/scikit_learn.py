"""scikit-learn's multi-layer perceptrons; an epoch is one partial_fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from nnlite.bench.networks import CROSS_ENTROPY, LEARNING_RATES
from nnlite.bench.prediction import Prediction
from nnlite.bench.results import Subject
from nnlite.bench.steps import Step
from nnlite.bench.timing import Repeat, repeated

NAME = "scikit-learn"


def prepare(threads: int, quick: bool) -> str | None:
    """Nothing to set up: its products run on NumPy's threads."""
    return None


def contestants(subject: Subject) -> Mapping[str, Repeat]:
    """Steps, and predictions of class probabilities."""
    if isinstance(subject, Step) and subject.section != "threads":
        return {NAME: _epoch(subject)}
    if isinstance(subject, Prediction):
        return {NAME: _prediction(subject)}
    return {}


def _model(subject: Step | Prediction, batch: int) -> Any:
    network = subject.network
    optimizer = subject.optimizer if isinstance(subject, Step) else "SGD"
    kind, rate = MLPClassifier, LEARNING_RATES[optimizer]
    if network.loss != CROSS_ENTROPY:
        # It sums half the squared error over the outputs; the others take the mean.
        kind, rate = MLPRegressor, rate * 2 / network.sizes[-1]
    return kind(
        hidden_layer_sizes=network.sizes[1:-1],
        activation="tanh" if network.activation == "Tanh" else "relu",
        solver=optimizer.lower(),
        alpha=0.0,
        momentum=0.0,
        batch_size=batch,
        learning_rate_init=rate,
        random_state=0,
    )


def _fit_once(subject: Step | Prediction, rows: int, batch: int) -> tuple[Any, Any, Any, dict[str, Any]]:
    x, y = subject.network.data(rows)
    model = _model(subject, batch)
    classes: dict[str, Any] = {}
    if subject.network.loss == CROSS_ENTROPY:
        classes = {"classes": np.arange(subject.network.sizes[-1])}
    elif y.shape[1] == 1:
        y = y[:, 0]
    model.partial_fit(x, y, **classes)
    return model, x, y, classes


def _epoch(subject: Step) -> Repeat:
    model, x, y, classes = _fit_once(subject, subject.batch * subject.steps, subject.batch)
    return repeated(lambda: model.partial_fit(x, y, **classes))


def _prediction(subject: Prediction) -> Repeat:
    model, _, _, _ = _fit_once(subject, 64, 64)
    x = subject.network.data(subject.rows)[0]
    return repeated(lambda: model.predict_proba(x) if hasattr(model, "predict_proba") else model.predict(x))
