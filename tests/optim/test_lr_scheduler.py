"""Errors, states and side effects of schedules; for their rates see test_schedule_programs.py."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from nnlite import nn, optim
from nnlite.optim import lr_scheduler

MAKERS: dict[str, Any] = {
    "StepLR": lambda o, m: m.StepLR(o, 3), "MultiStepLR": lambda o, m: m.MultiStepLR(o, [2, 5, 2]),
    "ConstantLR": lambda o, m: m.ConstantLR(o), "LinearLR": lambda o, m: m.LinearLR(o),
    "ExponentialLR": lambda o, m: m.ExponentialLR(o, 0.9), "PolynomialLR": lambda o, m: m.PolynomialLR(o),
    "CosineAnnealingLR": lambda o, m: m.CosineAnnealingLR(o, 8), "CyclicLR": lambda o, m: m.CyclicLR(o, 0.1, 0.5, 3),
    "CosineAnnealingWarmRestarts": lambda o, m: m.CosineAnnealingWarmRestarts(o, 2, 2),
    "OneCycleLR": lambda o, m: m.OneCycleLR(o, 0.5, 20), "LambdaLR": lambda o, m: m.LambdaLR(o, lambda e: 0.9**e),
    "MultiplicativeLR": lambda o, m: m.MultiplicativeLR(o, lambda e: 0.9), "ReduceLROnPlateau": lambda o, m: m.ReduceLROnPlateau(o),
    "SequentialLR": lambda o, m: m.SequentialLR(o, [m.LinearLR(o), m.StepLR(o, 2)], [4]),
    "ChainedScheduler": lambda o, m: m.ChainedScheduler([m.LinearLR(o), m.StepLR(o, 2)], o),
}  # fmt: skip
FOR_PYTORCH_ALONE = {"_get_lr_called_within_step", "_scale_fn_ref", "mode_worse"}  # recomputed when needed


def make_optimizer(lr: float = 0.4) -> optim.SGD:
    return optim.SGD([nn.Parameter(np.ones(1))], lr=lr)


def test_every_schedule_of_pytorch_exists() -> None:
    assert set(lr_scheduler.__all__) == set(torch.optim.lr_scheduler.__all__)
    assert set(MAKERS) == set(lr_scheduler.__all__) - {"LRScheduler"}


@pytest.mark.parametrize("name", MAKERS)
def test_the_keys_of_the_state_match_pytorch(name: str) -> None:
    theirs = MAKERS[name](torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.4), torch.optim.lr_scheduler)
    mine = MAKERS[name](make_optimizer(), lr_scheduler)
    assert set(mine.state_dict()) == set(theirs.state_dict()) - FOR_PYTORCH_ALONE


@pytest.mark.parametrize("name", MAKERS)
def test_states_survive_json(name: str) -> None:
    figure = [1.0] if name == "ReduceLROnPlateau" else []
    first, second = make_optimizer(), make_optimizer()
    schedule, again = MAKERS[name](first, lr_scheduler), MAKERS[name](second, lr_scheduler)
    for _ in range(3):
        schedule.step(*figure)
    second.load_state_dict(first.state_dict())
    again.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
    for _ in range(9):
        schedule.step(*figure)
        again.step(*figure)
        assert first.param_groups[0]["lr"] == second.param_groups[0]["lr"]
        assert first.param_groups[0]["momentum"] == second.param_groups[0]["momentum"]
        assert again.last_epoch == schedule.last_epoch if name != "ChainedScheduler" else True


def test_a_resumed_schedule_needs_the_initial_rate() -> None:
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.4)
    with pytest.raises(KeyError, match="initial_lr.*last_epoch=-1"):
        optim.StepLR(optimizer, 2, last_epoch=5)
    first = optim.StepLR(optimizer, 2)
    for _ in range(3):
        first.step()
    second = optim.StepLR(optimizer, 2, last_epoch=first.last_epoch)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.004)  # epoch 4, a multiple of 2
    assert second.base_lrs == [0.4]


def test_a_group_added_after_the_schedule() -> None:
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.4)
    schedule = optim.LambdaLR(optimizer, lambda epoch: 0.5)
    optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))], "lr": 1.0})
    with pytest.raises(ValueError, match="made for 1 parameter groups but the optimizer has 2"):
        schedule.step()
    assert schedule.last_epoch == 0
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 1.0]


def test_lists_of_minimum_rates() -> None:
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


def test_a_custom_schedule() -> None:
    class Warm(optim.LRScheduler):
        """Written as for PyTorch."""

        def __init__(self, optimizer: optim.Optimizer, steps: int, last_epoch: int = -1) -> None:
            self.steps, self.peak = steps, None
            super().__init__(optimizer, last_epoch)

        def get_lr(self) -> list[float]:
            self.peak = max(self.base_lrs)
            return [base * min(1.0, (self.last_epoch + 1) / self.steps) for base in self.base_lrs]

        def step(self, epoch: int | None = None) -> None:
            self.noted = getattr(self, "noted", 0) + 1
            super().step(epoch)

    optimizer = make_optimizer()
    schedule = Warm(optimizer, 4)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(4):
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [0.1, 0.2, 0.4 * 0.75, 0.4, 0.4]
    again = Warm(make_optimizer(), 4)
    again.load_state_dict(schedule.state_dict())
    assert (again.last_epoch, again.peak, again.noted) == (4, 0.4, 5)


class Damped:
    """A function of the epoch with a state."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, epoch: float) -> float:
        return float(self.rate**epoch)


