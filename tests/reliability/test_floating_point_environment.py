"""The floating-point environment: nnlite preserves it, and computes the same bits in any.

Other libraries change a thread's flushing of subnormal numbers or its rounding mode, and forget to restore it.
"""

from __future__ import annotations

import ctypes
import json
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn
from processes import in_fresh_interpreter, large_trainer, settled_system_threads, train_large
from workloads import WORKLOADS, by_own_loop, by_trainer

SOURCE = Path(__file__).with_name("floating_point.c")
GOLDEN = Path(__file__).parents[1] / "golden.json"
TEAM = 3

DEFAULT = 0x1F80  # all exceptions masked, round to nearest, subnormal numbers kept
MODES = {
    "flush to zero": DEFAULT | 0x8000,
    "subnormal numbers are zero": DEFAULT | 0x0040,
    "flush to zero, and subnormal numbers are zero": DEFAULT | 0x8040,
    "round up": DEFAULT | 0x4000,
    "round down": DEFAULT | 0x2000,
    "round toward zero, flush to zero": DEFAULT | 0x6000 | 0x8000,
    "trap subnormal numbers and underflow": DEFAULT & ~0x0900,
}

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="reads registers of x86-64"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("floating_point") / "floating_point.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-fopenmp", str(SOURCE), "-o", str(path)], check=True)
    return str(path)


def team(registers: ctypes.CDLL) -> tuple[list[int], list[int], list[int]]:
    """(SSE, x87, number) of each thread of the calling thread's team."""
    sse, x87, numbers = (ctypes.c_uint * TEAM)(), (ctypes.c_uint * TEAM)(), (ctypes.c_long * TEAM)()
    registers.team_controls(TEAM, sse, x87, numbers)
    return list(sse), list(x87), list(numbers)


def in_new_thread(function, *arguments):
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*arguments)))
    thread.start()
    thread.join()
    return results[0]


@contextmanager
def mode(registers: ctypes.CDLL, control: int) -> Iterator[None]:
    """The calling thread in this mode."""
    registers.set_sse_control(control)
    try:
        yield
    finally:
        found = registers.sse_control()
        registers.set_sse_control(DEFAULT)
        assert found == control & 0xFFC0, f"the thread's SSE control was {control:#x} before, {found:#x} after"


def leave_alone(path: str) -> list[int]:
    """The ids of the team's threads; asserts that no registers change."""
    registers = ctypes.CDLL(path)

    def own() -> tuple[int, int]:
        return registers.sse_control(), registers.x87_control()

    start = own()
    nl.set_num_threads(TEAM)

    def work() -> tuple[int, int]:
        train_large()
        trainer, x, y = large_trainer()
        trainer.fit(x, y, batch_size=100, compile=False, progress=False)
        trainer.predict(x)
        nl.Predictor(trainer.model)(x)
        trainer.model(x).sum().backward()
        return own()

    assert work() == start, "training and predicting change the floating-point environment"
    assert in_new_thread(work) == start, "they change it in a Python thread"
    threads = settled_system_threads()
    sse, x87, numbers = team(registers)
    assert settled_system_threads() == threads, "the team is not the one that nnlite used: this proves nothing"
    assert list(zip(sse, x87, strict=True)) == [start] * TEAM, "the team's threads have another environment"
    for control in MODES.values():
        registers.set_team_controls(TEAM, control)
        registers.set_sse_control(DEFAULT)
        work()
        sse, _, same = team(registers)
        registers.set_team_controls(TEAM, DEFAULT)
        assert same == numbers, "the team changed: this proves nothing"
        assert sse[1:] == [control & 0xFFC0] * (TEAM - 1), "training changes the environment of the team's threads"
    return numbers


def test_the_import_preserves_the_environment(library, run_python):
    read = f"import ctypes, numpy; r = ctypes.CDLL({library!r}); before = r.sse_control(), r.x87_control(); "
    assert run_python(f"{read} import nnlite.training; print(before == (r.sse_control(), r.x87_control()))") == "True"


