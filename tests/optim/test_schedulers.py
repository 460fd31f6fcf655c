"""Learning-rate schedules and clipping against PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import nnlite as nl
from comparison import normal
from nnlite import nn, optim

SCHEDULES = {
    "StepLR": {"step_size": 3, "gamma": 0.5}, "MultiStepLR": {"milestones": [2, 5], "gamma": 0.1}, "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingLR": {"T_max": 8, "eta_min": 0.01}, "LambdaLR": {"lr_lambda": lambda e: 1 / (1 + e)},
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name: str) -> None:
    ours = optim.SGD([nn.Parameter(np.ones(1))], lr=0.4)
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.4)
    mine = getattr(optim, name)(ours, **SCHEDULES[name])
    other = getattr(torch.optim.lr_scheduler, name)(theirs, **SCHEDULES[name])
    for _ in range(8):
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9)
        theirs.step()
        mine.step()
        other.step()
    again = getattr(optim, name)(ours, **SCHEDULES[name])
    again.load_state_dict(mine.state_dict())
    assert again.last_epoch == 8


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patience": 1},
        {"mode": "max", "patience": 0, "factor": 0.5},
        {"patience": 1, "cooldown": 2, "threshold_mode": "abs", "threshold": 0.1},
    ],
    ids=str,
)
def test_reduce_on_plateau(options: dict) -> None:
    ours = optim.SGD([nn.Parameter(np.ones(1))], lr=0.4)
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.4)
    mine, other = (
        optim.ReduceLROnPlateau(ours, **options),
        torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options),
    )
    for figure in [
        1.0,
        0.9,
        0.95,
        0.9,
        0.91,
        0.92,
        0.5,
        0.6,
        0.6,
        0.6,
        0.6,
        0.61,
        0.62,
        0.63,
        0.64,
        0.65,
        0.66,
        0.67,
        0.7,
        0.7,
    ]:
        mine.step(figure)
        other.step(figure)
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"])


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clip_grad_norm(limit: float, norm: float) -> None:
    ours, theirs = [nn.Parameter(normal(3, 2)), nn.Parameter(normal(4))], []
    for p in ours:
        g = normal(*p.shape, seed=5)
        p.grad = nl.tensor(g)
        theirs.append(torch.nn.Parameter(torch.tensor(p.detach().numpy())))
        theirs[-1].grad = torch.tensor(g)
    expected = torch.nn.utils.clip_grad_norm_(theirs, limit, norm)
    assert optim.clip_grad_norm_(ours, limit, norm) == pytest.approx(float(expected))
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-12)


def test_clip_refuses_what_is_not_finite() -> None:
    p = nn.Parameter(np.ones(2))
    p.grad = nl.tensor(np.array([np.inf, 1.0]))
    with pytest.raises(RuntimeError, match="inf"):
        optim.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    p.grad = nl.tensor(np.array([3.0, -3.0]))
    optim.clip_grad_value_(p, 1.0)
    assert p.grad.tolist() == [1.0, -1.0]
