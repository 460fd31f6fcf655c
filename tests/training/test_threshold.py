"""Classes from a single column of outputs, for any loss, last layer and labels, against scikit-learn."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from sklearn import metrics as theirs

import nnlite as nl
from nnlite import metrics, nn, optim
from nnlite.nn import functional as F

X, Y = nl.data.make_moons(300, noise=0.1, seed=1)
NAMES = ["accuracy", "precision", "recall", "f1", "misclassified"]


class Wrapped(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, output, target):
        return self.inner(output, target) + 0.0


class Plain:
    """A criterion that is not a module."""

    def __init__(self, inner) -> None:
        self.inner = inner

    def __call__(self, output, target):
        return self.inner(output, target)


class Own(nn.Module):
    def forward(self, output, target):
        return F.binary_cross_entropy_with_logits(output, target)


def hinge(output, target):
    return (1 - output * target).clamp(min=0).mean()


def squares(output, target):
    return ((output - target) ** 2).mean()


def from_logits(output, target):
    p = output.sigmoid()
    return -(target * (p + 1e-6).log() + (1 - target) * (1 - p + 1e-6).log()).mean()


bce = nn.BCELoss()
SIGMOID = [nn.Linear(16, 1), nn.Sigmoid()]
CASES = {
    "BCE": (SIGMOID, nn.BCELoss(), "01"),
    "BCE, flattened": ([*SIGMOID, nn.Flatten(0)], nn.BCELoss(), "01"),
    "BCE in a module": (SIGMOID, Wrapped(nn.BCELoss()), "01"),
    "BCE twice wrapped": (SIGMOID, Wrapped(Wrapped(nn.BCELoss())), "01"),
    "BCE in an object": (SIGMOID, Plain(nn.BCELoss()), "01"),
    "BCE in a lambda": (SIGMOID, lambda o, t: bce(o, t), "01"),
    "BCE as a function": (SIGMOID, lambda o, t: F.binary_cross_entropy(o, t), "01"),
    "BCE, partial": (SIGMOID, functools.partial(F.binary_cross_entropy, reduction="mean"), "01"),
    "BCE, a method": (SIGMOID, Wrapped(nn.BCELoss()).forward, "01"),
    "Sigmoid and MSE": (SIGMOID, nn.MSELoss(), "01"),
    "Sigmoid and a loss of one's own": (SIGMOID, squares, "01"),
    "Sigmoid inside": ([nn.Sequential(*SIGMOID), nn.Identity()], squares, "01"),
    "logits": ([nn.Linear(16, 1)], nn.BCEWithLogitsLoss(), "01"),
    "logits in a module": ([nn.Linear(16, 1)], Wrapped(nn.BCEWithLogitsLoss()), "01"),
    "logits in a forward": ([nn.Linear(16, 1)], Own(), "01"),
    "a sigmoid in the loss": ([nn.Linear(16, 1)], from_logits, "01"),
    "MSE": ([nn.Linear(16, 1)], nn.MSELoss(), "01"),
    "Huber": ([nn.Linear(16, 1)], Plain(nn.HuberLoss()), "01"),
    "tanh": ([nn.Linear(16, 1), nn.Tanh()], nn.MSELoss(), "-1"),
    "tanh, own loss": ([nn.Linear(16, 1), nn.Tanh()], squares, "-1"),
    "hinge": ([nn.Linear(16, 1)], hinge, "-1"),
    "MSE on signs": ([nn.Linear(16, 1)], nn.MSELoss(), "-1"),
}


def make(layers, criterion, **options) -> nl.Trainer:
    nl.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), *layers)
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
    return nl.Trainer(model, criterion, optim.SGD(model.parameters(), lr=0.05, momentum=0.9), NAMES, **options)


def labels_of(layers, coding: str) -> np.ndarray:
    labels = (Y if coding == "01" else 2 * Y - 1).astype(np.float32)
    return labels if isinstance(layers[-1], nn.Flatten) else labels[:, None]


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_figures_match_scikit_learn(name: str, compile: bool) -> None:
    layers, criterion, coding = CASES[name]
    trainer, labels = make(layers, criterion), labels_of(layers, coding)
    trainer.fit(X, labels, epochs=5, batch_size=16, compile=compile)
    figures = trainer.evaluate(X, labels)
    boundary = 0.0 if coding == "-1" or "logits" in name or "sigmoid in" in name else 0.5
    predicted, true = trainer.predict(X).reshape(-1) > boundary, labels.reshape(-1) > 0
    assert figures["accuracy"] == theirs.accuracy_score(true, predicted)
    assert figures["misclassified"] == (true != predicted).sum()
    for figure in ("precision", "recall", "f1"):
        assert figures[figure] == pytest.approx(getattr(theirs, f"{figure}_score")(true, predicted), rel=1e-12)
    assert figures["accuracy"] > 0.8  # out of reach for a wrong threshold: each class has half of the rows


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize(
    ("layers", "criterion", "match"),
    [
        ([nn.Linear(16, 1)], squares, "the criterion squares and the model do not.*threshold=0.5"),
        ([nn.Linear(16, 1), nn.Tanh()], squares, "threshold=0.0"),
        ([nn.Linear(16, 1), nn.Sigmoid()], nn.BCEWithLogitsLoss(), "ends in a Sigmoid but.*BCEWithLogitsLoss expects"),
    ],
)
def test_an_ambiguous_threshold_is_an_error_before_anything_changes(layers, criterion, match, compile) -> None:
    trainer, labels = make(layers, criterion), labels_of(layers, "01")
    before = trainer.model.fingerprint()
    with pytest.raises(ValueError, match=match):
        trainer.fit(X, labels, compile=compile)
    with pytest.raises(ValueError, match=match):
        trainer.evaluate(X, labels)
    assert (trainer.model.fingerprint(), trainer.epoch) == (before, 0)
    said = make(layers, criterion, threshold=0.5)
    said.fit(X, labels, compile=compile)
    expected = ((said.predict(X) > 0.5) == labels).mean()
    assert said.evaluate(X, labels)["accuracy"] == expected


def test_metric_functions_of_nnlite_get_the_threshold() -> None:
    layers, criterion, _ = CASES["BCE"]
    trainer, labels = make(layers, criterion), labels_of(layers, "01")
    given = functools.partial(metrics.accuracy, threshold=2.0)
    other = nl.Trainer(trainer.model, criterion, trainer.optimizer, [metrics.accuracy, metrics.f1])
    known = trainer.evaluate(X, labels)
    assert other.evaluate(X, labels) == {name: known[name] for name in ("loss", "accuracy", "f1")}
    kept = nl.Trainer(trainer.model, criterion, trainer.optimizer, [given])
    assert kept.evaluate(X, labels)["accuracy"] == (labels == 0).mean()


def test_labels_of_only_one_sign() -> None:
    layers, criterion, coding = CASES["tanh"]
    trainer, labels = make(layers, criterion), labels_of(layers, coding)
    trainer.fit(X, labels, epochs=5)
    rows = labels[:, 0] == 1
    assert trainer.evaluate(X[rows], labels[rows])["accuracy"] == (trainer.predict(X[rows]) > 0).mean()


def test_several_columns_need_no_threshold() -> None:
    trainer = make([nn.Linear(16, 2)], lambda o, t: F.nll_loss(o.log_softmax(1), t))
    assert trainer.fit(X, Y, epochs=2)["accuracy"][-1] > 0.5


@pytest.mark.parametrize("threshold", ["high", float("nan"), [0.5]])
def test_no_threshold(threshold) -> None:
    with pytest.raises(ValueError, match="threshold must be"):
        make([nn.Linear(16, 1)], squares, threshold=threshold)


@pytest.mark.parametrize("compile", [True, False])
def test_impossible_metrics_are_refused_before_the_first_update(compile: bool) -> None:
    trainer = make([nn.Linear(16, 1)], nn.BCEWithLogitsLoss())
    trainer.metrics = nl.Trainer(trainer.model, trainer.criterion, trainer.optimizer, ["top_k"]).metrics
    before = trainer.model.fingerprint()
    with pytest.raises(ValueError, match="top_k_accuracy needs"):
        trainer.fit(X, labels_of([nn.Linear(16, 1)], "01"), compile=compile)
    assert (trainer.model.fingerprint(), trainer.epoch) == (before, 0)
