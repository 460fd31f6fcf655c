"""Every entry of the native tables is reachable from Python as a module and as a function of the same name."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

import nnlite as nl
from nnlite import _core, nn
from nnlite.naming import public_names
from nnlite.nn import activations, composed, functional, losses, margin_losses

FUNCTIONS = {name: getattr(functional, name) for name in functional.__all__}
ELEMENTWISE = activations.ELEMENTWISE | composed.ELEMENTWISE


def used_of(name: str, module: ModuleType) -> set[str]:
    """The attributes of the module `name` that the source of `module` reads."""
    nodes = ast.walk(ast.parse(inspect.getsource(module)))
    return {
        n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == name
    }


def native_names_in(module: ModuleType, call: str) -> set[str]:
    """The strings in calls of `_core.{call}` or of its wrapper `_elementwise`."""
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (f"_core.{call}", "_elementwise"):
            found |= {
                n.value for a in node.args for n in ast.walk(a) if isinstance(n, ast.Constant) and type(n.value) is str
            }
    return found


def test_every_elementwise_activation_is_a_function_of_functional() -> None:
    for name, layer in ELEMENTWISE.items():
        assert name in FUNCTIONS, f"functional has no {name}"
        assert (layer.__name__ in composed.__all__) != (name in _core.unary_names()), (
            f"{name} is both native and composed, or neither"
        )


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_modules_and_functions_have_the_same_bits(name: str) -> None:
    x = nl.tensor(np.linspace(-4, 4, 33))
    layer = ELEMENTWISE[name]()
    expected = FUNCTIONS[name](x, *(p.double() for p in layer.parameters()))
    np.testing.assert_array_equal(layer.double()(x).detach().numpy(), expected.detach().numpy())


LATE = {
    "nnlite.nn": ["composed", "margin_losses", "utils"],
    "nnlite.nn.functional": ["activations", "layers", "losses"],
}


@pytest.mark.parametrize(
    "use", ["nn.Hardswish", "nn.MarginRankingLoss", "nn.functional.mse_loss", "nn.__all__", "dir(nn.functional)"]
)
def test_names_of_modules_imported_late_are_found(use: str, run_python: Callable[..., str]) -> None:
    late = [f"{package}.{part}" for package, parts in LATE.items() for part in parts]
    code = f"import sys; from nnlite import nn; print([m for m in {late} if m in sys.modules]); {use}"
    assert run_python(code) == "[]", "imported at once: import nnlite takes longer"


@pytest.mark.parametrize("package", LATE)
def test_every_public_name_of_a_module_imported_late_is_the_packages(package: str) -> None:
    module = importlib.import_module(package)
    for part in LATE[package]:
        there = importlib.import_module(f"{package}.{part}")
        for name in public_names(there) if part != "utils" else [part]:
            assert name in module.__all__, f"{package} does not list {name}"
            assert getattr(module, name) is getattr(there, name, there)


def test_every_native_loss_is_used_by_functional() -> None:
    assert set(_core.loss_names()) <= native_names_in(functional.losses, "loss")


def test_every_loss_of_functional_has_a_module() -> None:
    of_targets = {name for name, function in FUNCTIONS.items() if "target" in inspect.signature(function).parameters}
    assert of_targets | {"triplet_margin_loss"} == used_of("functional", losses) | used_of("functional", margin_losses)
    assert len(losses.__all__) + len(public_names(margin_losses)) == len(of_targets) + 1


def test_modules_are_listed_once_and_are_modules() -> None:
    assert len(nn.__all__) == len(set(nn.__all__))
    parts = (
        activations,
        nn.containers,
        nn.dropout,
        nn.linear,
        nn.mlp,
        losses,
        margin_losses,
        nn.normalization,
    )
    for part in (*parts, composed):
        names = public_names(part) if part is margin_losses else part.__all__
        for name in names:
            assert issubclass(getattr(nn, name), nn.Module)
        defined = {
            n
            for n, v in vars(part).items()
            if inspect.isclass(v) and v.__module__ == part.__name__ and issubclass(v, nn.Module)
        }
        assert {n for n in defined if not n.startswith("_")} - {
            "Elementwise",
            "Plain",
            "Entries",
            "Loss",
            "WeightedLoss",
        } == set(names)  # base classes


def test_the_command_lines_losses_are_in_nn() -> None:
    assert {row.loss.__name__ for row in losses.LOSSES.values()} <= set(nn.__all__)
