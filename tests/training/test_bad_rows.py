"""A fault in the rows raises an error and restores the state before the fit, even if only a later batch has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim

X = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
Y = np.arange(64) % 3


class Loss(nn.Module):
    """A loss with a trained parameter, whose labels only its call can check."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(np.ones(3, np.float32))

    def forward(self, output: Any, target: Any) -> Any:
        return nn.functional.cross_entropy(output * self.scale, target)


class Embedded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.norm, self.last = nn.Embedding(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        return self.last(self.norm(self.table(x)[:, 0]))


def layers() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3))


def with_one(array: Any, value: Any) -> Any:
    copy = array.copy()
    copy[60] = value
    return copy


CASES = {
    "a label": (layers, nn.CrossEntropyLoss, X, with_one(Y, 7), ValueError, "class 7 at index 60"),
    "a label below": (layers, nn.CrossEntropyLoss, X, with_one(Y, -1), ValueError, "class -1 at index 60"),
    "a label of a loss of one's own": (layers, Loss, X, with_one(Y, 7), ValueError, "target 7"),
    "a label of a function": (layers, lambda: lambda o, t: nn.functional.cross_entropy(o, t), X, with_one(Y, 7), ValueError, "target 7"),
    "NaN": (layers, nn.CrossEntropyLoss, with_one(X, np.nan), Y, ValueError, r"nan at index \(60, 0\)"),
    "a probability": (
        lambda: nn.Sequential(nn.Linear(3, 1), nn.Sigmoid()), nn.BCELoss, X, with_one(np.ones((64, 1)), 2.0), ValueError, "2.0 at index"
    ),
    "a shape": (lambda: nn.Linear(4, 3), nn.CrossEntropyLoss, X, Y, ValueError, "last dimension must be 4"),
    "an index": (Embedded, nn.CrossEntropyLoss, with_one(np.zeros((64, 1), int), 9), Y, IndexError, "index 9"),
    "one row left": (layers, nn.CrossEntropyLoss, X[:63], Y[:63], ValueError, r"more than one value.*\(1, 4\).*drop_last=True"),
}  # fmt: skip


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("name", CASES)
def test_nothing_has_changed(name: str, before: int, compile: bool) -> None:
    make, criterion, x, y, error, match = CASES[name]
    nl.manual_seed(0)
    model, loss = make(), criterion()
    trained = [*model.parameters(), *(loss.parameters() if isinstance(loss, nn.Module) else [])]
    trainer = nl.Trainer(model, loss, optim.SGD(trained, lr=0.1, momentum=0.9), seed=1)
    if before and name != "a shape":  # now there are momentum and statistics to lose
        trainer.fit(x[:40], np.zeros_like(y[:40]), compile=compile)

    def state() -> tuple[Any, ...]:
        return (
            str(trainer.trained_state()),
            str(trainer.optimizer.state_dict()),
            trainer.generator.state(),
            trainer.epoch,
        )

    expected = state()
    with pytest.raises(error, match=match):
        trainer.fit(x, y, batch_size=31, shuffle=False, epochs=3, compile=compile)
    assert state() == expected


def test_an_error_of_a_callback_undoes_nothing() -> None:
    nl.manual_seed(0)
    model = layers()
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    before = model.fingerprint()

    def fail(batch: int, logs: Any) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        trainer.fit(X, Y, callbacks=[nl.callbacks.LambdaCallback(on_batch_end=fail)])
    assert model.fingerprint() != before
