"""Trainings on an emulated processor without AVX give the golden bits."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workloads import WORKLOADS

TESTS = Path(__file__).parents[1]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="emulates an x86-64 processor")
@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="needs qemu-user (a Debian package)")
def test_trainings_without_avx_have_the_golden_bits(proof: Any) -> None:
    names = list(WORKLOADS)[: proof.trials(len(WORKLOADS), 1)]
    command = ["qemu-x86_64", "-cpu", "Nehalem", sys.executable, str(TESTS / "workloads.py"), *names]
    got = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    golden = json.loads((TESTS / "golden.json").read_text())
    assert got == {name: golden[name] for name in names}
    proof.report("trainings on a processor without AVX", len(names), "all on the golden bits")
