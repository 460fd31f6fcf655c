"""Random programs of schedules: steps, jumps, rates set by hand, saves and new groups, here and in PyTorch."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from nnlite import nn, optim

Make = Callable[[Any, Any, dict[str, Any]], Any]  # (module of schedules, optimizer, last_epoch or nothing) -> schedule


class Damped:
    """A function of the epoch with a state."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, epoch: float) -> float:
        return float(self.rate**epoch)


def random_options(r: random.Random, groups: int) -> dict[str, Callable[[], dict[str, Any]]]:
    gamma = r.choice([0.1, 0.5, 0.9, 2.0])

    def each(*values: float) -> Any:
        """One value for all groups or a list."""
        return r.choice(values) if r.random() < 0.5 else [r.choice(values) for _ in range(groups)]

    def function() -> Callable[[float], float]:
        return r.choice([lambda e: 1 / (1 + e), lambda e: 0.9**e, Damped(r.choice([0.5, 0.8]))])

    def functions() -> Any:
        return function() if r.random() < 0.5 else [function() for _ in range(groups)]

    def momentum() -> dict[str, Any]:
        return {"cycle_momentum": r.random() < 0.7, "base_momentum": each(0.8, 0.85), "max_momentum": each(0.9, 0.95)}

    return {
        "StepLR": lambda: {"step_size": r.randint(1, 4), "gamma": gamma},
        "MultiStepLR": lambda: {"milestones": [r.randint(0, 9) for _ in range(r.randint(0, 4))], "gamma": gamma},
        "ConstantLR": lambda: {"factor": r.choice([1.0, 0.3]), "total_iters": r.randint(0, 6)},
        "LinearLR": lambda: {
            "start_factor": r.choice([1.0, 0.3, 0.01]), "end_factor": r.choice([1.0, 0.5, 0.0]), "total_iters": r.randint(1, 6),
        },
        "ExponentialLR": lambda: {"gamma": gamma},
        "PolynomialLR": lambda: {"total_iters": r.randint(1, 7), "power": r.choice([1.0, 2, 0.5])},
        "CosineAnnealingLR": lambda: {"T_max": r.randint(1, 6), "eta_min": r.choice([0.0, 0.01])},
        "CosineAnnealingWarmRestarts": lambda: {
            "T_0": r.randint(1, 4), "T_mult": r.randint(1, 3), "eta_min": r.choice([0.0, 0.01]),
        },
        "LambdaLR": lambda: {"lr_lambda": functions()},
        "MultiplicativeLR": lambda: {"lr_lambda": functions()},
        "CyclicLR": lambda: {
            "base_lr": each(0.1, 0.03), "max_lr": each(0.5, 1.0), "step_size_up": r.randint(1, 4),
            "step_size_down": r.choice([None, 2, 5]), "mode": r.choice(["triangular", "triangular2", "exp_range"]), "gamma": 0.9,
            "scale_fn": r.choice([None, None, function()]), "scale_mode": r.choice(["cycle", "iterations"]), **momentum(),
        },
        "OneCycleLR": lambda: {
            "max_lr": each(0.5, 1.0), **r.choice([{"total_steps": 23}, {"epochs": 3, "steps_per_epoch": 4}, {"total_steps": 7}]),
            "pct_start": r.choice([0.3, 0.0, 0.45]), "anneal_strategy": r.choice(["cos", "linear"]),
            "div_factor": r.choice([25.0, 4]), "final_div_factor": r.choice([1e4, 10]), "three_phase": r.random() < 0.4,
            **momentum(),
        },
        "ReduceLROnPlateau": lambda: {
            "mode": r.choice(["min", "max"]), "factor": r.choice([0.1, 0.5]), "patience": r.randint(0, 2),
            "threshold": r.choice([1e-4, 0.1]), "threshold_mode": r.choice(["rel", "abs"]),
            "cooldown": r.randint(0, 2), "min_lr": each(0.0, 0.01), "eps": r.choice([1e-8, 1e-2]),
        },
    }  # fmt: skip


def random_schedule(r: random.Random, groups: int, depth: int = 2) -> tuple[str, Make]:
    """Its description, and a function that makes it in either library."""
    if depth and r.random() < 0.25:
        return random_composition(r, groups, depth)
    kinds = random_options(r, groups)
    if depth < 2:
        del kinds["ReduceLROnPlateau"]
    name = r.choice(list(kinds))
    options = kinds[name]()

    def make(module: Any, optimizer: Any, last: dict[str, Any]) -> Any:
        own = {key: copied(value) for key, value in options.items()}
        return getattr(module, name)(optimizer, **own, **({} if name == "ReduceLROnPlateau" else last))

    return f"{name}({options})", make


def copied(value: Any) -> Any:
    """A copy: a stateful function belongs to one schedule."""
    if isinstance(value, list):
        return [copied(item) for item in value]
    return Damped(value.rate) if isinstance(value, Damped) else value


