"""Long work keeps no more memory, threads and files than short work."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from processes import in_fresh_interpreter, large_trainer, settled_system_threads

MEGABYTE = 1 << 20
DRIFT = 1.0  # MiB of resident memory: the allocator's fluctuation
# After a large block is freed, glibc puts others of that size into its heap, whose gaps vary by a few MiB
# although nothing is kept; this setting prevents it.
STEADY = {"MALLOC_MMAP_THRESHOLD_": str(128 * 1024)}


def resident() -> int:
    """The resident memory of this process, in bytes."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def small_trainer() -> tuple[nl.Trainer, np.ndarray, np.ndarray]:
    x, y = nl.data.make_moons(64, noise=0.1, seed=1)
    model = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.Dropout(0.1), nn.ReLU(), nn.Linear(16, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return nl.Trainer(model, nn.CrossEntropyLoss(), optimizer, metrics=["accuracy"]), x, y


def epochs() -> Callable[[int], None]:
    trainer, x, y = small_trainer()

    def work(count: int) -> None:
        while count > 0:  # the history belongs to the user: each fit starts a new one
            trainer.fit(x, y, epochs=min(count, 100), progress=False)
            count -= 100

    return work


def eager_epochs() -> Callable[[int], None]:
    trainer, x, y = small_trainer()

    def work(count: int) -> None:
        while count > 0:
            trainer.fit(x, y, epochs=min(count, 100), progress=False, compile=False)
            count -= 100

    return work


def predictions() -> Callable[[int], None]:
    """Every kind of prediction, with shapes that evict each other's programs."""
    trainer, _, _ = small_trainer()
    predictor = nl.Predictor(trainer.model)
    trainer.model.eval()
    rows = [nl.Generator(size).normal((size, 2)) for size in range(1, 33)]

    def work(count: int) -> None:
        for i in range(count):
            x = rows[i % len(rows)]
            if i % 3 == 0:
                trainer.predict(x, batch_size=8)
            elif i % 3 == 1:
                predictor(x)
            else:
                with nl.no_grad():
                    trainer.model(x)

    return work


def models() -> Callable[[int], None]:
    """Models constructed, trained, frozen and dropped."""

    def work(count: int) -> None:
        for _ in range(count):
            trainer, x, y = small_trainer()
            trainer.fit(x, y, validation_split=0.25, progress=False)
            nl.Predictor(trainer.model)(x)

    return work


def large_models() -> Callable[[int], None]:
    """The same with large blocks of memory, and the team."""

    def work(count: int) -> None:
        for _ in range(count):
            trainer, x, y = large_trainer()
            trainer.fit(x, y, batch_size=256, progress=False)
            nl.Predictor(trainer.model)(x)
            del trainer
            gc.collect()  # it is part of a cycle: otherwise Python's collector decides how many exist at once

    return work


WORK = {f.__name__: f for f in (epochs, eager_epochs, predictions, models, large_models)}


def drift(name: str, count: int) -> tuple[float, int, int]:
    """(MiB, threads, open files) gained by the work once it is warm."""
    nl.set_num_threads(2)
    work = WORK[name]()
    work(count)
    before = resident(), settled_system_threads(), len(os.listdir("/proc/self/fd"))
    work(count)
    after = resident(), settled_system_threads(), len(os.listdir("/proc/self/fd"))
    memory, threads, files = (b - a for a, b in zip(before, after, strict=True))
    return memory / MEGABYTE, threads, files


@pytest.mark.parametrize(
    ("name", "full", "short"),
    [
        ("epochs", 10_000, 1000),
        ("eager_epochs", 10_000, 200),
        ("predictions", 100_000, 3000),
        ("models", 1000, 100),
        ("large_models", 300, 20),
    ],
)
def test_nothing_is_kept(name, full, short, proof):
    count = proof.trials(full, short)
    memory, threads, files = in_fresh_interpreter(drift, name, count, **STEADY)
    assert memory <= DRIFT, f"{count:,} {name} hold {memory:.2f} MiB more"
    assert threads == 0, f"{count:,} {name} left {threads} threads of the operating system"
    assert files == 0, f"{count:,} {name} left {files} files open"
    proof.report(f"{name} without drift", count, f"{memory:+.2f} MiB, 0 threads, 0 files")
