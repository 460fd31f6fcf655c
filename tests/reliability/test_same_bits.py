"""One seed, one model: many architectures, losses, thread counts, instruction sets, processes, and chunks of predictions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn
from trainings import COUNT, train, train_all

PROGRAM = Path(__file__).with_name("trainings.py")
CONFIGURATION = nl.show_config()
MNIST = Path(os.environ.get("NNLITE_MNIST", Path(__file__).parents[3] / "shared" / "data" / "mnist"))


def spread(count: int, total: int) -> list[int]:
    """`count` numbers below `total`, evenly spaced, so that all kinds of trainings occur."""
    return sorted({round(i * total / count) % total for i in range(count)})


def in_process(numbers: list[int], program: Path = PROGRAM, **environment: str) -> dict[str, str]:
    """Fingerprints of trainings in a fresh process."""
    command = [sys.executable, str(program), *map(str, numbers)]
    output = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return dict(json.loads(output.stdout))


def test_threads(proof):
    numbers = spread(proof.trials(COUNT, 9), COUNT)
    threads = range(2, 17) if len(numbers) == COUNT else (2, 3, 16)
    nl.set_num_threads(1)
    expected = train_all(numbers)
    for count in threads:
        nl.set_num_threads(count)
        assert train_all(numbers) == expected, f"other bits with {count} threads"
    trials = len(numbers) * (1 + len(threads))
    proof.report("trainings with 1 to 16 threads: one hash", trials, f"{len(numbers)} trainings, {len(threads)} counts")


@pytest.mark.parametrize("isa", [isa for isa in CONFIGURATION["available_isas"] if isa != CONFIGURATION["isa"]])
def test_instruction_sets(proof, isa):
    numbers = spread(proof.trials(300, 6), 300)
    small = [number for number in numbers if number // 3 % 3] if len(numbers) < 100 and isa == "scalar" else numbers
    found = in_process(small, NNLITE_ISA=isa)
    assert found == train_all(small)
    proof.report(f"trainings with {isa}: the hash of {CONFIGURATION['isa']}", len(small))


SHIFTED = """
import sys
import numpy as np
import nnlite as nl
from nnlite import nn, optim
shift = int(sys.argv[1])
def shifted(array):
    memory = np.empty(array.nbytes + 4096, np.uint8)
    view = memory[shift : shift + array.nbytes].view(array.dtype).reshape(array.shape)
    view[:] = array
    return view
nl.manual_seed(1)
x, y = nl.Generator(2).normal((500, 33)), nl.Generator(3).permutation(500) % 7
model = nn.Sequential(nn.Linear(33, 65), nn.BatchNorm1d(65), nn.Tanh(), nn.Linear(65, 7))
trainer = nl.Trainer(model, nn.CrossEntropyLoss(), nl.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
trainer.fit(shifted(x), shifted(y), epochs=2, batch_size=48, progress=False)
print(model.fingerprint(), trainer.predict(shifted(x)).tobytes().hex()[:64])
"""


def test_process_starts(proof):
    """Other addresses at each start, and data at any alignment."""
    starts = proof.trials(200, 8)
    found = set()
    for start in range(starts):
        command = [sys.executable, "-c", SHIFTED, str(start * 37 % 4096)]
        environment = {**os.environ, "PADDING": "x" * (start * 13)}
        found.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(found) == 1, "the bits depend on where the data lies"
    proof.report("process starts with shifted arrays: one hash", starts)


def test_batches_of_predictions(proof):
    """10,000 rows at once, one by one, and in random chunks."""
    rows = proof.trials(10_000, 1000)
    nl.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(30, 70), nn.LayerNorm(70), nn.GELU(), nn.Linear(70, 33), nn.Tanh(), nn.Linear(33, 5)
    )
    x = nl.Generator(1).normal((rows, 30))
    trainer = nl.Trainer(model, nn.MSELoss(), nl.optim.SGD(model.parameters(), lr=0.1))
    expected = trainer.predict(x, batch_size=rows)
    predictor = nl.Predictor(model)
    with nl.no_grad():
        np.testing.assert_array_equal(model(x).numpy(), expected)
    np.testing.assert_array_equal(np.concatenate([predictor(x[i : i + 1]) for i in range(rows)]), expected)
    for size in (1, 2, 3, 7, 16, 64, 100, 127, 128, 129, 500, 999):
        np.testing.assert_array_equal(trainer.predict(x, batch_size=size), expected, f"batches of {size}")
    at, chunks = 0, []
    sizes = iter(nl.Generator(2).permutation(rows) % 300 + 1)
    while at < rows:
        size = int(next(sizes))
        chunks.append(predictor(x[at : at + size]))
        at += size
    np.testing.assert_array_equal(np.concatenate(chunks), expected)
    proof.report("predictions at once, row by row, in chunks: differing bits 0", rows * 16)


# Of one epoch of 784-128-10 with ReLU, batches of 64, learning rate 0.1, seeds 0 (docs/arithmetic.md: changes of bits).
MNIST_EPOCH = "189fd59e3c009c0876816ae0bcaabda27b1616eab7ac78382cfd23e2ec5838d2"


def mnist_epoch(x: np.ndarray, y: np.ndarray) -> str:
    nl.manual_seed(0)
    model = nn.MLP([784, 128, 10])
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(), nl.optim.SGD(model.parameters(), lr=0.1))
    trainer.fit(x, y, batch_size=64, progress=False)
    return model.fingerprint()


@pytest.mark.skipif(not MNIST.is_dir(), reason="needs MNIST (NNLITE_MNIST=folder)")
def test_an_epoch_of_mnist():
    images = nl.data.read_idx(MNIST / "train-images-idx3-ubyte.gz")
    labels = nl.data.read_idx(MNIST / "train-labels-idx1-ubyte.gz")
    x = images.reshape(len(images), 784).astype(np.float32) / np.float32(255)
    assert mnist_epoch(x, labels) == MNIST_EPOCH


def test_all_trainings_differ():
    assert len({train(number) for number in range(0, 90, 10)}) == 9
