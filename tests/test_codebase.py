"""The rules of the code base that a machine can check: import directions, file sizes, names, runnable documentation."""

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
from nnlite import _core, ops

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
    """The linker might keep the AVX-512 copy of a std:: template for all callers."""
    for path in [*sources("csrc/simd", ".hpp"), *sources("csrc/kernels", ".hpp")]:
        code = re.sub(r"//.*", "", path.read_text())
        assert "std::" not in code, f"{path.name} uses std::"
        allowed = path.name in (
            "optimizer_parts.hpp",
            "optimizers.hpp",
            "isa.hpp",
            "shared.hpp",
            "table.hpp",
            "types.hpp",
        )
        assert allowed or "#include" not in code, f"{path.name} includes a header inside the kernels' namespace"


PYTHON_FILES = {
    ".".join(p.relative_to(ROOT / "python").with_suffix("").parts).removesuffix(".__init__"): p
    for p in sources("python", ".py")
}


def imports_of(name: str) -> set[str]:
    """What a module imports, at its top, within functions or for types alone: "nnlite.x" as "nnlite.x" or "nnlite.x.y"."""
    path = PYTHON_FILES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return {other for other in found if other.partition(".")[0] == "nnlite"}


def arrows_of(name: str) -> set[str]:
    """The modules that importing a module runs: those it imports, and the packages around them but not around itself."""
    found = set()
    for other in imports_of(name):
        module = other if other in PYTHON_FILES else other.rpartition(".")[0]
        found.add(module)
        while module := module.rpartition(".")[0]:
            if not name.startswith(f"{module}."):
                found.add(module)
    return found & PYTHON_FILES.keys() - {name, "nnlite"}


def test_python_imports_have_no_circles() -> None:
    arrows = {name: arrows_of(name) for name in PYTHON_FILES.keys() - {"nnlite"}}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import circle: {' -> '.join((*trail, name))}"
        if name not in done:
            for other in sorted(arrows[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in sorted(arrows):
        visit(name, ())


def test_nothing_imports_through_the_package_root() -> None:
    """The root imports the parts; a part that imports the root, or a sub-package by way of it, would close a circle."""
    for name in PYTHON_FILES.keys() - {"nnlite"}:
        through = {other for other in imports_of(name) if other.count(".") < 2 and other != "nnlite._core"}
        assert not through, (
            f"{name} imports {', '.join(through)} from the package root: import from the module that defines it"
        )


def private_names(body: ast.AST) -> set[str]:
    """The private members that a class defines: methods, attributes of the class and of self."""
    found = set()
    for node in ast.walk(body):
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
            found.add(node.attr)
    return {name for name in found if is_private(name)}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def test_nobody_reads_the_private_members_of_another_class() -> None:
    """They belong to their class, to its subclasses, and to the functions of its file."""
    trees = {name: ast.parse(path.read_text()) for name, path in PYTHON_FILES.items()}
    classes = {node.name: node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}

    def members(kind: str) -> set[str]:
        bases = [base.id for base in classes[kind].bases if isinstance(base, ast.Name) and base.id in classes]
        return private_names(classes[kind]).union(*map(members, bases))

    reads = []
    for name, tree in trees.items():
        kinds = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        own = set().union(*map(members, kinds))
        imported = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_self(node.value):
                root = node.value
                while isinstance(root, ast.Attribute):
                    root = root.value
                foreign = isinstance(root, ast.Name) and root.id in imported  # such as os._exit
                if node.attr not in own and not foreign:
                    reads.append(f"{name}:{node.lineno} {ast.unparse(node)}")
            if isinstance(node, ast.ImportFrom) and node.level:
                reads += [
                    f"{name}:{node.lineno} imports {a.name}"
                    for a in node.names
                    if is_private(a.name) and a.name != "_core" and f"nnlite.{a.name}" not in trees
                ]
    assert not reads, f"{len(reads)} private members of others are read: {reads}"


@pytest.mark.parametrize("folder", ["csrc", "python", "examples", "bench", "tests"])
def test_files_are_short(folder: str) -> None:
    long = {p.name: n for p in sources(folder, ".py", ".cpp", ".hpp") if (n := len(p.read_text().splitlines())) > 400}
    assert not long, f"longer than 400 lines: {long}"


def test_test_files_have_unique_names() -> None:
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
    assert public - ops.METHODS == {name for name in members if not name.startswith("_")}


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
