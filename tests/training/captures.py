"""Models, data and trainers shared by the tests of capturing."""

from __future__ import annotations

from typing import Any

import numpy as np

import nnlite as nl
from nnlite import nn, optim

CALLS = 0
RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 3)).astype(np.float32)
Y = RNG.normal(size=(600, 1)).astype(np.float32)


def trainer_of(model: nn.Module, criterion: Any = None, lr: float = 0.05) -> nl.Trainer:
    return nl.Trainer(model, criterion or nn.MSELoss(), optim.SGD(model.parameters(), lr=lr, momentum=0.5))


class TwoLayers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 1)
        self.norm = nn.BatchNorm1d(4)
        self.kept: Any = None

    def forward(self, x):
        return self.b(self.a(x).tanh())


def trained(kind: type[TwoLayers], criterion: Any, compile: bool, epochs: int = 3) -> tuple[Any, ...]:
    nl.manual_seed(0)
    trainer = trainer_of(kind(), criterion)
    history = trainer.fit(X, Y, epochs=epochs, compile=compile, progress=False)
    outputs = trainer.predict(X)
    return trainer.model.fingerprint(), history["loss"], outputs.tobytes(), trainer.evaluate(X, Y)
