"""Ten steps of SGD against PyTorch, for every combination of options."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import nnlite as nl
from comparison import normal
from nnlite import nn, optim

COMBINATIONS = [
    c for c in itertools.product([0.0, 0.9], [0.0, 0.3], [0.0, 0.01], [False, True], [False, True])
    if not (c[3] and (c[0] == 0 or c[1] != 0))
]  # fmt: skip


def run_both(
    steps: int, dtype: type, **options
) -> tuple[list[np.ndarray], list[np.ndarray], optim.SGD, torch.optim.SGD]:
    start = [normal(3, 4).astype(dtype), normal(5, seed=1).astype(dtype)]
    ours = [nn.Parameter(a) for a in start]
    theirs = [torch.nn.Parameter(torch.tensor(a)) for a in start]
    mine, other = optim.SGD(ours, **options), torch.optim.SGD(theirs, **options)
    for step in range(steps):
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            g = normal(*p.shape, seed=10 * step + i).astype(dtype)
            p.grad, q.grad = nl.tensor(g), torch.tensor(g)
        mine.step()
        other.step()
    return [p.detach().numpy() for p in ours], [q.detach().numpy() for q in theirs], mine, other


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("momentum", "dampening", "weight_decay", "nesterov", "maximize"), COMBINATIONS)
def test_ten_steps(
    momentum: float, dampening: float, weight_decay: float, nesterov: bool, maximize: bool, dtype: type
) -> None:
    ours, theirs, mine, other = run_both(
        10,
        dtype,
        lr=0.1,
        momentum=momentum,
        dampening=dampening,
        weight_decay=weight_decay,
        nesterov=nesterov,
        maximize=maximize,
    )
    tolerance = 1e-6 if dtype is np.float32 else 1e-14
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())
    state, expected = mine.state_dict(), other.state_dict()
    assert state["param_groups"][0]["params"] == expected["param_groups"][0]["params"]
    for index, entry in expected["state"].items():
        if entry.get("momentum_buffer") is not None:
            np.testing.assert_allclose(
                state["state"][index]["momentum_buffer"], entry["momentum_buffer"], rtol=1e-4, atol=1e-5
            )


def test_state_moves_between_optimizers() -> None:
    _, _, mine, other = run_both(3, np.float64, lr=0.1, momentum=0.9)
    for state in (mine.state_dict(), other.state_dict()):
        params = [nn.Parameter(np.zeros((3, 4))), nn.Parameter(np.zeros(5))]
        fresh = optim.SGD(params, lr=0.5, momentum=0.9)
        fresh.load_state_dict(state)
        assert fresh.param_groups[0]["lr"] == 0.1
        np.testing.assert_allclose(
            fresh.state_dict()["state"][1]["momentum_buffer"], other.state_dict()["state"][1]["momentum_buffer"]
        )
    with pytest.raises(ValueError, match=r"\[2\].*\[1\]"):
        optim.SGD([nn.Parameter(np.zeros(5))], lr=0.1).load_state_dict(mine.state_dict())


def test_groups_have_their_own_options() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = optim.SGD([{"params": model[0].parameters(), "lr": 0.0}, {"params": model[1].parameters()}], lr=0.1)
    before = model.state_dict()
    model(np.ones((3, 2))).sum().backward()
    optimizer.step()
    after = model.state_dict()
    assert np.array_equal(before["0.weight"], after["0.weight"])
    assert not np.array_equal(before["1.weight"], after["1.weight"])
    optimizer.param_groups[0]["lr"] = 0.1
    optimizer.step()
    assert not np.array_equal(before["0.weight"], model.state_dict()["0.weight"])


def test_parameters_without_gradient_are_unchanged() -> None:
    a, b = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))
    optimizer = optim.SGD([a, b], lr=1, weight_decay=0.5)
    a.grad = nl.tensor(np.zeros(2))
    optimizer.step()
    assert a.tolist() == [0.5, 0.5]
    assert b.tolist() == [1, 1]
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert a.grad is None


def test_closure() -> None:
    p = nn.Parameter(np.array([1.0]))
    optimizer = optim.SGD([p], lr=0.1)

    def closure() -> nl.Tensor:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1.0
    assert p.item() == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"lr": -1}, "lr"), ({"momentum": -0.1}, "momentum"), ({"weight_decay": -1}, "weight_decay"), ({"nesterov": True}, "nesterov"),
     ({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "nesterov"), ({"lr": float("nan")}, "lr")],
)  # fmt: skip
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        optim.SGD([nn.Parameter(np.ones(1))], **options)


def test_bad_parameters() -> None:
    p = nn.Parameter(np.ones(1))
    with pytest.raises(ValueError, match="empty"):
        optim.SGD([])
    with pytest.raises(TypeError, match="iterable"):
        optim.SGD(p)
    with pytest.raises(TypeError, match="str"):
        optim.SGD(["a"])
    with pytest.raises(ValueError, match="more than once"):
        optim.SGD([p, p])
    with pytest.raises(ValueError, match="leaf"):
        optim.SGD([p * 2])
