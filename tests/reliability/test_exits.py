"""An interpreter that exits while threads train or predict exits as requested: no crash, no hang."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import nnlite as nl
from children import begin_child
from nnlite import nn, optim
from processes import command, environment, large_trainer

SECONDS = 15.0  # starting the interpreter and the work take less than one; a hang takes forever
STATUS = 3  # requested by sys.exit and os._exit: a crash or a lost exit gives another


def fit_small() -> None:
    x, y = nl.data.make_moons(2000, noise=0.1, seed=1)
    model = nn.MLP([2, 16, 16, 2])
    nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1)).fit(
        x, y, epochs=10**7, progress=False
    )


def fit_large() -> None:
    trainer, x, y = large_trainer()
    trainer.fit(x, y, epochs=10**7, batch_size=256, progress=False)


def fit_eagerly() -> None:
    trainer, x, y = large_trainer()
    trainer.fit(x, y, epochs=10**7, batch_size=256, progress=False, compile=False)


def predict_by_trainer() -> None:
    trainer, x, _ = large_trainer()
    rows = np.concatenate([x] * 50)
    while True:
        trainer.predict(rows, batch_size=256)


def predict_by_predictor() -> None:
    trainer, x, _ = large_trainer()
    predictor = nl.Predictor(trainer.model)
    while True:
        predictor(x)


WORK = {
    f.__name__: f for f in (fit_small, fit_large, fit_eagerly, predict_by_trainer, predict_by_predictor)
}  # fmt: skip


def end_by(way: str) -> None:
    """Otherwise the program ends on its own: nothing follows."""
    if way == "sys.exit":
        sys.exit(STATUS)
    if way == "os._exit":
        os._exit(STATUS)


def end_amid(work: str, way: str, seconds: float) -> None:
    """Exits this interpreter a given time after daemon threads start to work."""
    nl.set_num_threads(2)
    for _ in range(2):
        threading.Thread(target=WORK[work], daemon=True).start()
    time.sleep(seconds)
    end_by(way)


def end_after_training_here(way: str) -> None:
    """The team's threads are idle, and are not Python's daemon threads."""
    nl.set_num_threads(2)
    trainer, x, y = large_trainer()
    trainer.fit(x, y, epochs=2, batch_size=256, progress=False)
    end_by(way)


def require_end(wanted: int, arguments: list[str]) -> float:
    start = time.perf_counter()
    try:
        result = subprocess.run(arguments, env=environment(), capture_output=True, text=True, timeout=SECONDS, preexec_fn=begin_child)  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.fail(f"hangs at its end: {arguments[-1]}")
    assert result.returncode == wanted, (
        f"{arguments[-1]} ended with {result.returncode}, not {wanted}:\n{result.stderr}"
    )
    return time.perf_counter() - start


@pytest.mark.usefixtures("no_core_files")
def test_exits_while_daemon_threads_work(proof):
    trials = proof.trials(200, 6)
    rng = np.random.default_rng(0)
    ways = {"the end of the program": 0, "sys.exit": STATUS, "os._exit": STATUS}
    longest = 0.0
    for trial in range(trials):
        work, way = list(WORK)[trial % len(WORK)], list(ways)[trial // len(WORK) % len(ways)]
        longest = max(longest, require_end(ways[way], command(end_amid, work, way, rng.uniform(0, 0.2))))
    proof.report("exits amid fits and predictions on daemon threads", trials, f"at most {longest:.1f} s a process")


@pytest.mark.usefixtures("no_core_files")
def test_exits_with_an_idle_team(proof):
    trials = proof.trials(50, 2)
    for trial in range(trials):
        require_end(STATUS, command(end_after_training_here, ["sys.exit", "os._exit"][trial % 2]))
    proof.report("exits with an idle team", trials)
