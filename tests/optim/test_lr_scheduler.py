"""Learning-rate schedules and clipping against PyTorch."""

from __future__ import annotations

import math
import random
import warnings
from typing import Any

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


# Programs of steps, jumps, rates set by hand, saves and new groups


def random_schedule(r: random.Random) -> tuple[str, dict[str, Any]]:
    gamma = r.choice([0.1, 0.5, 0.9, 2.0])
    options: dict[str, Any] = {
        "StepLR": {"step_size": r.randint(1, 4), "gamma": gamma},
        "MultiStepLR": {"milestones": [r.randint(0, 9) for _ in range(r.randint(0, 4))], "gamma": gamma},
        "ExponentialLR": {"gamma": gamma},
        "CosineAnnealingLR": {"T_max": r.randint(1, 6), "eta_min": r.choice([0.0, 0.01])},
        "LambdaLR": {"lr_lambda": r.choice([lambda e: 1 / (1 + e), lambda e: 0.9**e])},
        "ReduceLROnPlateau": {
            "mode": r.choice(["min", "max"]), "factor": r.choice([0.1, 0.5]), "patience": r.randint(0, 2),
            "threshold": r.choice([1e-4, 0.1]), "threshold_mode": r.choice(["rel", "abs"]),
            "cooldown": r.randint(0, 2), "min_lr": r.choice([0.0, 0.01]), "eps": r.choice([1e-8, 1e-2]),
        },
    }  # fmt: skip
    name = r.choice(list(options))
    return name, options[name]


class Side:
    """An optimizer and its schedules, here or in PyTorch."""

    def __init__(self, library: Any, schedulers: Any, parameter: Any, kinds: list[Any], rates: list[float]) -> None:
        self.library, self.schedulers, self.parameter, self.kinds = library, schedulers, parameter, kinds
        self.optimizer = library.SGD([{"params": [parameter()], "lr": rate} for rate in rates])
        self.schedules = [getattr(schedulers, name)(self.optimizer, **options) for name, options in kinds]

    def take_up(self, by_last_epoch: bool) -> None:
        """A new process: everything made anew, then loaded."""
        saved, places = self.optimizer.state_dict(), [(s.state_dict(), s.last_epoch) for s in self.schedules]
        groups = [{"params": group["params"], "lr": 0.5} for group in self.optimizer.param_groups]
        self.optimizer = self.library.SGD(groups)
        if by_last_epoch:
            self.optimizer.load_state_dict(saved)
        makers = [(getattr(self.schedulers, name), options) for name, options in self.kinds]
        self.schedules = [
            make(
                self.optimizer, **options, **({"last_epoch": epoch} if by_last_epoch and hasattr(s, "base_lrs") else {})
            )
            for (make, options), (_, epoch), s in zip(makers, places, self.schedules, strict=True)
        ]
        if not by_last_epoch:
            self.optimizer.load_state_dict(saved)
            for schedule, (state, _) in zip(self.schedules, places, strict=True):
                schedule.load_state_dict(state)

    def do(self, what: str, i: int, value: Any) -> Any:
        """The error's class, or rates and positions."""
        try:
            if what == "step":
                self.schedules[i].step(*([value] if hasattr(self.schedules[i], "best") else []))
            elif what == "jump" and not hasattr(self.schedules[i], "best"):
                self.schedules[i].step(int(abs(value) * 5))
            elif what == "by hand":
                self.optimizer.param_groups[0]["lr"] = abs(value)
            elif what == "load":
                self.take_up(value > 0)
            elif what == "group":
                self.optimizer.add_param_group({"params": [self.parameter()], "lr": 0.3})
        except Exception as error:
            return type(error)
        last = [schedule.get_last_lr() for schedule in self.schedules]
        return [g["lr"] for g in self.optimizer.param_groups], last, [s.last_epoch for s in self.schedules]


@pytest.mark.parametrize("trials", [400, pytest.param(20_000, marks=pytest.mark.stress)])
def test_programs_give_the_rates_of_pytorch_to_the_last_bit(trials: int) -> None:
    names, weights = ["step", "jump", "by hand", "load", "group"], [12, 2, 2, 2, 1]
    for seed in range(trials):
        r = random.Random(seed)
        rates = [r.choice([0.1, 0.4, 1.0, 0.03]) for _ in range(r.randint(1, 3))]
        kinds = [random_schedule(r) for _ in range(r.randint(1, 3))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's about the order of steps and about jumps
            mine = Side(optim, optim, lambda: nn.Parameter(np.ones(1)), kinds, rates)
            other = Side(torch.optim, torch.optim.lr_scheduler, lambda: torch.nn.Parameter(torch.ones(1)), kinds, rates)
            for what in r.choices(names, weights, k=20):
                i, value = r.randrange(len(kinds)), r.uniform(-2, 2)
                given, expected = mine.do(what, i, value), other.do(what, i, value)
                assert given == expected, (seed, what, kinds[i])
                if isinstance(given, type):
                    break


def test_a_schedule_that_goes_on_needs_the_initial_rate() -> None:
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.4)
    with pytest.raises(KeyError, match="initial_lr.*last_epoch=-1"):
        optim.StepLR(optimizer, 2, last_epoch=5)
    first = optim.StepLR(optimizer, 2)
    for _ in range(3):
        first.step()
    second = optim.StepLR(optimizer, 2, last_epoch=first.last_epoch)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.004)  # epoch 4, a multiple of 2
    assert second.base_lrs == [0.4]