def test_the_environment_is_preserved(library, proof):
    numbers = in_fresh_interpreter(leave_alone, library)
    assert len(set(numbers)) == TEAM
    proof.report("environment of caller, Python thread and team left alone", 1 + len(MODES))


def train_in(path: str, control: int, names: list[str], ways: list[str]) -> int:
    """How many trainings gave the golden bits, with the calling thread and the team's threads in this mode."""
    registers = ctypes.CDLL(path)
    golden = json.loads(GOLDEN.read_text())
    nl.set_num_threads(TEAM)
    by_trainer("wide")  # creates the team
    registers.set_team_controls(TEAM, control)
    registers.set_sse_control(DEFAULT)
    train = {
        "native": by_trainer,
        "eager": lambda name: by_trainer(name, compile=False),
        "own loop": by_own_loop,
        "native in a thread": lambda name: in_new_thread(in_mode, name),
    }

    def in_mode(name: str) -> str:
        with mode(registers, control):
            return by_trainer(name)

    done = 0
    for way in ways:
        for name in names or WORKLOADS:
            with mode(registers, control):
                fingerprint = train[way](name)
            assert fingerprint == golden[name], f"{name}, {way}: other bits with the SSE control {control:#x}"
            done += 1
    return done


@pytest.mark.parametrize("name", MODES)
def test_the_callers_environment_does_not_change_the_bits(name, library, proof):
    if proof.trials(2, 1) > 1:
        chosen = [], ["native", "eager", "own loop", "native in a thread"]
    else:
        chosen = ["classifier", "normalised", "wide"], ["native", "own loop"]
    done = in_fresh_interpreter(train_in, library, MODES[name], *chosen)
    proof.report(f"golden bits under: {name}", done)


def predict_in(path: str, control: int) -> None:
    registers = ctypes.CDLL(path)
    nl.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.Sigmoid(), nn.Linear(32, 8), nn.LayerNorm(8), nn.Softmax(1))
    # Rows whose products are subnormal, and rows whose sums round at every step.
    x = nl.Generator(1).normal((300, 64)) * np.logspace(-42, 3, 300)[:, None].astype(np.float32)

    def momentum_of_a_fit() -> list[np.ndarray]:
        nl.manual_seed(0)
        learner = nn.MLP([64, 8, 2])
        optimizer = nl.optim.SGD(learner.parameters(), lr=0.1, momentum=0.9)
        trainer = nl.Trainer(learner, nn.MSELoss(), optimizer)
        trainer.fit(x[:40], np.zeros((40, 2), np.float32), batch_size=8, shuffle=False, progress=False)
        return [state["momentum_buffer"] for state in optimizer.state_dict()["state"].values()]

    def outputs() -> list[bytes]:
        trainer = nl.Trainer(model, nn.MSELoss(), nl.optim.SGD(model.parameters(), lr=0.1))
        tiny = nl.tensor(x[:1]) * 0.1  # a Python number is converted to float32
        with nl.no_grad():
            results = [model(x).numpy(), trainer.predict(x, batch_size=64), nl.Predictor(model)(x), tiny.numpy()]
            results += [nl.Generator(2).normal((50,)), nl.Generator(2).uniform((50,), -0.1, 0.1, dtype="float64")]
        return [np.asarray(result).tobytes() for result in results + momentum_of_a_fit()]

    expected = outputs()
    with mode(registers, control):
        found = outputs()
    for i, (a, b) in enumerate(zip(expected, found, strict=True)):
        assert a == b, f"result {i} has other bits with the SSE control {control:#x}"


@pytest.mark.parametrize("name", MODES)
def test_predictions_of_subnormal_numbers(name, library):
    in_fresh_interpreter(predict_in, library, MODES[name])


def test_the_modes_change_bits_elsewhere(library):
    """Checks the proofs above: in these modes the processor does give other results."""
    registers = ctypes.CDLL(library)
    plain = [sys.float_info.min / 3 * 2, 1 / 3, -1 / 3]
    third, smallest = float("3"), sys.float_info.min
    for name, control in MODES.items():
        if name.startswith("trap"):
            continue
        with mode(registers, control):
            there = [smallest / third * 2, 1 / third, -1 / third]
        assert there != plain, name
