"""The examples run and reach their targets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
HELPERS = {"common.py", "mnist_training.py"}
NEED_DATA = {"mnist.py": "mnist", "mnist_large.py": "mnist", "adult_census.py": "adult", "spam.py": "spam"}
SLOW = {"mnist.py", "mnist_large.py"}
DATA = EXAMPLES.parents[1] / "shared" / "data"

ALONE = sorted(path.name for path in EXAMPLES.glob("*.py") if path.name not in NEED_DATA.keys() | HELPERS)


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
        # The bits do not depend on it, and a second thread waiting for a busy core is slow.
        env={**os.environ, "NNLITE_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize("name", ALONE)
def test_without_data(name):
    result = run(name)
    assert result.returncode == 0, result.stderr
    assert result.stdout


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.stress) if name in SLOW else name for name in sorted(NEED_DATA)]
)
def test_with_data(name):
    if not (DATA / NEED_DATA[name]).is_dir():
        pytest.skip(f"there is no {DATA / NEED_DATA[name]}")
    result = run(name, "--data", str(DATA))
    assert result.returncode == 0, result.stdout + result.stderr
    assert ": met" in result.stdout


@pytest.mark.parametrize("name", sorted(NEED_DATA))
def test_missing_data_is_a_message_not_a_failure(name, tmp_path):
    result = run(name, "--data", str(tmp_path))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("skipped: there is no ")


def test_every_example_is_listed():
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names >= NEED_DATA.keys() | HELPERS
    assert ALONE
