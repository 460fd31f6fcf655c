"""Runs tests under sanitizers for memory, undefined behaviour and threads; any report is a failure.

    python tests/reliability/sanitize.py address|thread|valgrind [arguments of pytest]

builds the extension into a temporary folder and runs pytest on it, by default all tests that suit the tool, on each
instruction set that it supports (NNLITE_ISA picks one). `address` is AddressSanitizer with UndefinedBehaviorSanitizer and
`thread` ThreadSanitizer, both of g++; in both builds pybind11 also checks who holds the GIL. `valgrind` is memcheck.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

EMULATED = [  # sanitizers do not run in an emulator
    "tests/kernels/test_old_processor.py",
    "tests/kernels/test_neon.py",
    "tests/reliability/test_emulation.py",
]
# These need an answer within 100 ms or a few seconds; a sanitizer is too slow.
MEASURED = [
    "tests/reliability/test_forks.py::test_a_fork_while_other_threads_train_and_predict",
    "tests/training/test_guard.py::test_ctrl_c_within_a_long_epoch_of_large_layers",
    "tests/reliability/test_interruption.py",
    "tests/cli/test_cli.py::TestTrain::test_digits_are_learnt_in_seconds",
]
# These measure memory, replace its allocation, or end processes, as does the runtime of a sanitizer.
PROCESSES = [f"tests/reliability/test_{name}.py" for name in ("memory", "saves", "leaks", "exits", "guard_pages")]


@dataclass(frozen=True)
class Watch:
    """A tool: build options, command prefix, environment, tests to run, and instruction sets."""

    build: dict[str, str] = field(default_factory=dict)
    define: str = ""
    prefix: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    tests: tuple[str, ...] = ()
    isas: tuple[str, ...] = ()  # empty: the machine's default
    counts: str = ""  # only matching reports count


def library(compiler: str, name: str) -> str:
    """The path of a compiler's library."""
    path = subprocess.run([compiler, f"-print-file-name={name}"], check=True, capture_output=True, text=True).stdout
    if not Path(path.strip()).is_absolute():
        sys.exit(f"{compiler} has no {name}")
    return path.strip()


def address(folder: Path) -> Watch:
    # libstdc++ too: the runtime looks up its exceptions before the extension loads it.
    libraries = [library("g++", f"lib{name}.so") for name in ("asan", "ubsan", "stdc++")]
    reports = f"log_path={folder}/report"
    return Watch(
        build={"CXX": "g++"},
        define="address",
        environment={
            "LD_PRELOAD": " ".join(libraries),
            "ASAN_OPTIONS": f"{reports}:detect_leaks=0",  # Python itself frees much only at exit, or never
            "UBSAN_OPTIONS": f"{reports}:print_stacktrace=1",
        },
        tests=("tests",),
        isas=("scalar", "avx2", "avx512"),
    )


def thread(folder: Path) -> Watch:
    libraries = [library("g++", f"lib{name}.so") for name in ("tsan", "stdc++")]
    return Watch(
        build={"CXX": "g++"},
        define="thread",
        # The runtime needs addresses without randomisation, which setarch turns off.
        prefix=("setarch", "--addr-no-randomize", "env", f"LD_PRELOAD={' '.join(libraries)}"),
        environment={
            # Python and NumPy are not instrumented: accesses among themselves cannot be judged.
            "TSAN_OPTIONS": f"log_path={folder}/report:ignore_noninstrumented_modules=1",
            "NNLITE_NUM_THREADS": "4",
        },
        tests=(
            "tests/training",
            "tests/test_bits.py",
            "tests/kernels",
            "tests/data/test_loader.py",
            "tests/files/test_model_file.py",
        ),
    )


def valgrind(folder: Path) -> Watch:
    reports = ("--xml=yes", f"--xml-file={folder}/report.%p")
    return Watch(
        build={"CXXFLAGS": "-g1"},
        prefix=("valgrind", "--quiet", "--trace-children=yes", "--num-callers=30", *reports),
        environment={"PYTHONMALLOC": "malloc"},
        tests=("tests/test_bits.py::test_golden", "tests/kernels/test_products_and_sums.py"),
        isas=("avx2",),  # valgrind does not support AVX-512
        counts=r"<obj>[^<]*/_core\.",  # the interpreter reads beyond strings on purpose
    )


def build(watch: Watch, folder: Path) -> Path:
    """The package with its instrumented extension, in a folder for PYTHONPATH."""
    package = folder / "package"
    settings = [f"build-dir={folder / 'build'}", "install.strip=false", f"cmake.define.NNLITE_SANITIZE={watch.define}"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(package)]
    command += [part for setting in settings for part in ("--config-settings", setting)]
    subprocess.run([*command, str(ROOT)], env={**os.environ, **watch.build}, check=True)
    return package


def run_tests(watch: Watch, package: Path, isa: str, arguments: list[str]) -> bool:
    """Whether pytest passed."""
    print(f"== {isa or 'the instruction set of this machine'}", flush=True)
    forced = {"NNLITE_ISA": isa} if isa else {}
    deselected = [f"--deselect={test}" for test in (*EMULATED, *MEASURED, *PROCESSES)]
    command = [
        *watch.prefix,
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--capture=sys",
        "-p",
        "no:cacheprovider",
        *deselected,
        *arguments,
    ]
    environment = {**os.environ, **watch.environment, **forced, "PYTHONPATH": str(package)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def reports(watch: Watch, folder: Path) -> list[str]:
    """The reports, of this process and its children."""
    found = []
    for path in sorted(folder.glob("report*")):
        text = path.read_text(errors="replace")
        found += [
            part for part in re.findall(r"<error>.*?</error>", text, re.S) or [text] if re.search(watch.counts, part)
        ]
    return found


def main(kind: str, arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        watch = {"address": address, "thread": thread, "valgrind": valgrind}[kind](folder)
        package = build(watch, folder)
        isas = [os.environ["NNLITE_ISA"]] if "NNLITE_ISA" in os.environ else list(watch.isas) or [""]
        passed = [run_tests(watch, package, isa, arguments or list(watch.tests)) for isa in isas]
        found = reports(watch, folder)
    print(*found, f"{kind}: {len(found)} reports", sep="\n")
    return 0 if all(passed) and not found else 1


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("address", "thread", "valgrind"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
