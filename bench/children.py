"""Measurements in separate processes: another instruction set, all cores, imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from nnlite.bench.results import Figure
from nnlite.bench.startup import import_seconds
from nnlite.bench.suite import Report, Settings

from . import machine
from .peers import installed


def _bench(settings: Settings, section: str, environment: Mapping[str, str]) -> Report:
    command = [sys.executable, "-m", "nnlite", "bench", section, "--json", "-", "--rounds", str(settings.rounds)]
    result = subprocess.run(
        [*command, *(["--quick"] if settings.quick else [])],
        stdout=subprocess.PIPE,
        env=environment,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(f"`nnlite bench {section}` exited with {result.returncode}")
    return Report.from_dict(json.loads(result.stdout))


def with_avx2(settings: Settings) -> Report:
    """The products with the AVX2 kernels."""
    return _bench(settings, "products", {**os.environ, "NNLITE_ISA": "avx2"})


def with_all_cores(settings: Settings) -> Report:
    """One thread and two."""
    with machine.all_cores():
        return _bench(settings, "threads", machine.without_thread_limits(os.environ))


def peers_imports(quick: bool) -> list[Figure]:
    """What importing each peer costs beyond NumPy."""
    runs = 1 if quick else 3
    names = [package for package, here in installed().items() if here and package != "numpy"]
    modules = ["sklearn.neural_network" if name == "sklearn" else name for name in names]
    return [
        Figure("startup", f"import {module} beyond numpy", 1e3 * import_seconds(module, runs), "ms")
        for module in modules
    ]
