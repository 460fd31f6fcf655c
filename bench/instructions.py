"""Detects changes in training speed without a quiet machine, by counting instructions.

    python -m bench.instructions [--record]

Each workload runs under `valgrind --tool=callgrind` with N and with 2 N steps; the difference is N steps without the
interpreter's start-up. Figures are comparable only with the same compiler, Python and NumPy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import nnlite as nl

from .workload import workloads

RECORD = Path(__file__).with_name("instructions.json")
ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = 0.03
RECORD_COMMAND = "python -m bench.instructions --record"
_AT_ONCE = 2
_ENVIRONMENT = {
    "NNLITE_ISA": "avx2",
    "NNLITE_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def toolchain() -> dict[str, str]:
    """What the figures depend on, besides the code."""
    return {
        "compiler": nl.show_config()["compiler"],
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def count(name: str, steps: int) -> int:
    """The number of instructions that a process executes for `steps` steps."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        result = subprocess.run(
            [*command, sys.executable, "-m", "bench.workload", name, str(steps)],
            cwd=ROOT,
            env={**os.environ, **_ENVIRONMENT},
            capture_output=True,
            text=True,
            check=False,
        )
    found = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or found is None:
        raise RuntimeError(f"{name} failed under valgrind:\n{result.stderr[-2000:]}")
    return int(found[1])


def instructions_per_step() -> dict[str, int]:
    """For each workload."""
    runs = [(name, steps * times) for name, (_, steps) in workloads().items() for times in (1, 2)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        counts = dict(zip(runs, pool.map(lambda run: count(*run), runs), strict=True))
    return {
        name: round((counts[name, 2 * steps] - counts[name, steps]) / steps) for name, (_, steps) in workloads().items()
    }


def differences(recorded: Mapping[str, int], measured: Mapping[str, int], tolerance: float = TOLERANCE) -> list[str]:
    """One line per figure that moved by more than `tolerance` either way, or is in only one of the two."""
    found = [
        f"{name}: {'not recorded' if name in measured else 'recorded, but no longer measured'}"
        for name in sorted(recorded.keys() ^ measured.keys())
    ]
    for name in recorded.keys() & measured.keys():
        change = measured[name] / recorded[name] - 1
        if abs(change) > tolerance:
            found.append(
                f"{name}: {measured[name]:,} instructions per step, {100 * change:+.1f} % from the recorded {recorded[name]:,}"
            )
    return sorted(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 if all figures hold or are not comparable, 1 if one has moved."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.instructions",
        description="Compare instructions per training step with the recorded ones.",
    )
    parser.add_argument("--record", action="store_true", help=f"rewrite {RECORD.name}")
    options = parser.parse_args(arguments)
    here = toolchain()
    if shutil.which("valgrind") is None:
        print("instructions: error: valgrind is not installed: apt-get install valgrind", file=sys.stderr)
        return 1
    if "avx2" not in nl.show_config()["available_isas"]:
        print("not comparable: this machine has no AVX2")
        return 0
    if not options.record:
        if not RECORD.is_file():
            print(f"instructions: error: there is no {RECORD.name}: {RECORD_COMMAND}", file=sys.stderr)
            return 1
        record = json.loads(RECORD.read_text())
        if record["toolchain"] != here:
            print(f"not comparable: recorded with {_shown(record['toolchain'])}; here is {_shown(here)}")
            return 0
    measured = instructions_per_step()
    for name, instructions in measured.items():
        print(f"{name:<40} {instructions:>12,} instructions per step")
    if options.record:
        RECORD.write_text(json.dumps({"toolchain": here, "instructions per step": measured}, indent=2) + "\n")
        print(f"recorded in {RECORD.name}")
        return 0
    moved = differences(record["instructions per step"], measured)
    if moved:
        print(f"\nmoved by more than {100 * TOLERANCE:.0f} %:", *moved, sep="\n  ")
        print(f"if that is intended: {RECORD_COMMAND}, and say why in the commit")
    return 1 if moved else 0


def _shown(facts: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


if __name__ == "__main__":
    sys.exit(main())
