"""Data like the thyroid problem: raw inputs in 0..1, most of the signal in a narrow range of two of them, rare classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

import nnlite as nl
from nnlite import nn, optim


def patients(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """21 inputs (an age, 15 flags, 5 laboratory values) and the class: 2 % are 0, 4 % are 1, the others 2."""
    generator = nl.Generator(seed)
    flags = generator.uniform((rows, 15)) < 0.1
    noise = generator.normal((rows, 5))
    tsh = 0.004 * np.exp(1.2 * noise[:, 0])
    tt4 = 0.11 + 0.035 * noise[:, 1]
    fti = tt4 + 0.01 * noise[:, 2]
    values = np.column_stack([tsh, 0.02 + 0.008 * noise[:, 3], tt4, 0.098 + 0.02 * noise[:, 4], fti])
    x = np.column_stack([generator.uniform((rows,)), flags, np.clip(values, 0, 1)]).astype(np.float32)
    high = tsh > 0.022
    return x, np.where(high & (fti < 0.085), 0, np.where(high & (fti < 0.14), 1, 2))


def error_of(make: Callable[[Iterable[nn.Parameter]], optim.Optimizer]) -> float:
    """The share of errors on unseen rows after 100 epochs."""
    nl.manual_seed(0)
    model = nn.MLP([21, 16, 8, 3], nn.Tanh)
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(), make(model.parameters()), metrics=["accuracy"], seed=0)
    trainer.fit(*patients(3000, 1), epochs=100, batch_size=32, progress=False)
    return 1 - trainer.evaluate(*patients(2000, 2))["accuracy"]


def test_adam_finds_the_rare_classes_that_plain_sgd_misses() -> None:
    descent = min(error_of(lambda parameters, lr=lr: optim.SGD(parameters, lr=lr)) for lr in (0.01, 0.03, 0.1))
    adam = error_of(lambda parameters: optim.Adam(parameters, lr=0.003))
    assert descent > 0.045, f"plain SGD errs on only {descent:.1%}: the data is too easy"
    assert adam < 0.025, f"Adam errs on {adam:.1%}, plain SGD on {descent:.1%}"
