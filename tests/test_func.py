"""A loss as a function of one vector: values, gradients, and what minimisers make of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from comparison import labels, normal
from nnlite import nn
from nnlite.nn import functional as F

X, Y = normal(200, 24).astype(np.float32), normal(200, 2, seed=1).astype(np.float32)
LABELS = labels(200, classes=2)


def loss_of(criterion: Callable[..., Any], target: Any = Y) -> Callable[[Any], Any]:
    x, t = nl.tensor(X), nl.tensor(target)
    return lambda model: criterion(model(x), t)


def reading(model: Any) -> Any:
    loss = F.mse_loss(model(nl.tensor(X)), Y)
    return loss if loss.item() >= 0 else -loss


MODELS: dict[str, Callable[[], nn.Module]] = {
    "tanh": lambda: nn.MLP([24, 8, 2], nn.Tanh),
    "float64": lambda: nn.MLP([24, 8, 2], nn.Tanh).double(),
    "batch norm": lambda: nn.Sequential(nn.Linear(24, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)),
    "prelu": lambda: nn.Sequential(nn.Linear(24, 4), nn.PReLU(4), nn.Linear(4, 2)),
}


@pytest.mark.parametrize("name", MODELS)
def test_recorded_and_eager_calls_have_the_same_bits(name: str) -> None:
    model = MODELS[name]()
    dtype = next(model.parameters()).dtype
    x, y = nl.tensor(X.astype(dtype)), nl.tensor(Y.astype(dtype))
    f = nl.func.value_and_grad(model, lambda model: F.mse_loss(model(x), y))
    model.requires_grad_(True)
    for seed in range(3):
        vector = f.vector() + 0.1 * normal(len(f.vector()), seed=seed)
        value, gradient = f(vector)
        for parameter in model.parameters():
            parameter.grad = None
        loss = F.mse_loss(model(x), y)
        loss.backward()
        assert value == loss.item()
        assert gradient.dtype == np.float64
        np.testing.assert_array_equal(
            gradient, np.concatenate([p.grad.numpy().reshape(-1) for p in model.parameters()])
        )
        np.testing.assert_array_equal(f.vector(), vector.astype(dtype))


def test_gradients_are_pytorchs() -> None:
    ours, theirs = (
        nn.MLP([24, 8, 2], nn.Tanh),
        torch.nn.Sequential(torch.nn.Linear(24, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)),
    )
    ours.load_state_dict(theirs.state_dict())
    value, gradient = nl.func.value_and_grad(ours, loss_of(nn.CrossEntropyLoss(), LABELS))(
        torch.nn.utils.parameters_to_vector(theirs.parameters()).detach().numpy()
    )
    loss = torch.nn.functional.cross_entropy(theirs(torch.from_numpy(X)), torch.from_numpy(LABELS))
    loss.backward()
    assert value == pytest.approx(loss.item(), rel=1e-6)
    expected = np.concatenate([p.grad.numpy().reshape(-1) for p in theirs.parameters()])
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_a_loss_that_reads_values_runs_operation_by_operation() -> None:
    model = nn.MLP([24, 4, 2])
    read, recorded = nl.func.value_and_grad(model, reading), nl.func.value_and_grad(model, loss_of(F.mse_loss))
    vector = read.vector()
    assert read(vector)[0] == recorded(vector)[0]
    np.testing.assert_array_equal(read(vector)[1], recorded(vector)[1])


def test_frozen_parameters_are_left_out_and_unused_ones_have_no_slope() -> None:
    model = nn.Sequential(nn.Linear(24, 3), nn.Linear(3, 2))
    model[0].weight.requires_grad = False
    model.register_parameter("spare", nn.Parameter(np.ones(5, np.float32)))
    frozen = model[0].weight.detach().numpy().copy()
    f = nl.func.value_and_grad(model, loss_of(F.mse_loss))
    assert f.vector().shape == (5 + 3 + 6 + 2,)
    _, gradient = f(f.vector() + 1)
    assert (gradient[:5] == 0).all()
    assert (gradient[5:] != 0).all()
    np.testing.assert_array_equal(model[0].weight.detach().numpy(), frozen)


def test_scipy_minimises() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    model = nn.MLP([24, 8, 2], nn.Tanh).double()
    x, y = nl.tensor(X.astype(np.float64)), nl.tensor(Y.astype(np.float64))
    f = nl.func.value_and_grad(model, lambda model: F.mse_loss(model(x), y))
    before = f(f.vector())[0]
    found = optimize.minimize(f, f.vector(), jac=True, method="L-BFGS-B", options={"maxiter": 50})
    assert found.fun < 0.7 * before
    assert f(found.x)[0] == found.fun
    assert optimize.check_grad(lambda v: f(v)[0], lambda v: f(v)[1], found.x + 0.01) < 1e-5


def test_two_threads_do_not_mix() -> None:
    model = nn.MLP([24, 8, 2])
    f = nl.func.value_and_grad(model, loss_of(F.mse_loss))
    vector, found = f.vector(), []

    def call() -> None:
        for _ in range(200):
            try:
                found.append(f(vector)[0])
            except RuntimeError as error:
                assert "another thread" in str(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda m: nl.func.value_and_grad(m.requires_grad_(False), loss_of(F.mse_loss)), ValueError, "no parameter of the Linear"),
        (lambda m: nl.func.value_and_grad(m, lambda m: 3.0), ValueError, "a Tensor of one number, got 3.0"),
        (lambda m: nl.func.value_and_grad(m, lambda m: m.weight), ValueError, "a Tensor of one number"),
        (lambda m: nl.func.value_and_grad(m, loss_of(F.mse_loss))(np.zeros(3)), ValueError, r"shape \(50,\).*3 elements"),
        (lambda m: nl.func.value_and_grad(m, loss_of(F.mse_loss))(np.zeros((2, 25))), ValueError, r"shape \(50,\).*2 dimensions"),
    ],
)  # fmt: skip
def test_errors_name_the_values(call: Callable[[Any], Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call(nn.Linear(24, 2))


def test_other_data_for_a_parameter_are_noticed() -> None:
    model = nn.Linear(24, 2)
    f = nl.func.value_and_grad(model, loss_of(F.mse_loss))
    vector = f.vector()
    model.weight.data = nl.zeros(2, 24)
    with pytest.raises(RuntimeError, match="call value_and_grad again"):
        f(vector)


def test_hooks_and_second_derivatives_run_operation_by_operation() -> None:
    """A hook that comes later too."""
    model = nn.Linear(2, 1, dtype=np.float64)
    rows = np.array([[1.0, 2.0], [3.0, -1.0]])
    f = nl.func.value_and_grad(model, lambda model: (model(rows) ** 2).sum())
    vector = np.array([0.5, -1.0, 0.25])
    value, gradient = f(vector)
    handle = model.weight.register_hook(lambda g: g * 0.0)
    other, hooked = f(vector)
    handle.remove()
    assert other == value
    assert hooked.tolist() == [0.0, 0.0, gradient[2]]

    def penalty(model: nn.Module) -> nl.Tensor:
        x = nl.tensor(rows, requires_grad=True)
        return (nl.autograd.grad((model(x) ** 2).sum(), x, create_graph=True)[0] ** 2).sum()

    value, gradient = nl.func.value_and_grad(model, penalty)(vector)
    w, residuals = vector[:2], rows @ vector[:2] + vector[2]
    assert value == pytest.approx(4 * (w @ w) * (residuals**2).sum())
    expected = 8 * w * (residuals**2).sum() + 8 * (w @ w) * residuals @ rows
    np.testing.assert_allclose(gradient, [*expected, 8 * (w @ w) * residuals.sum()])