def test_a_group_more_than_the_schedule_knows() -> None:
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.4)
    schedule = optim.LambdaLR(optimizer, lambda epoch: 0.5)
    optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))], "lr": 1.0})
    with pytest.raises(ValueError, match="made for 1 parameter groups and the optimizer has 2"):
        schedule.step()
    assert schedule.last_epoch == 0
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 1.0]


def test_lists_of_least_rates() -> None:
    groups = [{"params": [nn.Parameter(np.ones(1))]} for _ in range(2)]
    optimizer = optim.SGD(groups, lr=0.4)
    schedule = optim.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.3, 0.0])
    for _ in range(2):
        schedule.step(1.0)
    assert schedule.get_last_lr() == pytest.approx([0.3, 0.04])
    with pytest.raises(ValueError, match="1 values of min_lr for 2"):
        optim.ReduceLROnPlateau(optimizer, min_lr=[0.3])
    optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))]})
    with pytest.raises(RuntimeError, match="min_lrs"):
        schedule.step(1.0)


def test_states_of_pytorch_load() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    theirs = torch.optim.lr_scheduler.MultiStepLR(torch.optim.SGD([weight], lr=0.4), [4, 2, 4, 7], 0.5)
    mine = optim.MultiStepLR(optim.SGD([nn.Parameter(np.ones(1))], lr=0.4), [1], 0.1)
    mine.load_state_dict(theirs.state_dict())
    for _ in range(8):
        theirs.optimizer.step()
        theirs.step()
        mine.step()
        assert mine.get_last_lr() == theirs.get_last_lr()


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda o: optim.StepLR(o, 0), ValueError, "step_size must be above 0, got 0"),
        (lambda o: optim.StepLR(o, 1, "a"), TypeError, "gamma must be a number, got 'a'"),
        (lambda o: optim.CosineAnnealingLR(o, 0), ValueError, "T_max must be above 0, got 0"),
        (lambda o: optim.CosineAnnealingLR(o, None), TypeError, "T_max must be a number, got None"),
        (lambda o: optim.ExponentialLR(o, None), TypeError, "gamma must be a number, got None"),
        (lambda o: optim.MultiStepLR(o, "ab"), TypeError, "milestones.* must be a number, got 'a'"),
        (lambda o: optim.LambdaLR(o, 0.9), TypeError, "function of the epoch or a list of them, got 0.9"),
        (lambda o: optim.LambdaLR(o, lambda epoch: None), TypeError, "lr_lambda gives must be a number, got None"),
        (lambda o: optim.ReduceLROnPlateau(o, factor="a"), TypeError, "factor must be a number, got 'a'"),
        (lambda o: optim.StepLR(o, 1).load_state_dict(None), TypeError, "a schedule loads a dictionary"),
        (lambda o: optim.ReduceLROnPlateau(o).step(None), TypeError, "figure .* must be a number, got None"),
    ],
)
def test_options_of_schedules_are_named(make, error, match) -> None:
    with pytest.raises(error, match=match):
        make(optim.SGD([nn.Parameter(np.ones(1))], lr=0.4))


def test_states_of_before_load() -> None:
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.4)
    schedule = optim.StepLR(optimizer, 2)
    schedule.load_state_dict({"last_epoch": 3, "base_lrs": [0.4], "step_size": 2, "gamma": 0.1})
    assert (schedule.last_epoch, schedule.get_last_lr()) == (3, [0.4])
    plateau = optim.ReduceLROnPlateau(optimizer)
    state = {
        k: v
        for k, v in plateau.state_dict().items()
        if k not in ("min_lrs", "default_min_lr", "_last_lr", "last_epoch")
    }
    plateau.load_state_dict({**state, "min_lr": 0.0, "num_bad_epochs": 2})
    assert plateau.num_bad_epochs == 2
    with pytest.raises(ValueError, match="no 'mode'"):
        plateau.load_state_dict({})
    with pytest.raises(ValueError, match="gamma"):
        schedule.load_state_dict({**schedule.state_dict(), "gamma": "0.1"})
