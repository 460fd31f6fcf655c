"""Ctrl-C at any moment: the exception comes quickly, and no step is half done or lost."""

from __future__ import annotations

import faulthandler
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.callbacks import Callback
from processes import in_fresh_interpreter

SECONDS = 0.1  # from the signal to the exception, at the 99th percentile, without a checkpoint
LOST = 5.0  # limit for the signal to arrive
FOR_EVER = 10**7
AT_ONE_FIT = 5  # limit of Ctrl-Cs: the history, and so the checkpoint, grows with the epochs

# Kept alive: freeing a Thread runs a callback of threading, and Python drops exceptions raised in it.
_senders: list[threading.Thread] = []

Rows = tuple[np.ndarray, np.ndarray, int]


def tiny() -> tuple[nn.Module, Rows]:
    """Hundreds of epochs in one native call."""
    x, y = nl.data.make_moons(256, noise=0.1, seed=1)
    return nn.MLP([2, 16, 16, 2]), (x, y, 32)


def random() -> tuple[nn.Module, Rows]:
    """Its steps draw numbers and move running statistics, which an abandoned step must restore."""
    x, y = nl.data.make_moons(20_000, noise=0.1, seed=1)
    layers = (nn.Linear(2, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 2))
    return nn.Sequential(*layers), (x, y, 64)


def large() -> tuple[nn.Module, Rows]:
    """A step consists of many kernels of the whole team, and can be abandoned between any two."""
    x = nl.Generator(3).normal((4096, 512))
    return nn.MLP([512, 1024, 1024, 10]), (x, nl.Generator(4).permutation(4096) % 10, 512)


NETWORKS = {f.__name__: f for f in (tiny, random, large)}
CLIPPING = {
    "random": {"clip_norm": 0.5, "clip_value": 0.1}
}  # of its gradients: a stage that can be interrupted half-way


def make_trainer(name: str) -> tuple[nl.Trainer, Rows]:
    nl.manual_seed(0)
    model, rows = NETWORKS[name]()
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    return nl.Trainer(model, nn.CrossEntropyLoss(), optimizer, seed=3), rows


def handlers() -> list[str]:
    """The handlers of each signal, in Python and in the operating system."""
    status = Path("/proc/self/status").read_text().splitlines()
    caught = [line for line in status if line.startswith(("SigCgt", "SigIgn", "SigBlk"))]
    return [*caught, *(repr(signal.getsignal(number)) for number in signal.valid_signals())]


def seconds_to_interrupt(work: Callable[[], object], after: float) -> float:
    """Seconds from the signal, sent `after` seconds into the work, to the exception; AssertionError if none comes."""
    sent, answered = [], threading.Event()

    def send() -> None:
        time.sleep(after)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(3):
            if answered.wait(LOST):
                return
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send)
    _senders.append(thread)
    try:
        faulthandler.dump_traceback_later(6 * LOST, exit=True)  # ends work that ignores the signal
        thread.start()
        work()
        time.sleep(6 * LOST)  # the work ended first: the signal is still to come
    except KeyboardInterrupt:
        waited = time.perf_counter() - sent[0]
    finally:
        faulthandler.cancel_dump_traceback_later()
    answered.set()
    thread.join()
    assert waited < LOST, f"a Ctrl-C {1000 * after:.0f} ms into the work was lost"
    return waited


class StopAfter(Callback):
    """Ends a fit after a number of batches."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def on_batch_begin(self, batch: int) -> None:
        if self.left == 0:
            raise StopIteration
        self.left -= 1


def uninterrupted(name: str, epochs: int, batches: int) -> dict[str, np.ndarray]:
    """The weights after a number of epochs and batches; the batches run from Python."""
    trainer, (x, y, batch_size) = make_trainer(name)
    options = {"batch_size": batch_size, "progress": False, **CLIPPING.get(name, {})}
    trainer.fit(x, y, epochs=epochs, **options)
    try:
        trainer.fit(x, y, callbacks=[StopAfter(batches)], **options)
    except StopIteration:
        return trainer.model.state_dict()
    raise AssertionError("an epoch has no such batch")


def weights_of(file: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(weights, everything else) of a checkpoint."""
    arrays, metadata = nl.files.model_file.load_with_metadata(file)
    return {key.removeprefix("model/"): arrays[key] for key in arrays if key.startswith("model/")}, metadata[
        "checkpoint"
    ]


