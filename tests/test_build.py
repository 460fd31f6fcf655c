"""A build follows the sources, whatever flags the environment sets."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = [
    pytest.mark.skipif(not (ROOT / "cmake").is_dir(), reason="needs the sources"),
    pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake"),
]

PROJECT = f"""
cmake_minimum_required(VERSION 3.18)
project(probe LANGUAGES CXX)
set(CMAKE_CXX_FLAGS_RELEASE "-Os -DNDEBUG")
include({ROOT}/cmake/arithmetic.cmake)
add_compile_options(${{nnlite_arithmetic}} ${{nnlite_baseline}})
add_link_options(${{nnlite_link}})
add_library(probe MODULE probe.cpp)
set_target_properties(probe PROPERTIES PREFIX "")
"""
HOSTILE = [
    "-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-fno-signed-zeros -ffinite-math-only", "-march=native",
    "-mavx2 -mfma -mbmi2 -mpopcnt", "-mfpmath=387", "-flto", "-O0", "-ffp-contract=fast", "-freciprocal-math -mrecip",
    "-fassociative-math -fno-trapping-math -fno-signed-zeros",
]  # fmt: skip
COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]


def configured(folder: Path, compiler: str, flags: str) -> list[str]:
    """The command that compiles the probe."""
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(PROJECT)
    (folder / "probe.cpp").write_text('#include "kernels/types.hpp"\nextern "C" int probe(void) { return 1; }\n')
    command = ["cmake", "-S", folder, "-B", folder / "build", "-DCMAKE_BUILD_TYPE=Release"]
    command += [f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"]
    command += ["-G", "Ninja" if shutil.which("ninja") else "Unix Makefiles"]
    environment = {**os.environ, "CXXFLAGS": f"-I{ROOT}/csrc {flags}", "LDFLAGS": flags}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return shlex.split(json.loads((folder / "build" / "compile_commands.json").read_text())[0]["command"])


def macros(command: list[str]) -> str:
    """All macros of the compiler: instruction sets, optimisation level, floating-point assumptions."""
    begin = command[: command.index("-o")]
    done = subprocess.run([*begin, "-dM", "-E", command[-1]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def options(command: list[str]) -> str:
    """Every optimisation and target option, on or off (only g++ lists them)."""
    begin = [part for part in command[: command.index("-o")] if not part.startswith("-I")]
    lists = ["--help=optimizers", "--help=target", "--help=common"]
    listing = subprocess.run([*begin, "-Q", *lists], capture_output=True, text=True, check=True).stdout
    # Trapping changes no value; lines that end in .s name a temporary file.
    return "\n".join(line for line in listing.splitlines() if "trapping-math" not in line and not line.endswith(".s"))


@pytest.mark.parametrize("compiler", COMPILERS)
def test_user_flags_do_not_change_the_arithmetic_or_the_processor(compiler, tmp_path) -> None:
    plain = configured(tmp_path / "plain", compiler, "")
    for flags in HOSTILE:
        hostile = [plain[0], *shlex.split(flags), *plain[1:]]
        assert macros(hostile) == macros(plain), flags
        if compiler == "g++":
            assert options(hostile) == options(plain), flags


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_library_built_with_fast_math_does_not_change_the_process(compiler, tmp_path) -> None:
    command = configured(tmp_path / "hostile", compiler, "-Ofast -ffast-math -funsafe-math-optimizations -march=native")
    assert command.index("-fno-fast-math") > command.index("-ffast-math")
    subprocess.run(["cmake", "--build", tmp_path / "hostile" / "build"], capture_output=True, check=True)
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1]); print(sys.float_info.min / 2 > 0)"
    library = tmp_path / "hostile" / "build" / "probe.so"
    assert subprocess.run([sys.executable, "-c", code, library], capture_output=True, check=True).stdout == b"True\n"


@pytest.mark.parametrize("flags", ["-ffast-math", "-Ofast", "-ffinite-math-only", "-mfpmath=387"])
def test_the_sources_refuse_another_arithmetic(flags) -> None:
    command = ["g++", "-std=c++17", "-fsyntax-only", f"-I{ROOT}/csrc", *flags.split(), "-x", "c++", "-"]
    done = subprocess.run(command, input='#include "kernels/types.hpp"', capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "nnlite" in done.stderr
