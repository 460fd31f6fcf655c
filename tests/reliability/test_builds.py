"""Builds with other compilers, hostile flags and unusual folders: the golden bits, and working forks (pytest -m stress)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.stress,
    pytest.mark.skipif(not (ROOT / "csrc").is_dir(), reason="needs the sources"),
]
COMPILERS = [name for name in ("clang++", *(f"clang++-{n}" for n in range(13, 22))) if shutil.which(name)]
HOSTILE = [
    "-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-march=native", "-mavx2 -mfma", "-flto", "-O0", "-fno-signed-zeros",
    "-ffp-contract=fast",
]  # fmt: skip


def built(package: Path, source: Path = ROOT, **environment: str) -> Path:
    """The package as pip installs it, in a folder for PYTHONPATH."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(package), str(source)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return package


def extension(package: Path) -> bytes:
    return next(package.glob("nnlite/_core*.so")).read_bytes()


def passes(package: Path, *tests: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        *(str(ROOT / "tests" / test) for test in tests),
    ]
    environment = {**os.environ, "PYTHONPATH": str(package)}
    done = subprocess.run(command, env=environment, cwd=package, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("plain") / "package")


@pytest.mark.parametrize("flags", HOSTILE)
def test_user_flags_do_not_change_the_library(flags, plain, tmp_path) -> None:
    package = built(tmp_path / "package", CXXFLAGS=flags, LDFLAGS=flags)
    assert extension(package) == extension(plain)
    passes(package, "test_bits.py")


@pytest.mark.parametrize("compiler", COMPILERS)
def test_other_compilers_give_the_golden_bits_and_can_be_forked(compiler, tmp_path) -> None:
    package = built(tmp_path / "package", CXX=compiler)
    passes(package, "test_bits.py", "reliability/test_forks.py")


def test_without_openmp_there_is_one_thread_and_the_same_bits(tmp_path) -> None:
    define = "--config-settings=cmake.define.CMAKE_DISABLE_FIND_PACKAGE_OpenMP=ON"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        define,
        "--target",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, check=True)
    passes(tmp_path, "test_bits.py::test_golden")
    code = "import nnlite as nl; print(nl.get_num_threads(), nl.show_config()['openmp'])"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["1", "False"]


def test_a_read_only_tree_with_a_build_folder_from_elsewhere(plain, tmp_path) -> None:
    source = tmp_path / "source"
    skipped = shutil.ignore_patterns("build", ".git", "__pycache__", "*.so")
    shutil.copytree(ROOT, source, ignore=skipped)
    (source / "build").mkdir()
    (source / "build" / "CMakeCache.txt").write_text("CMAKE_HOME_DIRECTORY:INTERNAL=/elsewhere\n")
    before = sorted(source.rglob("*"))
    for path in (source, *before):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert extension(built(tmp_path / "package", source)) == extension(plain)
        assert sorted(source.rglob("*")) == before  # root may write anyway
    finally:
        for path in (source, *before):
            path.chmod(0o755)