def random_composition(r: random.Random, groups: int, depth: int) -> tuple[str, Make]:
    count = r.randint(1, 3)
    if r.random() < 0.5:
        parts = [random_schedule(r, groups, depth - 1) for _ in range(count)]
        text = f"Chained({[part for part, _ in parts]})"
        return text, lambda module, optimizer, last: module.ChainedScheduler(
            [make(module, optimizer, last) for _, make in parts], optimizer
        )
    # PyTorch raises NotImplementedError when a composition takes over.
    parts = [random_schedule(r, groups, depth - 1), *(random_schedule(r, groups, 0) for _ in range(count - 1))]
    at = sorted(r.sample(range(1, 9), count - 1))
    return f"Sequential({[part for part, _ in parts]}, {at})", lambda module, optimizer, last: module.SequentialLR(
        optimizer, [make(module, optimizer, last) for _, make in parts], at
    )


class Side:
    """An optimizer and its schedules, here or in PyTorch."""

    def __init__(self, library: Any, name: str, parameter: Any, makers: Sequence[Make], rates: list[float]) -> None:
        self.library, self.name, self.parameter, self.makers = library, name, parameter, makers
        self.optimizer = self.make_optimizer([{"params": [parameter()], "lr": rate} for rate in rates])
        self.schedules = [make(library.lr_scheduler, self.optimizer, {}) for make in makers]

    def make_optimizer(self, groups: list[dict[str, Any]]) -> Any:
        options: dict[str, Any] = {"momentum": 0.5} if self.name == "SGD" else {"betas": (0.7, 0.9)}
        return getattr(self.library, self.name)(groups, **options)

    def reload(self, by_last_epoch: bool) -> None:
        """A new process: everything is rebuilt, then loaded."""
        saved, states = self.optimizer.state_dict(), [schedule.state_dict() for schedule in self.schedules]
        places = [schedule.last_epoch if hasattr(schedule, "base_lrs") else None for schedule in self.schedules]
        by_last_epoch &= None not in places
        groups = [{"params": group["params"], "lr": 0.5} for group in self.optimizer.param_groups]
        self.optimizer = self.make_optimizer(groups)
        if by_last_epoch:
            self.optimizer.load_state_dict(saved)
        last = [{"last_epoch": place} if by_last_epoch else {} for place in places]
        self.schedules = [
            make(self.library.lr_scheduler, self.optimizer, at) for make, at in zip(self.makers, last, strict=True)
        ]
        if not by_last_epoch:
            self.load(saved, states)

    def load(self, saved: Any, states: list[Any]) -> None:
        self.optimizer.load_state_dict(saved)
        for schedule, state in zip(self.schedules, states, strict=True):
            schedule.load_state_dict(state)

    def do(self, what: str, i: int, value: float) -> Any:
        """The class of the error, or the groups' options, the rates and the positions."""
        schedule = self.schedules[i]
        try:
            if what == "step":
                schedule.step(*([value] if hasattr(schedule, "best") else []))
            elif what == "jump" and hasattr(schedule, "base_lrs"):
                schedule.step(int(abs(value) * 5))
            elif what == "by hand":
                self.optimizer.param_groups[0]["lr"] = abs(value)
            elif what == "load":
                self.reload(value > 0)
            elif what == "group":
                self.optimizer.add_param_group({"params": [self.parameter()], "lr": 0.3})
        except Exception as error:
            # For a group without a cycle's options, PyTorch raises a KeyError for the first of them.
            return ValueError if isinstance(error, KeyError) else type(error)
        options = ("lr", "momentum", "betas", "initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum")
        groups = [[group.get(name) for name in options] for group in self.optimizer.param_groups]
        assert self.name == "SGD" or all(isinstance(group["betas"], tuple) for group in self.optimizer.param_groups)
        places = [getattr(schedule, "last_epoch", None) for schedule in self.schedules]
        return groups, [schedule.get_last_lr() for schedule in self.schedules], places


def without_tensors(state: dict[str, Any]) -> dict[str, Any]:
    """Only an optimizer's groups, for the other library."""
    return {**state, "state": {}}


@pytest.mark.parametrize("trials", [600, pytest.param(30_000, marks=pytest.mark.stress)])
def test_rates_match_pytorch_to_the_last_bit(trials: int) -> None:
    names, weights = ["step", "jump", "by hand", "load", "group", "exchange"], [14, 2, 2, 2, 1, 1]
    for seed in range(trials):
        r = random.Random(seed)
        name = r.choice(["SGD", "Adam"])
        rates = [r.choice([0.1, 0.4, 1.0, 0.03]) for _ in range(r.randint(1, 3))]
        kinds, makers = zip(*(random_schedule(r, len(rates)) for _ in range(r.randint(1, 3))), strict=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns about the order of steps and about jumps
            mine = Side(optim, name, lambda: nn.Parameter(np.ones(1)), makers, rates)
            other = Side(torch.optim, name, lambda: torch.nn.Parameter(torch.ones(1)), makers, rates)
            for what in r.choices(names, weights, k=20):
                i, value = r.randrange(len(kinds)), r.uniform(-2, 2)
                if what == "exchange":
                    states = [(s.optimizer.state_dict(), [x.state_dict() for x in s.schedules]) for s in (mine, other)]
                    mine.load(without_tensors(states[1][0]), states[1][1])
                    other.load(without_tensors(states[0][0]), states[0][1])
                given, expected = mine.do(what, i, value), other.do(what, i, value)
                assert given == expected, (seed, what, kinds[i])
                if isinstance(given, type):
                    break
