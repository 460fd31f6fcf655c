"""Small trainings whose bits are compared; run as a program, it prints their fingerprints as JSON.

The data comes from the library's own generator, so that nothing depends on another library's arithmetic.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial

import numpy as np

import nnlite as nl
from nnlite import nn, optim

EPOCHS, BATCH, SEED = 2, 32, 7


def numbers(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return nl.Generator(3).normal(shape, dtype=dtype)


def classes(rows: int, count: int) -> np.ndarray:
    return nl.Generator(4).permutation(rows) % count


def tiny():
    model = nn.MLP([24, 8, 2], nn.Tanh)
    return model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.05), numbers(203, 24), numbers(203, 2)


def classifier():
    model = nn.MLP([64, 128, 10])
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    return model, nn.CrossEntropyLoss(label_smoothing=0.1), optimizer, numbers(300, 64), classes(300, 10)


def normalised():
    model = nn.Sequential(
        nn.Linear(20, 48), nn.BatchNorm1d(48), nn.GELU(), nn.Dropout(0.2), nn.Linear(48, 48), nn.LayerNorm(48), nn.SiLU(),
        nn.Linear(48, 1), nn.Flatten(0),
    )  # fmt: skip
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.8, dampening=0.1)
    return model, nn.BCEWithLogitsLoss(), optimizer, numbers(170, 20), classes(170, 2).astype(np.float32)


def activations():
    layers = (nn.ELU(), nn.Softplus(), nn.Sigmoid(), nn.LeakyReLU(), nn.GELU("tanh"), nn.Softmax(1))
    model = nn.Sequential(*(part for layer in layers for part in (nn.Linear(16, 16), layer)))
    return model, nn.SmoothL1Loss(), optim.SGD(model.parameters(), lr=0.5), numbers(100, 16), numbers(100, 16)


def tokens():
    model = nn.Sequential(nn.Embedding(50, 12), nn.Flatten(), nn.Linear(60, 5), nn.LogSoftmax(1))
    inputs = nl.Generator(5).permutation(150 * 5).reshape(150, 5) % 50
    return model, nn.NLLLoss(), optim.SGD(model.parameters(), lr=0.3), inputs, classes(150, 5)


def double():
    model = nn.MLP([12, 32, 3]).double()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return model, nn.CrossEntropyLoss(), optimizer, numbers(120, 12, dtype=np.float64), classes(120, 3)


def wide():
    model = nn.MLP([300, 512, 400, 10])
    return model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.05), numbers(550, 300), classes(550, 10)


def adam():
    model = nn.MLP([20, 33, 3])
    optimizer = optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1, amsgrad=True)
    return model, nn.CrossEntropyLoss(), optimizer, numbers(150, 20), classes(150, 3)


def nadam():
    model = nn.MLP([12, 19, 3]).double()
    groups = [{"params": list(model.parameters())[:2]}, {"params": list(model.parameters())[2:], "momentum_decay": 0.3}]
    optimizer = optim.NAdam(groups, lr=0.01, weight_decay=1e-3)
    return model, nn.CrossEntropyLoss(), optimizer, numbers(120, 12, dtype=np.float64), classes(120, 3)


def rmsprop():
    model = nn.Sequential(nn.Linear(20, 48), nn.BatchNorm1d(48), nn.Tanh(), nn.Linear(48, 1), nn.Flatten(0))
    optimizer = optim.RMSprop(model.parameters(), lr=1e-3, centered=True, momentum=0.8)
    return model, nn.BCEWithLogitsLoss(), optimizer, numbers(170, 20), classes(170, 2).astype(np.float32)


def steps(name: str):
    """A small classifier trained by the optimizer `name` with its defaults."""
    model = nn.MLP([9, 17, 4])
    return model, nn.CrossEntropyLoss(), getattr(optim, name)(model.parameters()), numbers(130, 9), classes(130, 4)


WORKLOADS: dict[str, Callable] = {
    **{f.__name__: f for f in (tiny, classifier, normalised, activations, tokens, double, wide, adam, nadam, rmsprop)},
    **{name.lower(): partial(steps, name) for name in ("Adagrad", "Adadelta", "Adamax", "RAdam")},
}  # fmt: skip


def by_trainer(name: str, **options) -> str:
    nl.manual_seed(1)
    model, criterion, optimizer, x, y = WORKLOADS[name]()
    trainer = nl.Trainer(model, criterion, optimizer, seed=SEED)
    trainer.fit(x, y, epochs=EPOCHS, batch_size=256 if name == "wide" else BATCH, **options)
    return model.fingerprint()


def by_own_loop(name: str) -> str:
    nl.manual_seed(1)
    model, criterion, optimizer, x, y = WORKLOADS[name]()
    nl.manual_seed(SEED)  # dropout
    dataset = nl.data.TensorDataset(x, y)
    loader = nl.data.DataLoader(dataset, batch_size=256 if name == "wide" else BATCH, shuffle=True, seed=SEED)
    for _ in range(EPOCHS):
        for xb, yb in loader:
            optimizer.zero_grad()
            criterion(model(xb), yb).backward()
            optimizer.step()
    return model.fingerprint()


if __name__ == "__main__":
    print(json.dumps({name: by_trainer(name) for name in sys.argv[1:] or WORKLOADS}, indent=2))
