"""The kernels on 64-bit Arm, cross-compiled and emulated, give the same bits as on x86-64."""

from __future__ import annotations

import platform
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CROSS = "aarch64-linux-gnu-g++"
EMULATOR = next((name for name in ("qemu-aarch64", "qemu-aarch64-static") if shutil.which(name)), None)
FLAGS = [
    "-std=c++17",
    "-O1",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-static",
    f"-I{ROOT / 'csrc'}",
    f"-I{Path(__file__).parent}",
]

pytestmark = [
    pytest.mark.skipif(not (ROOT / "csrc").is_dir() or shutil.which("g++") is None, reason="needs the sources and g++"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="compares with x86-64"),
    pytest.mark.skipif(
        shutil.which(CROSS) is None or EMULATOR is None, reason=f"needs {CROSS} and qemu-user (Debian packages)"
    ),
]


def checksums(folder: Path, compiler: str, isa: str, table: str, run: list[str]) -> list[str]:
    program = folder / f"{compiler}-{isa}"
    definitions = [
        *(f'-DNNLITE_ISA_NAME="{isa}"', f'-DNNLITE_SIMD_HEADER="simd/{isa}.hpp"'),
        *(f"-DNNLITE_WIDE={table}Wide", f"-DNNLITE_COMMON={table}Common"),
    ]
    kernels = [str(ROOT / f"csrc/kernels/{name}.cpp") for name in ("wide", "common", "shared")]
    sources = [*kernels, str(Path(__file__).with_name("checksums.cpp"))]
    subprocess.run([compiler, *FLAGS, *definitions, *sources, "-o", str(program)], check=True)
    return subprocess.run([*run, str(program)], check=True, capture_output=True, text=True).stdout.splitlines()


def test_same_bits_on_arm(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        x86 = pool.submit(checksums, tmp_path, "g++", "scalar", "kScalar", [])
        arm = pool.submit(checksums, tmp_path, CROSS, "neon", "kNeon", [str(EMULATOR)])
    expected, got = x86.result(), arm.result()
    assert len(expected) > 250
    assert not [line for line in expected if line.startswith("MISMATCH")]
    differing = [f"{a} (x86-64) {b} (Arm)" for a, b in zip(expected, got, strict=True) if a != b]
    assert not differing, "\n".join(differing)
