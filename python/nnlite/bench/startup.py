"""The cost before a program's first step, and one epoch of MNIST's size in a fresh process."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..data import read_idx
from .results import Figure

Array = np.ndarray[Any, Any]

IMPORT, FIRST_FIT = "import nnlite beyond numpy", "first fit"
EPOCH, EPOCH_MEMORY = "epoch of 784-128-10, import included", "epoch's peak memory above the data"
ROWS, FEATURES, CLASSES = 60_000, 784, 10
_QUICK_ROWS = 3_000

# Prints the seconds of a first fit, in a process that has imported everything.
_FIRST_FIT = """
import time
import numpy as np
import nnlite as nl
from nnlite import nn, optim
x, y = np.ones((32, 24), np.float32), np.ones((32, 2), np.float32)
start = time.perf_counter()
model = nn.MLP([24, 8, 2])
nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters())).fit(x, y, progress=False)
print(time.perf_counter() - start)
"""

# Prints seconds since the parent started this process, less those of reading the data, and the bytes of memory above it.
# The peak is the kernel's VmHWM: getrusage's counts what the parent held when it started this process.
_EPOCH = """
import json, sys, time
import numpy as np
import nnlite as nl
from nnlite import nn, optim
folder, started, threads = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
nl.set_num_threads(threads)
begin = time.time()
x, y = np.load(folder + "/x.npy"), np.load(folder + "/y.npy")
reading = time.time() - begin
model = nn.MLP([784, 128, 10])
trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
trainer.fit(x, y, batch_size=64, progress=False)
seconds = time.time() - started - reading
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = 1024 * int(status["VmHWM"].split()[0])
print(json.dumps([seconds, peak - x.nbytes - y.nbytes]))
"""


def _python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"a benchmark's process failed: {result.stderr.strip().splitlines()[-1:]}")
    return result.stdout


def process_seconds(code: str) -> float:
    """Wall time of a fresh interpreter that runs `code`."""
    start = time.perf_counter()
    _python(code)
    return time.perf_counter() - start


def import_seconds(module: str, runs: int, beyond: str = "numpy") -> float:
    """How much longer it takes to import a module than another: the quickest of several runs of each, in turn.

    Other work on the machine only adds time, so the quickest runs count.
    """
    times = [(process_seconds(f"import {beyond}"), process_seconds(f"import {module}")) for _ in range(runs)]
    return min(time for _, time in times) - min(time for time, _ in times)


def training_data(folder: Path | None) -> tuple[Array, Array]:
    """MNIST's training images from the IDX files in `folder`, or random numbers of the same shape."""
    if folder is None:
        rng = np.random.default_rng(0)
        return rng.random((ROWS, FEATURES), np.float32), rng.integers(0, CLASSES, ROWS)
    images, labels = (_idx_file(folder, f"train-{kind}") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255), labels.astype(np.int64)


def _idx_file(folder: Path, name: str) -> Array:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return read_idx(path)
    raise FileNotFoundError(f"there is no {name} or {name}.gz in {folder}; without --data random numbers are used")


def fresh_epoch(data: tuple[Array, Array], threads: int, runs: int) -> tuple[float, float]:
    """Least seconds and bytes above the data, of several fresh processes that each train one epoch."""
    with tempfile.TemporaryDirectory() as folder:
        for name, array in zip("xy", data, strict=True):
            np.save(os.path.join(folder, f"{name}.npy"), array)
        found = [json.loads(_python(_EPOCH, folder, repr(time.time()), str(threads))) for _ in range(runs)]
    return min(seconds for seconds, _ in found), min(memory for _, memory in found)


def figures(threads: int = 1, quick: bool = False, folder: Path | None = None) -> list[Figure]:
    """All figures of the section."""
    runs = 1 if quick else 7
    x, y = training_data(folder)
    rows = _QUICK_ROWS if quick else len(x)
    seconds, memory = fresh_epoch((x[:rows], y[:rows]), threads, min(runs, 5))
    epoch = f"{EPOCH} ({rows:,} rows)" if quick else EPOCH
    return [
        Figure("startup", IMPORT, 1e3 * import_seconds("nnlite", runs), "ms"),
        Figure("startup", FIRST_FIT, 1e3 * min(float(_python(_FIRST_FIT)) for _ in range(runs)), "ms"),
        Figure("startup", epoch, seconds, "s"),
        Figure("startup", EPOCH_MEMORY, memory / 1e6, "MB"),
    ]
