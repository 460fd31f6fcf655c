"""Whatever happens during a save, the file is the old one or the new one, complete."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import nnlite as nl
from children import begin_child
from faults import run_with_faults
from nnlite.files.atomic import remove_leftovers

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


@needs_compiler
def test_every_system_call_fails_in_turn(tmp_path, proof, no_core_files):
    found = run_with_faults("saves_under_faults.py", str(tmp_path))
    for fault, outcomes in found.items():
        assert sum(outcomes.values()) > 10, f"hardly a system call was reached by {fault}"
        # Some failures are harmless; once the new file is in place, a failure is not an error.
        assert outcomes["new"] > 0, fault
    assert found["a short write"]["old"] == 0, "a short write must be continued"
    assert found["SIGKILL"]["old"] > 0
    trials = sum(sum(outcomes.values()) for outcomes in found.values())
    proof.report("a save whose n-th system call fails or kills: old or new file, whole", trials, f"{found}")


def test_a_file_that_may_not_grow(tmp_path):
    """The kernel refuses in the middle of the data."""
    path = tmp_path / "model"
    nl.save(path, {"a": np.zeros(4)})
    before = path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))
    try:
        with pytest.raises(OSError, match=str(path)):
            nl.save(path, {"a": np.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


IN_A_SMALL_FILE_SYSTEM = """
import os, sys
import numpy as np
import nnlite as nl
folder = sys.argv[1]
path = f"{folder}/model"
small, large = {"a": np.zeros(1000)}, {"a": np.zeros(20_000)}
nl.save(path, small)
def refused(path, words):
    try:
        nl.save(path, large)
    except OSError as error:
        assert path in str(error) and words in str(error), error
    else:
        raise AssertionError("the save went well")
refused(path, "No space left")
assert (nl.load(path)["a"] == 0).all() and os.listdir(folder) == ["model"]
assert os.system(f"mount -o remount,ro {folder}") == 0
refused(path, "Read-only")
assert len(nl.load(path)["a"]) == 1000
print("done")
"""


def test_a_full_disk_and_a_read_only_one(tmp_path):
    command = (
        f"mount -t tmpfs -o size=64k tmpfs {tmp_path} && {sys.executable} -c '{IN_A_SMALL_FILE_SYSTEM}' {tmp_path}"
    )
    allowed = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    if subprocess.run([*allowed, f"mount -t tmpfs tmpfs {tmp_path}"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets no user mount a file system")
    result = subprocess.run([*allowed, command], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "done", result.stderr


def test_a_folder_that_vanishes(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    nl.save(folder / "model", {"a": np.zeros(4)})
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError, match="gone"):
        nl.save(folder / "model", {"a": np.zeros(4)})
    with pytest.raises(FileNotFoundError, match="gone"):
        nl.load(folder / "model")


WRITER = """
import sys
import numpy as np
import nnlite as nl
path, mark, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for _ in range(count):
    nl.save(path, {"a": np.full(20_000 + mark, mark, np.float32)})
"""


def test_two_processes_save_to_one_path(tmp_path, proof):
    saves, path = proof.trials(1000, 40), tmp_path / "model"
    nl.save(path, {"a": np.full(20_001, 1, np.float32)})
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(mark), str(saves // 2)], preexec_fn=begin_child) for mark in (1, 2)
    ]  # fmt: skip
    reads = 0
    while any(writer.poll() is None for writer in writers):
        values = nl.load(path)["a"]
        assert len(values) == 20_000 + values[0], "the contents of two files in one"
        assert (values == values[0]).all(), "the contents of two files in one"
        reads += 1
        time.sleep(0.001)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert os.listdir(tmp_path) == ["model"]
    proof.report("saves of two processes to one path: always one of the two, whole", saves, f"{reads} reads meanwhile")


def test_temporary_files_of_killed_processes_are_removed(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead, own, other = f".nnlite-{int(gone.stdout)}-ab", f".nnlite-{os.getpid()}-ab", ".nnlite-notes"
    for name in (dead, own, other):
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([own, other])
