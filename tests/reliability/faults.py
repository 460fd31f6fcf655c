"""Processes in which system calls and allocations fail on demand: faults.cpp, preloaded."""

from __future__ import annotations

import ctypes
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SYSTEM_CALLS, LIBRARY_ALLOCATIONS, LARGE_ALLOCATIONS = 1, 2, 3  # targets
SHORT_WRITE, KILL = -1, -2  # faults other than an errno
LARGE = 4096  # bytes; Python's own allocations are mostly smaller


@functools.cache
def _library() -> Path:
    path = Path(tempfile.mkdtemp()) / "faults.so"
    command = ["g++", "-shared", "-fPIC", "-O1", "-std=c++17", str(FOLDER / "faults.cpp"), "-o", str(path), "-ldl"]
    subprocess.run(command, check=True)
    return path


def run_with_faults(program: str, *arguments: str, **environment: str) -> Any:
    """Runs a program of this folder in a process whose calls can be made to fail; returns the JSON it printed."""
    path = os.pathsep.join([str(FOLDER), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    variables = {**os.environ, "LD_PRELOAD": str(_library()), "PYTHONPATH": path, **environment}
    result = subprocess.run(
        [sys.executable, str(FOLDER / program), *arguments], env=variables, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{program} ended with {result.returncode}:\n{result.stderr[-3000:]}"
    return json.loads(result.stdout.splitlines()[-1])


class Faults:
    """Used in such a process: arms faults on the calling thread."""

    def __init__(self) -> None:
        self._library = ctypes.PyDLL(None)
        self._library.fault_disarm.restype = ctypes.c_long
        self._library.fault_bounds.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]

    def watch(self, library: Path) -> None:
        """The shared library whose allocations LIBRARY_ALLOCATIONS means."""
        lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
        spans = [line[0].split("-") for line in lines if Path(line[-1]) == library.resolve()]
        assert spans, f"{library} is not loaded"
        self._library.fault_bounds(min(int(a, 16) for a, _ in spans), max(int(b, 16) for _, b in spans), LARGE)

    def arm(self, target: int, number: int, fault: int) -> None:
        """Makes the `number`-th call or allocation from now on fail."""
        self._library.fault_arm(target, ctypes.c_long(number), fault)

    def disarm(self) -> int:
        """Returns how many there were."""
        return int(self._library.fault_disarm())
