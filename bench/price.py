"""What equal bits cost: training steps against a build whose sums over the batch are one chain in row order.

    python -m bench.price [--rounds N]

The library is built twice, as it is and without leaves in its weight gradients; both builds train the networks of the benchmarks in
their own processes, in turn. Needs cmake, ninja and pybind11 (`pip install cmake ninja pybind11`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nnlite.bench.steps import NETWORKS, Step

ROOT = Path(__file__).resolve().parents[1]
LEAVES = "leaves = task.leaves && task.k > kLeafRows;"
ONE_CHAIN = "leaves = false;"
_LEAST_SECONDS = 0.3  # of one measurement


def build(folder: Path, leaves: str) -> None:
    """A copy of the package in `folder`, its extension compiled with these leaves."""
    for sources in ("csrc", "cmake"):
        shutil.copytree(ROOT / sources, folder / sources)
    shutil.copytree(ROOT / "python", folder / "python", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(ROOT / "CMakeLists.txt", folder)
    header = folder / "csrc" / "kernels" / "gemm_plan.hpp"
    text = header.read_text()
    assert text.count(LEAVES) == 1, f"{header.name} no longer says {LEAVES!r}"
    header.write_text(text.replace(LEAVES, leaves))
    pybind11 = subprocess.run(
        [sys.executable, "-m", "pybind11", "--cmakedir"], check=True, capture_output=True, text=True
    )
    options = [
        "-DCMAKE_BUILD_TYPE=Release", "-DSKBUILD_PROJECT_VERSION=0", f"-DPython_EXECUTABLE={sys.executable}",
        f"-Dpybind11_DIR={pybind11.stdout.strip()}",
    ]  # fmt: skip
    subprocess.run(
        ["cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", *options], check=True, stdout=sys.stderr
    )
    subprocess.run(["ninja", "-C", folder / "build"], check=True, stdout=sys.stderr)
    for library in (folder / "build").glob("_core*.so"):
        shutil.copy(library, folder / "python" / "nnlite")


def serve() -> None:
    """Trains on request: reads a network's index and a number of steps, writes the seconds per step."""
    steps = [Step(*row) for row in NETWORKS]
    for line in sys.stdin:
        number, count = map(int, line.split())
        step = steps[number]
        x, y = step.network.data(4 * step.batch)
        trainer = step.network.trainer()
        trainer.fit(x, y, batch_size=step.batch, progress=False)
        start = time.perf_counter()
        trainer.fit(x, y, epochs=-(-count // 4), batch_size=step.batch, progress=False)
        print((time.perf_counter() - start) / (4 * -(-count // 4)), flush=True)


class Contestant:
    """One build, in its own process."""

    def __init__(self, folder: Path) -> None:
        path = os.pathsep.join([str(folder / "python"), str(ROOT)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.price", "--serve"],
            env={**os.environ, "PYTHONPATH": path, "NNLITE_NUM_THREADS": "1"},
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, network: int, steps: int) -> float:
        """The seconds of one step."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(network, steps, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())


def main() -> None:
    """Prints each network's time with both builds, and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m bench.price", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve()
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / name for name in ("leaves", "chain")]
        for folder, leaves in zip(folders, (LEAVES, ONE_CHAIN), strict=True):
            build(folder, leaves)
        contestants = [Contestant(folder) for folder in folders]
        print(f"{'µs per step':32} {'equal bits':>12} {'one chain':>12}   price")
        for number, row in enumerate(NETWORKS):
            count = max(4, int(_LEAST_SECONDS / contestants[0].seconds(number, 4)))
            rounds = [[each.seconds(number, count) for each in contestants] for _ in range(arguments.rounds)]
            medians = [1e6 * statistics.median(column) for column in zip(*rounds, strict=True)]
            price = 100 * (statistics.median(a / b for a, b in rounds) - 1)
            print(f"{Step(*row).name:32} {medians[0]:12,.2f} {medians[1]:12,.2f}   {price:+.1f} %", flush=True)


if __name__ == "__main__":
    main()
