"""kill -9 at any moment of a fit: its checkpoint loads, and the resumed run ends with the bits of an uninterrupted one."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.callbacks import Callback, CSVLogger, EarlyStopping, LambdaCallback, LearningRateScheduler
from nnlite.files.model_file import load_with_metadata

X, Y = nl.data.make_moons(60_000, noise=0.2, seed=1)
HELD_OUT = nl.data.make_moons(200, noise=0.2, seed=2)


def plain() -> nl.Trainer:
    model = nn.MLP([2, 32, 2])
    return nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), seed=3)


def with_every_state() -> nl.Trainer:
    model = nn.Sequential(nn.Linear(2, 32), nn.BatchNorm1d(32), nn.Dropout(0.3), nn.GELU(), nn.Linear(32, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    return nl.Trainer(model, nn.CrossEntropyLoss(), optimizer, metrics=["accuracy"], seed=3)


def no_callbacks(trainer: nl.Trainer, folder: Path) -> list[Callback]:
    return []


def callbacks(trainer: nl.Trainer, folder: Path) -> list[Callback]:
    return [
        LearningRateScheduler(optim.CosineAnnealingLR(trainer.optimizer, 8)),
        EarlyStopping(patience=20, restore_best_weights=True),
        CSVLogger(folder / "log.csv"),
    ]


def watching_batches(trainer: nl.Trainer, folder: Path) -> list[Callback]:
    return [LambdaCallback(on_batch_end=lambda batch, logs: None)]


FITS = {
    "native": (plain, no_callbacks, 60_000, {"epochs": 8, "batch_size": 2}),
    "native, with every state": (with_every_state, callbacks, 60_000, {"epochs": 4, "batch_size": 4}),
    "batch by batch": (with_every_state, watching_batches, 500, {"epochs": 3, "batch_size": 16}),
}


def fit(name: str, folder: Path) -> tuple[str, ...]:
    """A named fit, complete or resumed, and its entire final state."""
    make, make_callbacks, rows, options = FITS[name]
    nl.manual_seed(5)
    trainer = make()
    history = trainer.fit(
        X[:rows], Y[:rows], validation_data=HELD_OUT, callbacks=make_callbacks(trainer, folder), checkpoint=folder, resume=True,
        checkpoint_seconds=0, progress=False, **options,
    )  # fmt: skip
    log = folder / "log.csv"
    return (
        trainer.model.fingerprint(),
        history.to_json(),
        str(trainer.optimizer.param_groups[0]["lr"]),
        log.read_text() if log.exists() else "",
    )


def in_child(work: Callable[[], tuple[str, ...]], kill_after: float | None) -> tuple[str, ...] | None:
    """The result of `work` in a child process, or None if that was killed first."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(sending, "\0".join(work()).encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(sending)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(receiving, "rb") as file:
        text = file.read().decode()
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), f"the child ended by itself with status {status}"
    return tuple(text.split("\0")) if status == 0 else None


@pytest.mark.parametrize("name", FITS)
def test_a_killed_fit_resumes_from_its_checkpoint(tmp_path, proof, no_core_files, name):
    nl.set_num_threads(1)
    kills = proof.trials(340, 12)
    moments = random.Random(name)
    (tmp_path / "whole").mkdir()
    start = time.monotonic()
    whole = in_child(lambda: fit(name, tmp_path / "whole"), None)
    seconds = time.monotonic() - start
    done = chains = within = 0
    while done < kills:
        folder = tmp_path / f"chain {chains}"
        folder.mkdir()
        ended = None
        while ended is None:
            after = moments.uniform(0, seconds / 3) if done < kills else None
            ended = in_child(lambda folder=folder: fit(name, folder), after)
            if ended is not None:
                break
            done += 1
            path = folder / "checkpoint.safetensors"
            if path.exists():  # otherwise it was killed before it began
                state = load_with_metadata(path)[1]["checkpoint"]
                within += state["batch"] > 0
        chains += 1
        assert ended == whole, f"{name}: chain {chains} of kills ended with other results"
        assert not list(folder.glob(".nnlite-*")), "unfinished files were left"
    assert within > 0 or kills < 100, "no kill was within an epoch"  # a few trials may all miss
    proof.report(
        f"kill -9 of a fit ({name}): it loads, and ends on the same bits",
        done,
        f"{chains} runs, {within} within an epoch",
    )
