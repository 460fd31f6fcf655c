"""Checks a wheel: its size, exported symbols, linking, required files and import time, and that a second build of the same sources
(the second argument) has the same bytes."""

import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from pathlib import Path

SIZE_LIMIT = 1_000_000  # bytes
IMPORT_LIMIT = 0.020  # seconds beyond `import numpy`
ROUNDS = 15


def seconds_of(python: Path, code: str) -> float:
    """Wall time of a fresh interpreter running `code`."""
    start = time.perf_counter()
    subprocess.run([python, "-c", code], check=True)
    return time.perf_counter() - start


def extra_import_time(python: Path) -> float:
    """How much longer importing nnlite takes than importing NumPy: the difference between the fastest of several alternating runs.

    Other work on the machine only adds time, so the fastest run is the most accurate.
    """
    runs = [[seconds_of(python, f"import {name}") for name in ("numpy", "nnlite")] for _ in range(ROUNDS)]
    return min(run[1] for run in runs) - min(run[0] for run in runs)


def exported_symbols(library: Path) -> list[str]:
    """The symbols that the extension exports."""
    listing = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    symbols = [line.split()[-2:] for line in listing.splitlines()]
    return [name for kind, name in symbols if kind.isupper()]  # lower case: gold lists local variables of threads


def linking_failures(library: Path) -> list[str]:
    """Memory that the loader cannot protect: both writable and executable, or tables that stay writable."""
    command = ["readelf", "--wide", "--program-headers", "--dynamic", library]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    flags = {line.split()[0]: line.split()[6:-1] for line in listing.splitlines() if line.startswith("  GNU_")}
    failures = []
    if "GNU_RELRO" not in flags or "NOW" not in listing.partition("FLAGS")[2]:
        failures.append("the extension is not linked with -z relro -z now: its tables stay writable")
    if "E" in "".join(flags.get("GNU_STACK", ["E"])):
        failures.append("the extension requires an executable stack")
    return failures


def differing_files(one: Path, two: Path) -> list[str]:
    """The files whose contents or attributes differ between two wheels; "(archive)" if only the archive itself does."""
    if one.read_bytes() == two.read_bytes():
        return []
    entries = [
        {i.filename: (i.CRC, i.date_time, i.external_attr) for i in zipfile.ZipFile(w).infolist()} for w in (one, two)
    ]
    names = entries[0].keys() | entries[1].keys()
    return sorted(name for name in names if entries[0].get(name) != entries[1].get(name)) or ["(archive)"]


def main() -> None:
    """Prints each figure; exits with 1 if one is out of bounds."""
    wheel = Path(sys.argv[1])
    failures = []
    size = wheel.stat().st_size
    print(f"wheel {wheel.name}: {size:,} bytes (limit {SIZE_LIMIT:,})")
    if size >= SIZE_LIMIT:
        failures.append("the wheel is too large")
    if differing := differing_files(wheel, Path(sys.argv[2])):
        failures.append(f"a second build differs in {', '.join(differing)}")
    with tempfile.TemporaryDirectory() as folder:
        names = zipfile.ZipFile(wheel).namelist()
        library = next(name for name in names if name.startswith("nnlite/_core") and name.endswith(".so"))
        zipfile.ZipFile(wheel).extract(library, folder)
        symbols = exported_symbols(Path(folder) / library)
        print(f"exported symbols: {', '.join(symbols)}")
        if symbols != ["PyInit__core"]:
            failures.append("the extension exports more than its module")
        failures += linking_failures(Path(folder) / library)
        for name in ("nnlite/py.typed", "nnlite/_core.pyi"):
            if name not in names:
                failures.append(f"the wheel lacks {name}")
        environment = Path(folder) / "venv"
        venv.create(environment, with_pip=True)
        python = environment / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel], check=True)
        extra = extra_import_time(python)
        print(f"import nnlite costs {1000 * extra:.1f} ms more than import numpy (limit {1000 * IMPORT_LIMIT:.0f} ms)")
        if extra >= IMPORT_LIMIT:
            failures.append("the import is too slow")
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