@pytest.mark.parametrize("make", [
    lambda o, m, f: m.LambdaLR(o, f), lambda o, m, f: m.MultiplicativeLR(o, [f]), lambda o, m, f: m.CyclicLR(o, 0.1, 0.5, 2, scale_fn=f),
])  # fmt: skip
def test_the_state_of_a_callable_object_is_saved_with_the_schedule(make: Any) -> None:
    theirs = make(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.4), torch.optim.lr_scheduler, Damped(0.5))
    optimizer = make_optimizer()
    first, again = make(optimizer, lr_scheduler, Damped(0.5)), make(make_optimizer(), lr_scheduler, Damped(0.9))
    again.load_state_dict(first.state_dict())
    other = make(make_optimizer(), lr_scheduler, Damped(0.9))
    other.load_state_dict(theirs.state_dict())
    for schedule in (again, other):  # a MultiplicativeLR continues from the current rates
        schedule.optimizer.load_state_dict(optimizer.state_dict())
    for _ in range(3):
        first.step()
        again.step()
        other.step()
    assert first.get_last_lr() == again.get_last_lr()
    assert first.get_last_lr() == other.get_last_lr()


def test_a_state_cannot_replace_a_method() -> None:
    schedule = lr_scheduler.StepLR(make_optimizer(), 2)
    schedule.load_state_dict({**schedule.state_dict(), "step": 3, "get_lr": 4, "optimizer": 5})
    schedule.step()
    assert schedule.last_epoch == 1


def test_the_interval() -> None:
    optimizer = make_optimizer()
    batch = lr_scheduler.OneCycleLR(optimizer, 0.5, 20)
    epoch = lr_scheduler.ExponentialLR(optimizer, 0.9)
    assert (epoch.interval, batch.interval) == ("epoch", "batch")
    assert lr_scheduler.ChainedScheduler([epoch, batch]).interval == "batch"
    assert lr_scheduler.SequentialLR(optimizer, [epoch, lr_scheduler.StepLR(optimizer, 2)], [3]).interval == "epoch"
    epoch.interval = "batch"
    assert lr_scheduler.SequentialLR(optimizer, [epoch, lr_scheduler.StepLR(optimizer, 2)], [3]).interval == "batch"
    assert "interval" not in "".join(epoch.state_dict())
    with pytest.raises(ValueError, match="must be 'epoch' or 'batch', got 'step'"):
        epoch.interval = "step"
    with pytest.raises(ValueError, match="of a ReduceLROnPlateau must be 'epoch', got 'batch'"):
        lr_scheduler.ReduceLROnPlateau(optimizer).interval = "batch"


def test_a_failing_step_changes_nothing() -> None:
    def fail(epoch: int) -> float:
        if epoch == 2:
            raise RuntimeError("mine")
        return 0.5

    optimizer = make_optimizer()
    schedule = lr_scheduler.LambdaLR(optimizer, fail)
    schedule.step()
    before = schedule.state_dict(), optimizer.param_groups[0]["lr"]
    with pytest.raises(RuntimeError, match="mine"):
        schedule.step()
    assert (schedule.state_dict(), optimizer.param_groups[0]["lr"]) == before


