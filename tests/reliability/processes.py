"""Work in separate processes: a proof that may crash, hang or be interrupted must not run in the process of the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nnlite as nl
from children import begin_child
from nnlite import nn, optim

FOLDER = Path(__file__).parent
_CALL = "import json, sys; from {module} import {name}; print(json.dumps({name}(*json.loads(sys.argv[1]))))"


def command(function: Callable[..., Any], *arguments: Any) -> list[str]:
    """Calls a function of one of these modules in a fresh interpreter."""
    code = _CALL.format(module=function.__module__, name=function.__name__)
    return [sys.executable, "-c", code, json.dumps(arguments)]


def environment(**more: str) -> dict[str, str]:
    """The environment of a fresh interpreter that can import these modules."""
    paths = [str(FOLDER), str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path), **more}


def in_fresh_interpreter(function: Callable[..., Any], *arguments: Any, timeout: float = 600, **more: str) -> Any:
    """Returns the function's result there."""
    result = subprocess.run(
        command(function, *arguments), env=environment(**more), capture_output=True, text=True, timeout=timeout,
        preexec_fn=begin_child,
    )  # fmt: skip
    assert result.returncode == 0, f"{function.__name__}{arguments} ended with {result.returncode}:\n{result.stderr}"
    return json.loads(result.stdout.splitlines()[-1])


def system_threads() -> int:
    """All threads of this process, Python's and others, by their system ids."""
    return len(os.listdir("/proc/self/task"))


def settled_system_threads() -> int:
    """The same, after ending threads are gone."""
    counts = [system_threads()]
    while len(counts) < 4 or len(set(counts[-4:])) > 1:
        time.sleep(0.01)
        counts.append(system_threads())
    return counts[-1]


def large_trainer() -> tuple[nl.Trainer, np.ndarray, np.ndarray]:
    """A training whose products use the whole team of threads, and its rows."""
    x = nl.Generator(3).normal((256, 256))
    y = nl.Generator(4).permutation(256) % 10
    nl.manual_seed(0)
    model = nn.MLP([256, 512, 512, 10])
    return nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1)), x, y


def train_large() -> str:
    """The fingerprint after two steps."""
    trainer, x, y = large_trainer()
    trainer.fit(x, y, epochs=2, batch_size=256, progress=False)
    return trainer.model.fingerprint()
