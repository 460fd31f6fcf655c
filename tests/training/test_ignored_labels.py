"""Metrics exclude the labels that the loss ignores, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as theirs

import nnlite as nl
from nnlite import nn, optim

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 3)).astype(np.float32)


class Places(nn.Module):
    """Scores (N, 3, 4) of three classes at four positions."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 12)

    def forward(self, x):
        return self.linear(x).reshape(-1, 3, 4).log_softmax(1)


class Doubled(nn.Module):
    """A custom criterion around a loss."""

    def __init__(self, loss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, output, target):
        return 2 * self.loss(output, target)


def labels(ignored: int, *places: int):
    y = RNG.integers(0, 3, (len(X), *places))
    y[RNG.random(y.shape) < 0.4] = ignored
    return y


CASES = {
    "default": (nn.Linear(3, 3), nn.CrossEntropyLoss(), labels(-100)),
    "a class": (nn.Linear(3, 3), nn.CrossEntropyLoss(ignore_index=0), labels(0)),
    "places": (Places(), nn.NLLLoss(ignore_index=-1), labels(-1, 4)),
    "wrapped": (Places(), Doubled(nn.NLLLoss(ignore_index=2)), labels(2, 4)),
}


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_metrics_exclude_ignored_labels(name: str, compile: bool) -> None:
    model, criterion, y = CASES[name]
    ignored = criterion.loss.ignore_index if isinstance(criterion, Doubled) else criterion.ignore_index
    trainer = nl.Trainer(
        model, criterion, optim.SGD(model.parameters(), lr=0.0), metrics=["accuracy", "f1", "misclassified"]
    )
    history = trainer.fit(X, y, compile=compile, validation_data=(X, np.full_like(y, ignored)))
    counts = y != ignored
    given, predicted = y[counts], trainer.predict(X).argmax(1)[counts]
    expected = {
        "accuracy": theirs.accuracy_score(given, predicted),
        "f1": theirs.f1_score(given, predicted, average="macro"),
        "misclassified": (given != predicted).sum(),
    }
    for metric, value in expected.items():
        assert history[metric] == [pytest.approx(value)]
        assert trainer.evaluate(X, y, batch_size=7)[metric] == pytest.approx(value)
        assert np.isnan(history[f"val_{metric}"]).all()  # all labels are ignored there


def test_custom_metrics_get_every_row() -> None:
    model, criterion, y = CASES["default"]
    trainer = nl.Trainer(model, criterion, optim.SGD(model.parameters(), lr=0.0), metrics=[lambda o, t: len(t)])
    assert trainer.evaluate(X, y)["<lambda>"] == len(X)
