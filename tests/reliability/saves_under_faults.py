"""Saves a model over another while each system call fails in turn; prints the state of the file afterwards."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path

import numpy as np

import nnlite as nl
from faults import KILL, SHORT_WRITE, SYSTEM_CALLS, Faults

OLD = {"a": np.arange(50_000, dtype=np.float32)}
NEW = {"a": -np.arange(50_000, dtype=np.float32), "b": np.ones(3)}
FAULTS = {
    "ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EINTR": errno.EINTR, "a short write": SHORT_WRITE, "SIGKILL": KILL,
}  # fmt: skip


def contents(path: Path) -> str:
    """Which of the two states a file holds; raises if it is incomplete."""
    state = nl.load(path)
    assert sorted(state) in (["a"], ["a", "b"])
    expected = OLD if len(state) == 1 else NEW
    assert all((state[name] == expected[name]).all() for name in expected)
    return "old" if expected is OLD else "new"


def save_with(faults: Faults, path: Path, number: int, fault: int) -> int:
    """One save; returns the number of system calls."""
    faults.arm(SYSTEM_CALLS, number, fault)
    try:
        nl.save(path, NEW)
    except OSError as error:
        calls = faults.disarm()
        assert str(path) in str(error), f"the error does not name the file: {error}"
        assert contents(path) == "old", "the save failed, but the new file exists"
        return calls
    calls = faults.disarm()
    assert contents(path) == "new", "the save did not report the failure"
    return calls


def save_in_child(faults: Faults, path: Path, number: int, fault: int) -> None:
    """The same, in a process that is killed."""
    child = os.fork()
    if child == 0:
        faults.arm(SYSTEM_CALLS, number, fault)
        nl.save(path, NEW)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the process saved in fewer than {number} system calls"


def main() -> None:
    folder, faults = Path(sys.argv[1]), Faults()
    nl.save(folder / "model", OLD)
    calls = save_with(faults, folder / "model", 0, 0)
    found: dict[str, dict[str, int]] = {}
    for name, fault in FAULTS.items():
        found[name] = {"old": 0, "new": 0}
        for number in range(1, calls + 1):
            path = folder / f"{number}{name}"
            nl.save(path, OLD)
            (save_in_child if fault == KILL else save_with)(faults, path, number, fault)
            found[name][contents(path)] += 1
    left = {int(path.name.split("-")[1]) for path in folder.glob(".nnlite-*")}
    assert os.getpid() not in left, "a failed save left its temporary file behind"
    print(json.dumps(found))


if __name__ == "__main__":
    main()