def interrupt_one_fit(name: str, waits: list[float], folder: str) -> tuple[list[float], int]:
    """(seconds to the exception, Ctrl-Cs during a native loop) of a fit resumed after every Ctrl-C."""
    file = Path(folder) / "checkpoint.safetensors"
    # The checkpoint is written at the start and on Ctrl-C only.
    options = {"checkpoint": folder, "resume": True, "checkpoint_seconds": 1e6, "progress": False}
    options.update(CLIPPING.get(name, {}))
    waited, native = [], 0
    for wait in waits:
        trainer, (x, y, batch_size) = make_trainer(name)
        fit = partial(trainer.fit, x, y, epochs=FOR_EVER, batch_size=batch_size, **options)
        before = file.read_bytes() if file.exists() else b""
        waited.append(seconds_to_interrupt(fit, wait))
        if not file.exists() or file.read_bytes() == before:
            continue  # Ctrl-C came before the training or between two native calls
        weights, position = weights_of(file)
        if position["epoch"] == position["batch"] == 0:
            continue  # the initial checkpoint
        native += 1
        for key, value in trainer.model.state_dict().items():
            assert value.tobytes() == weights[key].tobytes(), f"{key} differs from the checkpoint that Ctrl-C wrote"
    if native > 0:
        weights, position = weights_of(file)
        expected = uninterrupted(name, position["epoch"], position["batch"])
        for key, value in expected.items():
            assert value.tobytes() == weights[key].tobytes(), (
                f"after {len(waits)} Ctrl-Cs, epoch {position['epoch']}, batch {position['batch']}: {key} differs from "
                "that of an uninterrupted training"
            )
    return waited, native


def interrupt_fits(name: str, trials: int) -> tuple[list[float], int]:
    """The same for several fits."""
    nl.set_num_threads(2)
    rng = np.random.default_rng(trials)
    before = handlers()
    waited, native = [], 0
    for begin in range(0, trials, AT_ONE_FIT):
        waits = rng.uniform(0.0, 0.15, min(AT_ONE_FIT, trials - begin)).tolist()
        with tempfile.TemporaryDirectory() as folder:
            seconds, count = interrupt_one_fit(name, waits, folder)
        waited, native = waited + seconds, native + count
    assert handlers() == before, "fit replaced a signal's handler"
    return waited, native


def typical_longest(waited: list[float]) -> float:
    """The 99th percentile, or for few trials the median: another process may hold the processor."""
    return float(np.percentile(waited, 99 if len(waited) >= 100 else 50))


def milliseconds(waited: list[float]) -> str:
    return f"99th percentile {1000 * np.percentile(waited, 99):.0f} ms, longest {1000 * max(waited):.0f} ms"


@pytest.mark.parametrize(("name", "full", "short"), [("tiny", 400, 5), ("random", 400, 5), ("large", 200, 4)])
def test_a_fit_is_resumed_after_every_ctrl_c(name, full, short, proof):
    """The delay is not tested here: the checkpoint, as large as history and weights, is written first."""
    trials = proof.trials(full, short)
    waited, native = in_fresh_interpreter(interrupt_fits, name, trials)
    assert native > 0 or trials < 100, (
        "no Ctrl-C came into a native loop: this proves nothing"
    )  # a few trials may all miss
    figure = f"{native} in a native loop; checkpoint and exception: {milliseconds(waited)}"
    proof.report(f"Ctrl-C in a fit of the {name} network, resumed each time", trials, figure)


def interrupt(name: str, way: str, trials: int) -> list[float]:
    """Seconds to the exception, in work that writes nothing."""
    nl.set_num_threads(2)
    rng = np.random.default_rng(trials)
    trainer, (x, y, batch_size) = make_trainer(name)
    times = 4_000_000 // x.size + 1
    if way != "fit":
        x, y = np.concatenate([x] * times), np.concatenate([y] * times)
    before = handlers()
    some = trainer.predict(x[:512])

    work = {
        "fit": lambda: trainer.fit(x, y, epochs=FOR_EVER, batch_size=batch_size, progress=False),
        "predict": lambda: [trainer.predict(x) for _ in range(FOR_EVER)],
        "evaluate": lambda: [trainer.evaluate(x, y) for _ in range(FOR_EVER)],
    }[way]
    expected = trainer.model.fingerprint()

    waited = [seconds_to_interrupt(work, rng.uniform(0.0, 0.1)) for _ in range(trials)]
    assert handlers() == before, f"{way} replaced a signal's handler"
    if way != "fit":
        assert trainer.model.fingerprint() == expected, f"Ctrl-C in {way} changed the weights"
        assert (trainer.predict(x[:512]) == some).all(), f"after Ctrl-C in {way} the model gives other outputs"
    return waited


@pytest.mark.parametrize(
    ("name", "way", "full"),
    [("tiny", "fit", 400), ("random", "fit", 400), ("large", "fit", 200)]
    + [(name, way, 100) for name in ("random", "large") for way in ("predict", "evaluate")],
)
def test_ctrl_c_is_answered_quickly(name, way, full, proof):
    trials = proof.trials(full, 3)
    attempts: list[list[float]] = []
    while not attempts or (typical_longest(attempts[-1]) >= SECONDS and len(attempts) < 3):
        attempts.append(in_fresh_interpreter(interrupt, name, way, trials))
    figures = "; before on a busy machine: ".join(milliseconds(waited) for waited in reversed(attempts))
    assert typical_longest(attempts[-1]) < SECONDS, f"Ctrl-C is answered too late: {figures}"
    proof.report(f"Ctrl-C in {way} of the {name} network", trials, figures)
