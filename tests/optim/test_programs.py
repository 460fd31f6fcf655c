"""Random programs of steps, edited groups, saves and loads: the weights match PyTorch's."""

from __future__ import annotations

import copy
import random
import warnings
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, optim

COUNT = 5  # parameters, in groups or not


class Side:
    """An optimizer with given initial parameters, here or in PyTorch; edits name parameters by number."""

    def __init__(self, library: Any, parameters: list[Any], tensor: Any, groups: list[dict[str, Any]]) -> None:
        self.library, self.parameters, self.tensor = library, parameters, tensor
        chosen = [{**group, "params": [parameters[i] for i in group["params"]]} for group in groups]
        self.optimizer = library.SGD(chosen)

    @property
    def groups(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups

    def free(self) -> list[int]:
        held = {id(p) for group in self.groups for p in group["params"]}
        return [i for i, p in enumerate(self.parameters) if id(p) not in held]

    def step(self, gradients: list[Any]) -> None:
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = None if gradient is None else self.tensor(gradient)
        self.optimizer.step()

    def remove(self, group: int, place: int) -> None:
        self.groups[group]["params"].pop(place)

    def move(self, group: int, other: int) -> None:
        self.groups[other]["params"].append(self.groups[group]["params"].pop(0))

    def add(self, group: int, number: int) -> None:
        self.groups[group]["params"] = [*self.groups[group]["params"], self.parameters[number]]

    def new_group(self, number: int, options: dict[str, Any]) -> None:
        self.optimizer.add_param_group({"params": [self.parameters[number]], **options})

    def set(self, group: int, name: str, value: Any) -> None:
        if name != "momentum" or value > 0 or not self.groups[group]["nesterov"]:
            self.groups[group][name] = value

    def load(self, state: Any) -> None:
        self.optimizer = self.library.SGD([{"params": list(group["params"]), "lr": 0.7} for group in self.groups])
        self.optimizer.load_state_dict(state)


def random_options(r: random.Random) -> dict[str, Any]:
    momentum, dampening = r.choice([0, 0.5, 0.9]), r.choice([0, 0.1])
    nesterov = momentum > 0 and dampening == 0 and r.random() < 0.5
    return {
        "lr": r.choice([0.1, 0.01]), "momentum": momentum, "dampening": dampening, "nesterov": nesterov,
        "weight_decay": r.choice([0, 0.1]), "maximize": r.random() < 0.3,
    }  # fmt: skip


def random_edit(r: random.Random, side: Side) -> tuple[Any, ...]:
    """The name of a method of Side, and its arguments."""
    group, free = r.randrange(len(side.groups)), side.free()
    what = r.choice(["set", "remove", "move", "add", "new_group"])
    if what == "remove" and side.groups[group]["params"]:
        return what, group, r.randrange(len(side.groups[group]["params"]))
    if what == "move" and len(side.groups) > 1 and side.groups[group]["params"]:
        return what, group, r.choice([i for i in range(len(side.groups)) if i != group])
    if what == "add" and free:
        return what, group, r.choice(free)
    if what == "new_group" and free:
        return what, r.choice(free), random_options(r)
    name = r.choice(["lr", "momentum", "weight_decay"])
    return "set", group, name, {"lr": 0.05, "momentum": r.choice([0, 0.5]), "weight_decay": 0.2}[name]


def saved_by(other: Side) -> Any:
    try:
        return copy.deepcopy(other.optimizer.state_dict())
    except KeyError:  # PyTorch's fails if a parameter with momentum was removed
        return None


def run(seed: int) -> None:
    r, generator = random.Random(seed), np.random.default_rng(seed)
    starts = [np.full(r.choice([(), (2,), (3, 2)]), i + 1.0) for i in range(COUNT)]
    numbers = r.sample(range(COUNT), r.randint(2, COUNT))
    groups = [{"params": part, **random_options(r)} for part in (numbers[:1], numbers[1:])]
    ours = Side(optim, [nn.Parameter(start) for start in starts], lambda g: nl.tensor(np.asarray(g)), groups)
    theirs = Side(torch.optim, [torch.nn.Parameter(torch.tensor(start)) for start in starts], torch.tensor, groups)
    for _ in range(15):
        action = r.choice(["step", "step", "edit", "load"])
        if action == "step":
            gradients = [None if r.random() < 0.2 else generator.normal(size=start.shape) for start in starts]
            ours.step(gradients)
            theirs.step(gradients)
        elif action == "edit":
            name, *arguments = random_edit(r, ours)
            getattr(ours, name)(*arguments)
            getattr(theirs, name)(*arguments)
        elif (state := saved_by(theirs)) is not None:
            ours.load(ours.optimizer.state_dict() if r.random() < 0.5 else state)
            theirs.load(state)
        for p, q in zip(ours.parameters, theirs.parameters, strict=True):
            np.testing.assert_allclose(
                p.detach().numpy(), q.detach().numpy(), rtol=1e-10, atol=1e-12, err_msg=f"seed {seed}"
            )


@pytest.mark.parametrize("trials", [30, pytest.param(5_000, marks=pytest.mark.stress)])
def test_random_programs(trials: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(trials):
            run(seed)
