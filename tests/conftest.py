"""Shared by all tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import nnlite as nl

sys.path.insert(0, str(Path(__file__).parent))

from children import answer_ctrl_c, begin_child

answer_ctrl_c()

settings.register_profile(
    "default", deadline=None, derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")

DTYPES = [np.float32, np.float64]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stress-scale",
        type=float,
        metavar="SHARE",
        help="make this share of the full number of trials of each proof in tests/reliability (1: all of them)",
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line per passed proof: trials, and the 95 % upper bound on the failure rate, 3 / N."""
    proofs = [
        value
        for report in terminalreporter.getreports("passed")
        for name, value in getattr(report, "user_properties", [])
        if name == "proof" and report.when == "call"
    ]
    if proofs and terminalreporter.config.getoption("--stress-scale") is not None:
        terminalreporter.section("proofs")
        for what, trials, figure in proofs:
            terminalreporter.write_line(f"{what} | {trials:,} | {3 / trials:.1e} | {figure}")


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    """Each test starts with the same seed and thread count."""
    threads = nl.get_num_threads()
    nl.manual_seed(0)
    yield
    nl.set_num_threads(threads)


@pytest.fixture
def run_python():
    """Runs code in a fresh interpreter with extra environment variables; returns its output."""

    def run(code: str, **environment: str) -> str:
        result = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False,
            preexec_fn=begin_child,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    return run
