"""Damaged and crafted model files: one type of exception, quickly, with no more memory than the file's size."""

from __future__ import annotations

import itertools
import json
import random
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import mutants
import nnlite as nl
from nnlite import nn, optim
from nnlite.callbacks import CSVLogger, EarlyStopping, LearningRateScheduler
from nnlite.files.safetensors import decode_header

STATE = {"0.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "0.bias": np.ones(2), "count": np.array(3)}


@pytest.fixture
def golden(tmp_path) -> bytes:
    nl.save(tmp_path / "golden", STATE, metadata={"kind": "test", "sizes": [3, 2]})
    return (tmp_path / "golden").read_bytes()


def read(path: Path, data: bytes) -> tuple[dict[str, np.ndarray] | None, float]:
    """(the file's contents, or None if refused; seconds). Any other exception fails the test."""
    with path.open("r+b" if path.exists() else "wb") as file:  # truncating a file first takes far longer
        file.write(data)
        file.truncate()
    start = time.perf_counter()
    try:
        state = nl.load(path)
    except nl.ModelFileError as error:
        assert str(path) in str(error)
        return None, time.perf_counter() - start
    seconds = time.perf_counter() - start
    assert all(type(name) is str and isinstance(array, np.ndarray) for name, array in state.items())
    return state, seconds


def is_golden(state: dict[str, np.ndarray]) -> bool:
    """A mutation may cancel out, or change only padding of the header."""
    return list(state) == list(STATE) and all((state[name] == array).all() for name, array in STATE.items())


@pytest.mark.parametrize("kind", ["bytes", "header"])
def test_mutations(tmp_path, golden, proof, kind):
    mutations = proof.trials(500_000, 3000)
    mutate = mutants.of_bytes if kind == "bytes" else mutants.of_header
    taken, slowest, path = 0, 0.0, tmp_path / "model"
    for trial in range(mutations):
        data = mutate(random.Random(f"{kind} {trial}"), golden)
        try:
            state, seconds = read(path, data)
        except Exception as error:
            raise AssertionError(f"mutation {trial} of the {kind}: {error!r} for {data!r}") from error
        if state is not None:
            taken += 1
            assert kind == "header" or is_golden(state), f"mutation {trial} changed the contents unseen: {data!r}"
        slowest = max(slowest, seconds)
    assert slowest < 1, f"a file of {len(golden)} bytes took {slowest} s"
    assert taken or kind == "bytes", "no mutation with a valid checksum loaded: the damage is too great to test much"
    proof.report(
        f"mutations of a model file's {kind}: whole or ModelFileError",
        mutations,
        f"{taken} whole, {slowest:.3f} s at most",
    )


def hostile_lengths() -> list[bytes]:
    """Files of a few KB that claim to be huge."""
    found = [length.to_bytes(8, "little") + bytes(1016) for length in mutants.LENGTHS]
    for shape, offsets in itertools.product(
        ([2**63 - 1], [2**62, 4], [2**31, 2**31, 2**31], [1] * 500, [2**40], [0, 2**62]),
        ([0, 2**63 - 1], [0, 2**42], [2**62, 2**63 - 1], [0, 0], [0, 1000]),
    ):
        header = {"a": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}
        text = json.dumps(
            {"__metadata__": {"nnlite": json.dumps({"format": 1, "sha256": "0" * 64})}, **header}
        ).encode()
        found.append(len(text).to_bytes(8, "little") + text + bytes(1000))
    nested = b'{"a":' * 20_000
    numbers = b'{"a": ' + b"9" * 4000 + b"}"
    return found + [len(text).to_bytes(8, "little") + text for text in (nested, numbers, b"[" * 100_000)]


def test_hostile_lengths_take_neither_time_nor_memory(tmp_path):
    path = tmp_path / "model"
    read(path, bytes(8))
    for data in hostile_lengths():
        tracemalloc.start()
        taken, seconds = read(path, data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert taken is None, data[:200]
        assert seconds < 1, data[:200]
        assert peak < 20 * len(data) + 500_000, f"{peak} bytes for a file of {len(data)}: {data[:200]!r}"


WATCHED = """
import sys
import nnlite as nl
path, damaged = sys.argv[1:]
def load(path):
    try:
        nl.load(path)
    except nl.ModelFileError:
        pass
load(path), load(damaged)
events = []
watching = True
sys.addaudithook(lambda name, arguments: events.append((name, str(arguments[:1]))) if watching else None)
load(path), load(damaged)
watching = False
opened = [arguments for name, arguments in events if name == "open"]
assert len(opened) == 2, opened
names = {name for name, _ in events} - {"open", "object.__getattr__", "sys._getframe"}
print(sorted(names))
"""


def test_loading_opens_nothing_else_and_runs_nothing(tmp_path, golden, run_python):
    (tmp_path / "model").write_bytes(golden)
    (tmp_path / "damaged").write_bytes(golden[:-1] + b"x")
    code = WATCHED.replace("sys.argv[1:]", repr([str(tmp_path / "model"), str(tmp_path / "damaged")]))
    assert run_python(code) == "[]"


def test_no_pickle_anywhere():
    sources = {
        path: path.read_text().replace("allow_pickle=False", "") for path in Path(nl.__file__).parent.rglob("*.py")
    }
    assert not [path for path, text in sources.items() if "pickle" in text], "pickled data can run anything"


X, Y = nl.data.make_moons(60, noise=0.2, seed=1)


def make_fit(folder: Path) -> tuple[nl.Trainer, dict[str, object]]:
    nl.manual_seed(5)
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.2), nn.Linear(4, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optimizer, metrics=["accuracy"], seed=3)
    callbacks = [
        LearningRateScheduler(optim.StepLR(optimizer, 2)), EarlyStopping("loss", patience=9, restore_best_weights=True),
        CSVLogger(folder / "log.csv"),
    ]  # fmt: skip
    return trainer, {"epochs": 3, "batch_size": 16, "callbacks": callbacks, "progress": False, "checkpoint": folder}


def all_of(trainer: nl.Trainer) -> tuple[object, ...]:
    groups = [
        {key: value for key, value in group.items() if key != "params"} for group in trainer.optimizer.param_groups
    ]
    buffers = [state["momentum_buffer"].tolist() for state in trainer.optimizer.state_dict()["state"].values()]
    return trainer.model.fingerprint(), str(groups), str(buffers), trainer.epoch, trainer.generator.state()


@pytest.mark.filterwarnings("ignore:.*(was .* is now|began with)")  # the description of the script is mutated too
def test_mutations_of_a_checkpoint(tmp_path, proof):
    """With a valid checksum: resumed, or refused with a message and nothing changed."""
    trainer, options = make_fit(tmp_path)
    trainer.fit(X, Y, **options)
    path = tmp_path / "checkpoint.safetensors"
    golden, log = path.read_bytes(), (tmp_path / "log.csv").read_text()
    header, begin = decode_header(golden)
    mutations, taken = proof.trials(20_000, 300), 0
    for trial in range(mutations):
        rng = random.Random(trial)
        (tmp_path / "log.csv").write_text(log)
        changed = json.loads(json.dumps(header))
        description = json.loads(changed["__metadata__"]["nnlite"])
        mutants.of_value(rng, description["metadata"]["checkpoint"])
        changed["__metadata__"]["nnlite"] = json.dumps(description)
        path.write_bytes(mutants.rebuilt(changed, golden[begin:], True))
        trainer, options = make_fit(tmp_path)
        before = all_of(trainer)
        try:
            trainer.fit(X, Y, resume=True, **options)
            taken += 1
        except (ValueError, RuntimeError) as error:
            assert str(error), f"mutation {trial}"
            assert all_of(trainer) == before, f"mutation {trial} left a changed trainer: {error}"
        except Exception as error:
            raise AssertionError(f"mutation {trial} of {description['metadata']}: {error!r}") from error
    proof.report("mutations of a checkpoint: resumed, or refused and nothing changed", mutations, f"{taken} resumed")
