"""A fixed amount of work, to be run while instructions are counted: `python -m bench.workload NAME STEPS`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import numpy as np

import nnlite as nl
from nnlite.bench.networks import Network
from nnlite.bench.steps import NETWORKS, Step

_PATTERN = 4  # batches of random numbers, repeated: generating all of them would cost more than the training


def native(step: Step, count: int) -> None:
    """`count` steps as one native epoch, which is the same work however long it takes."""
    x, y = (
        np.resize(array, (count * step.batch, *array.shape[1:])) for array in step.network.data(_PATTERN * step.batch)
    )
    step.network.trainer().fit(x, y, batch_size=step.batch, progress=False)


def own_loop(step: Step, count: int) -> None:
    """`count` steps of a training loop."""
    x, y = step.network.data(step.batch)
    trainer = step.network.trainer()
    model, criterion, optimizer = trainer.model, trainer.criterion, trainer.optimizer
    for _ in range(count):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()


def one_row(network: Network, count: int) -> None:
    """`count` predictions of one row."""
    predictor = nl.Predictor(network.model())
    x, _ = network.data(1)
    for _ in range(count):
        predictor(x)


def workloads() -> dict[str, tuple[Callable[[int], None], int]]:
    """By name: the work, and enough steps that the interpreter's start-up varies little beside them."""
    steps = [*(Step(*row) for row in NETWORKS[:4]), Step(Network((128, 128, 128)), 1, 300)]
    counts = (200, 700, 150, 10, 300)
    return {
        **{f"native {step.name}": (partial(native, step), count) for step, count in zip(steps, counts, strict=True)},
        f"own loop {steps[1].name}": (partial(own_loop, steps[1]), 200),
        "one row of 784-128-10": (partial(one_row, NETWORKS[3][0]), 150),
    }


if __name__ == "__main__":
    workloads()[sys.argv[1]][0](int(sys.argv[2]))
