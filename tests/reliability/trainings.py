"""Many small trainings, each a function of its number; run as a program, it prints the fingerprints of some as JSON.

The data comes from the library's own generator, so that nothing depends on another library's arithmetic.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterable

import numpy as np

import nnlite as nl
from nnlite import nn, optim

ARCHITECTURES = 30
LOSSES = ("mse", "cross entropy", "binary cross entropy")
ACTIVATIONS = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU)
COUNT = ARCHITECTURES * len(LOSSES)


def architecture(number: int) -> tuple[nn.Module, int, int]:
    """(model, inputs, outputs); every third one is large enough for a team of threads."""
    generator = nl.Generator(number)
    large = number % 3 == 0
    sizes = [int(value) for value in generator.uniform((4,), 200, 400) if large]
    sizes = sizes or [int(value) for value in generator.uniform((4,), 1, 60)]
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        layers.append(nn.Linear(inputs, outputs, bias=number % 5 != 4))
        if i < 2:
            layers += (
                [nn.BatchNorm1d(outputs)] if number % 4 == 1 else [nn.LayerNorm(outputs)] if number % 4 == 2 else []
            )
            layers.append(ACTIVATIONS[number % len(ACTIVATIONS)]())
            layers += [nn.Dropout(0.2)] if number % 7 == 3 else []
    return nn.Sequential(*layers), sizes[0], sizes[-1]


def train(number: int) -> str:
    """The fingerprint after two epochs of training `number`: architecture by architecture, each with every loss."""
    nl.manual_seed(number)
    kind = number // len(LOSSES) % ARCHITECTURES
    model, inputs, outputs = architecture(kind)
    dtype = np.float64 if kind % 10 == 9 else np.float32
    rows = 300 if kind % 3 == 0 else 150
    data = nl.Generator(1000 + number)
    x = data.normal((rows, inputs), dtype=dtype)
    loss = LOSSES[number % len(LOSSES)]
    if loss == "mse":
        criterion, y = nn.MSELoss(), data.normal((rows, outputs), dtype=dtype)
    elif loss == "cross entropy":
        criterion, y = nn.CrossEntropyLoss(), data.permutation(rows) % outputs
    else:
        criterion, y = nn.BCEWithLogitsLoss(), (data.uniform((rows, outputs), dtype=dtype) < 0.5).astype(dtype)
    if dtype is np.float64:
        model.double()
    momentum = 0.9 if kind % 2 else 0.0
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=momentum, weight_decay=1e-4 * (kind % 3))
    batch_size = 256 if kind % 3 == 0 else 1 + 7 * (kind % 9)
    if kind % 4 == 1:
        batch_size = max(batch_size, 2 + (rows % batch_size == 1))  # batch normalisation needs more than one row
    nl.Trainer(model, criterion, optimizer, seed=number).fit(x, y, epochs=2, batch_size=batch_size, progress=False)
    return model.fingerprint()


def train_all(numbers: Iterable[int]) -> dict[str, str]:
    return {str(number): train(number) for number in numbers}


if __name__ == "__main__":
    print(json.dumps(train_all(map(int, sys.argv[1:]))))