def test_where_pytorch_divides_by_zero() -> None:
    optimizer = make_optimizer()
    rest = lr_scheduler.ConstantLR(optimizer, 0.0, total_iters=2)
    assert optimizer.param_groups[0]["lr"] == 0
    rest.step()
    rest.step()
    assert optimizer.param_groups[0]["lr"] == 0.4
    lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=10, pct_start=0.1)  # a rise of zero steps
    assert optimizer.param_groups[0]["lr"] == 0.5


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
        (lambda o: optim.LambdaLR(o, lambda epoch: None), TypeError, "the value of lr_lambda must be a number, got None"),
        (lambda o: optim.ReduceLROnPlateau(o, factor="a"), TypeError, "factor must be a number, got 'a'"),
        (lambda o: optim.ConstantLR(o, 1.5), ValueError, "factor must lie between 0 and 1, got 1.5"),
        (lambda o: optim.LinearLR(o, 0), ValueError, "start_factor must be above 0 .* got 0 and 1.0"),
        (lambda o: optim.PolynomialLR(o, "a"), TypeError, "total_iters must be a number, got 'a'"),
        (lambda o: optim.MultiplicativeLR(o, [len, len]), ValueError, "got 2 functions for 1 parameter groups"),
        (lambda o: optim.CosineAnnealingWarmRestarts(o, 2.5), ValueError, "T_0 must be an integer .* got 2.5"),
        (lambda o: optim.CosineAnnealingWarmRestarts(o, 2).step(-1), ValueError, "epoch must not be negative, got -1"),
        (lambda o: optim.OneCycleLR(o, 0.1), ValueError, "needs total_steps, or epochs and steps_per_epoch"),
        (lambda o: optim.OneCycleLR(o, 0.1, 0), ValueError, "total_steps must be an integer above 0, got 0"),
        (lambda o: optim.OneCycleLR(o, 0.1, 9, pct_start=30), ValueError, "pct_start must be a float .* got 30"),
        (lambda o: optim.OneCycleLR(o, [0.1, 0.2], 9), ValueError, "got 2 values of max_lr for 1 parameter groups"),
        (lambda o: [optim.OneCycleLR(o, 0.1, 1).step() for _ in range(2)] and optim.OneCycleLR(o, 0.1, 1).step(2), ValueError,
         "total_steps=1 cannot take step 2"),
        (lambda o: optim.CyclicLR(o, 0.1, 0.2, 0), ValueError, "step_size_up must be above 0, got 0"),
        (lambda o: optim.CyclicLR(o, 0.1, 0.2, mode="square"), ValueError, "mode must be 'triangular', .* got 'square'"),
        (lambda o: optim.SequentialLR(o, [], []), ValueError, "needs a list of at least one schedule"),
        (lambda o: optim.SequentialLR(o, [optim.StepLR(o, 1)], [3]), ValueError, "got 1 for 1"),
        (lambda o: optim.ChainedScheduler([3]), TypeError, "schedule 0 must be a schedule of an optimizer, got int"),
        (lambda o: optim.ChainedScheduler([optim.ReduceLROnPlateau(o)]), ValueError, "schedule 0 is a ReduceLROnPlateau"),
        (lambda o: optim.ChainedScheduler([optim.StepLR(o, 1), optim.StepLR(make_optimizer(), 1)]), ValueError,
         "schedule 1, a StepLR, belongs to another optimizer"),
        (lambda o: optim.ChainedScheduler([optim.StepLR(o, 1)]).load_state_dict({}), ValueError, "a list of 1 states"),
        (lambda o: optim.StepLR(o, 1).load_state_dict(None), TypeError, "a schedule loads a dictionary"),
        (lambda o: optim.ReduceLROnPlateau(o).step(None), TypeError, "metric .* must be a number, got None"),
    ],
)  # fmt: skip
def test_options_of_schedules_are_named(make, error, match) -> None:
    with pytest.raises(error, match=match):
        make(optim.SGD([nn.Parameter(np.ones(1))], lr=0.4))


def test_old_states_load() -> None:
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
