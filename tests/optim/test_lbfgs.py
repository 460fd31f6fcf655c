"""L-BFGS takes the same steps as PyTorch's."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, optim

X = np.random.default_rng(0).standard_normal((60, 4))
CLASSES = (X @ [1.0, -2.0, 0.5, 0.1] + 0.5 * np.random.default_rng(1).standard_normal(60) > 0).astype(np.int64)

Problem = tuple[Any, Callable[[], Any]]  # parameters and the loss


def rosenbrock(library: Any, size: int = 2) -> Problem:
    start = np.tile([-1.2, 1.0], size // 2)
    x = nn.Parameter(nl.tensor(start)) if library is nl else torch.nn.Parameter(torch.tensor(start))
    return [x], lambda: ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum()


def logistic(library: Any) -> Problem:
    module = nn if library is nl else torch.nn
    model = module.Linear(4, 2).double()
    model.load_state_dict({"weight": torch.zeros(2, 4), "bias": torch.zeros(2)})
    tensor = nl.tensor if library is nl else torch.tensor
    loss = module.CrossEntropyLoss()
    return list(model.parameters()), lambda: loss(model(tensor(X)), tensor(CLASSES)) + 1e-3 * (model.weight**2).sum()


def network(library: Any) -> Problem:
    module = nn if library is nl else torch.nn
    model = module.Sequential(module.Linear(4, 6), module.Tanh(), module.Linear(6, 1)).double()
    r = np.random.default_rng(5)
    model.load_state_dict({k: torch.tensor(0.5 * r.standard_normal(v.shape)) for k, v in model.state_dict().items()})
    tensor = nl.tensor if library is nl else torch.tensor
    y = np.sin(X.sum(1, keepdims=True))
    return list(model.parameters()), lambda: module.MSELoss()(model(tensor(X)), tensor(y))


def quadratic(library: Any) -> Problem:
    """A large problem, with a scalar parameter and one without a gradient."""
    starts = [np.linspace(-1, 1, 300).reshape(20, 15), np.asarray(2.0), np.ones(3)]
    make = (lambda a: nn.Parameter(nl.tensor(a))) if library is nl else (lambda a: torch.nn.Parameter(torch.tensor(a)))
    a, b, c = map(make, starts)
    scale = np.linspace(1, 50, 300).reshape(20, 15)
    scales = nl.tensor(scale) if library is nl else torch.tensor(scale)
    return [a, b, c], lambda: (scales * (a - b) ** 2).sum() + (b - 1) ** 2


PROBLEMS = {"rosenbrock": rosenbrock, "rosenbrock of 10": lambda library: rosenbrock(library, 10), "logistic": logistic,
            "network": network, "quadratic": quadratic}  # fmt: skip
OPTIONS: list[dict[str, Any]] = [
    {"line_search_fn": "strong_wolfe"},
    {"lr": 0.01},
    {"line_search_fn": "strong_wolfe", "history_size": 3, "max_iter": 7},
    {"line_search_fn": "strong_wolfe", "lr": 0.1, "max_eval": 6},
    {"lr": 0.002, "history_size": 2, "max_iter": 5, "max_eval": 4},
    {"line_search_fn": "strong_wolfe", "tolerance_grad": 1e-2, "tolerance_change": 1e-4},
    {"lr": 0.01, "tolerance_grad": 0.5, "tolerance_change": 1e-3},
]


class Run:
    """A problem with its optimizer, here or in PyTorch."""

    def __init__(self, library: Any, problem: str, options: dict[str, Any]) -> None:
        self.library = library
        self.parameters, self.loss = PROBLEMS[problem](library)
        self.optimizer = library.optim.LBFGS(self.parameters, **options)
        self.losses: list[float] = []

    def closure(self) -> Any:
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        self.losses.append(loss.item())
        return loss

    def step(self) -> tuple[float, int, int]:
        loss = self.optimizer.step(self.closure).item()
        state = self.optimizer.state_dict()["state"].get(0, {})
        return loss, state["n_iter"], state["func_evals"]

    def weights(self) -> np.ndarray:
        return np.concatenate([parameter.detach().numpy().ravel() for parameter in self.parameters])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_trajectory_matches_pytorch(problem: str, options: dict[str, Any]) -> None:
    """As close as PyTorch comes to itself from a start that differs in the last bit: each step amplifies rounding errors."""
    mine, other, beside = Run(nl, problem, options), Run(torch, problem, options), Run(torch, problem, options)
    with torch.no_grad():
        for parameter in beside.parameters:
            parameter.mul_(1 + 2.3e-16).add_(1e-16)
    for _ in range(4):
        given, expected, _ = mine.step(), other.step(), beside.step()
        assert given[1:] == expected[1:], "iterations and evaluations"
    np.testing.assert_allclose(mine.losses[:4], other.losses[:4], rtol=1e-12)

    def distance(a: Run, b: Run) -> float:
        return float(np.abs(a.weights() - b.weights()).max())

    assert distance(mine, other) <= 30 * distance(beside, other) + 1e-13


def test_it_finds_the_minimum() -> None:
    run = Run(nl, "rosenbrock of 10", {"line_search_fn": "strong_wolfe", "max_iter": 200})
    run.step()
    np.testing.assert_allclose(run.weights(), 1, rtol=1e-6)
    assert len(run.losses) < 120


def test_float32() -> None:
    nl.manual_seed(0)
    model = nn.MLP([4, 8, 2])
    optimizer = optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")
    x, y, losses = nl.tensor(X, dtype="float32"), CLASSES, []

    def closure() -> nl.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        losses.append(loss.item())
        return loss

    for _ in range(5):
        optimizer.step(closure)
    assert losses[-1] < 0.05 < 0.5 < losses[0]
    model.double()
    x = x.double()
    optimizer.step(closure)
    assert losses[-1] < 0.05


# States


def with_tensors(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.tensor(value)
    if isinstance(value, dict):
        return {key: with_tensors(item) for key, item in value.items()}
    return [with_tensors(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("options", OPTIONS[1:4], ids=str)
@pytest.mark.parametrize("problem", ["network", "quadratic"])
def test_states_are_exchanged_with_pytorch(problem: str, options: dict[str, Any]) -> None:
    options = {**options, "max_iter": 6}  # few enough for rounding errors to stay small
    mine, other = Run(nl, problem, options), Run(torch, problem, options)
    for run in (mine, other):
        run.step()
        run.step()
    ours, theirs = mine.optimizer.state_dict(), other.optimizer.state_dict()
    assert set(theirs["state"][0]) - set(ours["state"][0]) <= {"al"}  # room for numbers of one step
    assert ours["param_groups"] == theirs["param_groups"]
    mine.optimizer.load_state_dict(theirs)
    other.optimizer.load_state_dict(with_tensors(ours))
    assert mine.step()[1:] == other.step()[1:], "iterations and evaluations"
    assert type(mine.optimizer.state_dict()["state"][0]["n_iter"]) is int
    np.testing.assert_allclose(mine.losses, other.losses, rtol=1e-8)
    np.testing.assert_allclose(mine.weights(), other.weights(), rtol=1e-8, atol=1e-10)
    fresh = Run(nl, problem, options)  # without the state, the steps differ
    for own, weights in zip(fresh.parameters, mine.parameters, strict=True):
        own.detach().copy_(weights.detach())
    fresh.step()
    mine.step()
    assert np.abs(fresh.weights() - mine.weights()).max() > 1e-6


def test_a_state_continues_to_the_last_bit() -> None:
    run, again = (Run(nl, "network", {"line_search_fn": "strong_wolfe", "history_size": 4}) for _ in range(2))
    run.step()
    run.step()
    for mine, other in zip(again.parameters, run.parameters, strict=True):
        mine.detach().copy_(other.detach())
    again.optimizer.load_state_dict(run.optimizer.state_dict())
    for each in (run, again):
        each.step()
        each.step()
    assert (run.weights() == again.weights()).all()


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"d": np.zeros(2)}, ValueError, r"d of LBFGS has shape \(2,\)"),
        ({"ro": [1.0, "a"]}, TypeError, "ro must be a number"),
        ({"ro": [1.0]}, ValueError, "lists of equal length"),
        ({"n_iter": None, "t": "x"}, TypeError, "t must be a number"),
    ],
)
def test_states_that_do_not_fit_change_nothing(change: dict[str, Any], error: Any, match: str) -> None:
    run = Run(nl, "network", {})
    run.step()
    run.step()
    state = run.optimizer.state_dict()
    before = json.dumps(state, default=np.ndarray.tolist)
    with pytest.raises(error, match=match):
        run.optimizer.load_state_dict({**state, "state": {0: {**state["state"][0], **change}}})
    assert json.dumps(run.optimizer.state_dict(), default=np.ndarray.tolist) == before


# Failures


def test_a_step_that_fails_changes_nothing() -> None:
    run = Run(nl, "network", {"line_search_fn": "strong_wolfe"})
    run.step()
    before, state = run.weights(), json.dumps(run.optimizer.state_dict(), default=np.ndarray.tolist)
    at = len(run.losses) + 5

    def closure() -> Any:
        if len(run.losses) == at:
            raise KeyboardInterrupt
        return run.closure()

    with pytest.raises(KeyboardInterrupt):
        run.optimizer.step(closure)
    assert (run.weights() == before).all()
    assert json.dumps(run.optimizer.state_dict(), default=np.ndarray.tolist) == state


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"lr": -1}, ValueError, "lr must not be negative, got -1"),
        ({"history_size": 0}, ValueError, "history_size must be at least 1, got 0"),
        ({"tolerance_grad": "a"}, TypeError, "tolerance_grad must be a number, got 'a'"),
        ({"line_search_fn": "armijo"}, ValueError, "None or 'strong_wolfe', got 'armijo'"),
    ],
)
def test_options_are_checked(options: dict[str, Any], error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        optim.LBFGS([nn.Parameter(np.ones(1))], **options)


def test_requirements() -> None:
    optimizer = optim.LBFGS([nn.Parameter(np.ones(1))])
    with pytest.raises(TypeError, match="pass step\\(\\) a closure"):
        optimizer.step()
    with pytest.raises(ValueError, match="one parameter group"):
        optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))]})


CODE = """
import nnlite as nl
from nnlite import nn, optim
nl.manual_seed(1)
model = nn.MLP([30, 40, 3])
optimizer = optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")
x, y = nl.Generator(2).normal((200, 30)), nl.Generator(3).permutation(200) % 3
def closure():
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    return loss
for _ in range(3):
    optimizer.step(closure)
print(model.fingerprint())
"""


def test_the_same_bits_for_every_blas_instruction_set_and_thread_count(run_python: Callable[..., str]) -> None:
    isas = nl.show_config()["available_isas"]
    blas = ["Nehalem", "Haswell", "SkylakeX"] if platform.machine() == "x86_64" else ["ARMV8", "NEOVERSEN1", "THUNDERX"]
    found = {
        run_python(CODE, OPENBLAS_CORETYPE=core, NNLITE_ISA=isas[i % len(isas)], NNLITE_NUM_THREADS=str(i + 1))
        for i, core in enumerate(blas)
    }
    assert len(found) == 1
