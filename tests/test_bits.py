"""One seed, one model: for any number of threads, instruction set, execution path and machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import nnlite as nl
from nnlite import nn, optim
from workloads import WORKLOADS, by_own_loop, by_trainer, classes, numbers

# Recorded by `python tests/workloads.py > tests/golden.json`. A change is a change of arithmetic: every user's models change
# with it, so docs/arithmetic.md, "Changes of bits", gives the reason.
GOLDEN: dict[str, str] = json.loads(Path(__file__).with_name("golden.json").read_text())

ISAS = nl.show_config()["available_isas"]


def fingerprints(**environment: str) -> dict[str, str]:
    """Of all workloads, trained in a fresh process."""
    program = Path(__file__).with_name("workloads.py")
    output = subprocess.run(
        [sys.executable, str(program)], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return json.loads(output.stdout)


@pytest.mark.parametrize("name", WORKLOADS)
def test_golden(name):
    assert by_trainer(name) == GOLDEN[name]


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("name", WORKLOADS)
def test_threads(name, threads):
    nl.set_num_threads(threads)
    assert by_trainer(name) == GOLDEN[name]


@pytest.mark.parametrize("isa", ["scalar", "avx2", "avx512", "neon"])
def test_instruction_sets(isa):
    if isa not in ISAS:
        pytest.skip(f"this machine has no {isa}")
    assert fingerprints(NNLITE_ISA=isa) == GOLDEN


def test_threads_from_the_environment():
    assert fingerprints(NNLITE_NUM_THREADS="3") == GOLDEN


@pytest.mark.parametrize("name", WORKLOADS)
def test_operation_by_operation(name):
    assert by_trainer(name, compile=False) == GOLDEN[name]


@pytest.mark.parametrize("name", WORKLOADS)
def test_own_loop(name):
    assert by_own_loop(name) == GOLDEN[name]


class Stop(Exception):
    """Ends a fit as a crash would."""


@pytest.mark.parametrize("name", [name for name in WORKLOADS if name != "wide"])
def test_interrupted_and_resumed(name, tmp_path):
    def stop(epoch, logs):
        if epoch == 0 and not stopped:
            stopped.append(epoch)
            raise Stop

    stopped = []
    callback = nl.callbacks.LambdaCallback(on_epoch_end=stop)
    with pytest.raises(Stop):
        by_trainer(name, callbacks=[callback], checkpoint=tmp_path)
    assert by_trainer(name, callbacks=[callback], checkpoint=tmp_path, resume=True) == GOLDEN[name]


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("options", [{}, {"maximize": True}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}])
def test_batches_of_a_few_rows(batch, options):
    # Their products have separate kernels, which in native epochs include the update.
    def trained(compile):
        nl.manual_seed(0)
        model = nn.MLP([5, 19, 1, 33, 3])
        trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.01, **options), seed=1)
        trainer.fit(numbers(22, 5), classes(22, 3), batch_size=batch, compile=compile, progress=False)
        return model.fingerprint()

    assert trained(True) == trained(False)


def test_every_workload_has_its_own_bits():
    assert set(GOLDEN) == set(WORKLOADS)
    assert len(set(GOLDEN.values())) == len(GOLDEN)
