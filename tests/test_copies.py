"""Deep copies and pickles: objects that belong together stay together, and continue training to the same bits."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("f")
Y = RNG.normal(size=(60, 1)).astype("f")

HOW: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
}
both = pytest.mark.parametrize("how", list(HOW.values()), ids=list(HOW))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(3, 1)
        self.last: Any = None

    def forward(self, x: nl.Tensor) -> nl.Tensor:
        hidden = self.norm(self.second(self.first(x)))
        return self.head(hidden)


def step(model: nn.Module, optimizer: optim.SGD) -> None:
    optimizer.zero_grad()
    nn.MSELoss()(model(X), Y).backward()
    optimizer.step()


@both
def test_a_model_and_its_optimizer_copied_together_belong_together(how: Callable[[Any], Any]) -> None:
    model = Tied()
    groups = [{"params": [model.first.weight], "lr": 0.01}, {"params": list(model.head.parameters())}]
    optimizer = optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    step(model, optimizer)
    other, others = how((model, optimizer))
    assert other.second.weight is other.first.weight
    assert other.first.weight is not model.first.weight
    assert others.param_groups[0]["params"][0] is other.first.weight
    assert others.param_groups[1]["lr"] == 0.1
    for _ in range(3):
        step(model, optimizer)
        step(other, others)
    assert other.fingerprint() == model.fingerprint()


@both
def test_an_optimizer_copied_alone_does_not_train_the_model(how: Callable[[Any], Any]) -> None:
    model = nn.Linear(3, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    step(model, optimizer)
    before = model.fingerprint()
    other = how(optimizer)
    for p in other.param_groups[0]["params"]:
        p.grad = nl.ones(*p.shape)
    other.step()
    assert model.fingerprint() == before
    states = [each.state_dict()["state"].values() for each in (optimizer, how(optimizer))]
    for ours, theirs in zip(*states, strict=True):
        np.testing.assert_array_equal(ours["momentum_buffer"], theirs["momentum_buffer"])


@both
def test_lbfgs(how: Callable[[Any], Any]) -> None:
    parameter = nn.Parameter(np.array([-1.0, 2.0]))
    optimizer = optim.LBFGS([parameter], max_iter=3)

    def iterate(own: optim.LBFGS) -> list[float]:
        (x,) = own.param_groups[0]["params"]

        def closure() -> nl.Tensor:
            own.zero_grad()
            loss = (x**4 + x).sum()
            loss.backward()
            return loss

        own.step(closure)
        return x.tolist()

    iterate(optimizer)
    other = how(optimizer)
    before = parameter.tolist()
    after = iterate(other)
    assert parameter.tolist() == before
    assert iterate(optimizer) == after != before


@both
def test_schedules(how: Callable[[Any], Any]) -> None:
    model = nn.Linear(3, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=10)
    optimizer.step()
    schedule.step()
    other, others = how((optimizer, schedule))
    for _ in range(3):
        optimizer.step()
        schedule.step()
        other.step()
        others.step()
    assert other.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"] < 0.1


@both
def test_generators(how: Callable[[Any], Any]) -> None:
    generator = nl.Generator(7)
    generator.uniform((3,))
    other = how(generator)
    assert other.state() == generator.state()
    np.testing.assert_array_equal(other.normal((4,)), generator.normal((4,)))
    np.testing.assert_array_equal(other.permutation(9), generator.permutation(9))


@both
def test_a_copied_trainer_continues_where_it_was(how: Callable[[Any], Any]) -> None:
    model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 1))
    trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1, momentum=0.9), ["mse"], seed=3)
    trainer.fit(X, Y, epochs=2, progress=False)
    other = how(trainer)
    assert other.epoch == 2
    for each in (trainer, other):
        each.fit(X, Y, epochs=2, progress=False)
    assert other.model.fingerprint() == trainer.model.fingerprint()
    assert other.history == trainer.history or other.history["loss"] == trainer.history["loss"]


@both
def test_tensors_that_forward_left_on_the_model_are_copied_as_values(how: Callable[[Any], Any]) -> None:
    model = Tied()
    hidden = model.first(nl.tensor(X))
    model.last = {"hidden": hidden, "all": [hidden, (hidden * 2, "text")], "first": model.first.weight}
    other = how(model)
    assert other.last["hidden"] is other.last["all"][0]
    assert not other.last["hidden"].requires_grad
    assert other.last["first"] is other.first.weight
    np.testing.assert_array_equal(other.last["all"][1][0].numpy(), (hidden * 2).detach().numpy())
    assert model.last["hidden"] is hidden
    assert hidden.requires_grad
    assert nl.Predictor(model)(X).shape == (60, 1)


def test_objects_that_cannot_be_copied_say_why_and_what_to_do() -> None:
    computed = nn.Parameter(np.ones(2, np.float32)) * 2
    for how in HOW.values():
        with pytest.raises(RuntimeError, match=r"use detach\(\)"):
            how(computed)
    schedule = optim.LambdaLR(optim.SGD([nn.Parameter(np.ones(2))], lr=0.1), lambda epoch: 0.5)
    assert copy.deepcopy(schedule).optimizer is not schedule.optimizer
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError), match="lambda"):
        pickle.dumps(schedule)


@both
def test_a_parameter_of_a_subclass_keeps_its_class(how: Callable[[Any], Any]) -> None:
    frozen = how(Special(np.ones(2, np.float32), requires_grad=False))
    assert type(frozen) is Special
    assert not frozen.requires_grad


class Special(nn.Parameter):
    pass
