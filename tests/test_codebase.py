"""The house rules that a machine can check: directions of imports, sizes of files, names, documentation that runs."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nnlite
from nnlite import _core

ROOT = Path(__file__).parents[1]
LAYERS = ["simd", "kernels", "runtime", "autograd", "bindings"]

pytestmark = pytest.mark.skipif(not (ROOT / "csrc").is_dir(), reason="needs the sources")


def sources(folder: str, *suffixes: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*") if p.suffix in suffixes and "__pycache__" not in p.parts)


def test_includes_point_one_way() -> None:
    wrong = []
    for path in sources("csrc", ".hpp", ".cpp"):
        own = LAYERS.index(path.relative_to(ROOT / "csrc").parts[0])
        for included in re.findall(r'#include "(\w+)/', path.read_text()):
            if LAYERS.index(included) > own:
                wrong.append(f"{path.name} includes {included}/")
    assert not wrong, wrong


def test_only_the_bindings_know_python() -> None:
    knowing = [
        p for p in sources("csrc", ".hpp", ".cpp") if "pybind11" in p.read_text() and p.parent.name != "bindings"
    ]
    assert not knowing


def test_kernels_use_no_standard_templates() -> None:
    """A template of std:: compiled with AVX-512 could be the copy that the linker keeps for everybody."""
    for path in [*sources("csrc/simd", ".hpp"), *sources("csrc/kernels", ".hpp")]:
        code = re.sub(r"//.*", "", path.read_text())
        assert "std::" not in code, f"{path.name} uses std::"
        allowed = path.name in ("optimizer_parts.hpp", "optimizers.hpp", "table.hpp", "types.hpp")
        assert allowed or "#include" not in code, f"{path.name} includes a header inside the kernels' namespace"


def imports_of(path: Path) -> set[str]:
    """Modules of the package that a module imports when it is itself imported."""
    tree = ast.parse(path.read_text())
    package = path.relative_to(ROOT / "python").with_suffix("").parts
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level]
            found |= {
                ".".join((*base, *(node.module or "").split("."), name.name)).replace("..", ".") for name in node.names
            }
            found.add(".".join((*base, *(node.module or "").split("."))).rstrip("."))
    return found


def test_python_imports_have_no_cycles() -> None:
    files = {
        ".".join(p.relative_to(ROOT / "python").with_suffix("").parts).removesuffix(".__init__"): p
        for p in sources("python", ".py")
    }
    graph = {
        name: {i for i in imports_of(path) if i in files and i != "nnlite"} - {name} for name, path in files.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join((*trail, name))}"
        if name not in done:
            for other in graph[name]:
                if not name.startswith(other + ".") and not other.startswith(name + "."):  # a package and its own parts
                    visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("folder", ["csrc", "python", "examples", "bench", "tests"])
def test_files_have_one_subject(folder: str) -> None:
    long = {p.name: n for p in sources(folder, ".py", ".cpp", ".hpp") if (n := len(p.read_text().splitlines())) > 400}
    assert not long, f"longer than 400 lines: {long}"


def test_test_files_have_names_of_their_own() -> None:
    """pytest imports them by their bare names."""
    names = [p.name for p in sources("tests", ".py") if p.name != "conftest.py"]
    assert len(names) == len(set(names)), sorted({name for name in names if names.count(name) > 1})


def test_no_leftovers() -> None:
    for path in [*sources("csrc", ".hpp", ".cpp"), *sources("python", ".py"), *sources("tests", ".py")]:
        if path != Path(__file__):
            assert not re.search(r"\b(TODO|FIXME|XXX)\b|#if 0", path.read_text()), path.name


def test_versions_agree() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version
    assert version[1] == nnlite.__version__ == _core.show_config()["version"]


def modules() -> list[str]:
    names = [m.name for m in pkgutil.walk_packages(nnlite.__path__, "nnlite.") if m.name != "nnlite.__main__"]
    return sorted(["nnlite", *(n for n in names if not n.endswith("_core"))])


@pytest.mark.parametrize("name", modules())
def test_docstring_examples_run(name: str) -> None:
    failures, _ = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    )
    assert failures == 0


def test_everything_public_is_documented() -> None:
    bare = []
    for name in modules():
        module = importlib.import_module(name)
        if not module.__doc__:
            bare.append(name)
        for attribute, value in vars(module).items():
            if (
                not attribute.startswith("_")
                and getattr(value, "__module__", None) == name
                and callable(value)
                and not value.__doc__
            ):
                bare.append(f"{name}.{attribute}")
    assert not bare, bare


def test_public_names_exist() -> None:
    for module in (nnlite, nnlite.nn, nnlite.optim, nnlite.data):
        for name in module.__all__:
            assert hasattr(module, name), f"{module.__name__}.{name}"


def test_the_stub_names_what_the_extension_has() -> None:
    stub = ast.parse((ROOT / "python/nnlite/_core.pyi").read_text())
    named = {node.name for node in stub.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    there = {name for name in dir(_core) if not name.startswith("_")}
    assert named == there
    tensor = next(node for node in stub.body if isinstance(node, ast.ClassDef) and node.name == "Tensor")
    members = {n.name for n in tensor.body if isinstance(n, ast.FunctionDef)} | {
        n.target.id for n in tensor.body if isinstance(n, ast.AnnAssign)
    }
    public = {name for name in vars(_core.Tensor) if not name.startswith("_")}
    assert public == {name for name in members if not name.startswith("_")}


def readme_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


@pytest.mark.parametrize("number", range(len(readme_blocks()) if (ROOT / "README.md").exists() else 0))
def test_readme_code_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(readme_blocks()[number], f"README block {number}", "exec"), {})


def test_readme_commands_run(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    block = next(part for part in (ROOT / "README.md").read_text().split("```")[1::2] if "nnlite train iris" in part)
    commands = [line for line in block.splitlines() if not line.startswith("nnlite bench")]  # which takes minutes
    script = "\n".join([f'set -e; nnlite() {{ {sys.executable} -m nnlite "$@"; }}', *commands])
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"iris.safetensors", "curves.png", "table.csv"}


def test_ci_runs_the_readmes_test_command() -> None:
    command = "pip install '.[test]' && pytest"
    assert command in (ROOT / "README.md").read_text()
    assert command.replace("pip install", "pip install --quiet") in (ROOT / ".ci/run").read_text()
