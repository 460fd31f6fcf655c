"""Nothing is read or written beyond an operand's ends: operands of every size flush against unreadable pages."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nnlite as nl

ROOT = Path(__file__).parents[2]
ISAS = nl.show_config()["available_isas"]
# As in CMakeLists.txt.
FLAGS = [
    "-std=c++17",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-w",
    f"-I{ROOT / 'csrc'}",
    f"-I{ROOT / 'tests/kernels'}",
]
INSTRUCTIONS = {
    "avx2": ["-O3", "-mavx2", "-mfma"],
    "avx512": ["-O3", "-mavx2", "-mfma", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mprefer-vector-width=512"],
    "neon": ["-O3"],
    "scalar": ["-Os"],
}  # fmt: skip


def trials_of(command: list[Any], **environment: str) -> int:
    """The last line that a program prints, after it ran without a fault and found equal bits."""
    result = subprocess.run(
        list(map(str, command)), env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"ended by {result.returncode}: {result.stderr[-3000:]}"
    *differing, count = result.stdout.splitlines()
    assert not differing, "\n".join(differing[:20])
    return int(count)


@pytest.mark.skipif(not (ROOT / "csrc").is_dir() or shutil.which("g++") is None, reason="needs the sources and g++")
@pytest.mark.parametrize("isa", ISAS)
def test_kernels_stay_within_their_operands(isa: str, proof: Any, no_core_files: Any, tmp_path: Path) -> None:
    last = proof.trials(257, 35)
    if last < 257 and isa != nl.show_config()["isa"]:
        pytest.skip("the short form tries one instruction set")
    program = tmp_path / isa
    definitions = [
        *(f'-DNNLITE_ISA_NAME="{isa}"', f'-DNNLITE_SIMD_HEADER="simd/{isa}.hpp"'),
        *(f"-DNNLITE_WIDE=k{isa.capitalize()}Wide", f"-DNNLITE_COMMON=k{isa.capitalize()}Common"),
    ]
    # The short form compiles without optimisation, in a third of the time: its loads and stores are those in the source.
    options = [*INSTRUCTIONS[isa], *(["-O0"] if last < 257 else [])]
    kernels = [ROOT / f"csrc/kernels/{name}.cpp" for name in ("wide", "common", "shared")]
    sources = [*kernels, Path(__file__).with_name("guard_pages.cpp")]
    subprocess.run(["g++", *FLAGS, *options, *definitions, *sources, "-o", program], check=True)
    trials = trials_of([program, 1, last, 1])
    assert trials > 1000 * last, f"only {trials} calls of kernels"
    proof.report(f"kernels on guarded operands, {isa}", trials, f"sizes 1 to {last}")


@pytest.mark.skipif(platform.system() != "Linux", reason="protects pages by mprotect")
@pytest.mark.parametrize("isa", ISAS)
def test_functions_stay_within_their_arrays(isa: str, proof: Any, no_core_files: Any) -> None:
    last = proof.trials(257, 33)
    step = 1 if last == 257 else 4
    program = Path(__file__).with_name("guarded_arrays.py")
    trials = trials_of([sys.executable, program, 1, last, step], NNLITE_ISA=isa)
    assert trials > 100 * last / step, f"only {trials} calls"
    proof.report(f"functions on guarded arrays, {isa}", trials, f"sizes 1 to {last}")
