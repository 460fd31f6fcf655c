"""Parameter groups, their edits and state dicts, against PyTorch."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, optim

OPTIONS = {"lr": 0.1, "momentum": 0.9}


class Pair:
    """An optimizer and its twin in PyTorch, with equal parameters."""

    def __init__(self, count: int = 3, **options: Any) -> None:
        self.ours = [nn.Parameter(np.full(2, i + 1.0)) for i in range(count)]
        self.theirs = [torch.nn.Parameter(torch.full((2,), i + 1.0, dtype=torch.float64)) for i in range(count)]
        self.mine = optim.SGD(self.ours[:2], **{**OPTIONS, **options})
        self.other = torch.optim.SGD(self.theirs[:2], **{**OPTIONS, **options})
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        for i, (p, q) in enumerate(zip(self.ours, self.theirs, strict=True)):
            p.grad = nl.tensor(np.full(2, float(self.steps + i)))
            q.grad = torch.full((2,), float(self.steps + i), dtype=torch.float64)
        self.mine.step()
        self.other.step()
        self.check()

    def check(self) -> None:
        for p, q in zip(self.ours, self.theirs, strict=True):
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-13)


def edit(name: str, pair: Pair) -> None:
    for optimizer, params in ((pair.mine, pair.ours), (pair.other, pair.theirs)):
        group = optimizer.param_groups[0]
        if name == "append":
            group["params"].append(params[2])
        elif name == "replace":
            group["params"] = [params[0], params[2]]
        elif name == "remove":
            group["params"].pop(0)
        elif name == "put back":
            group["params"].insert(0, params[0])
        elif name == "group":
            optimizer.param_groups.append({**group, "params": [params[2]], "lr": 0.5})
        elif name == "no momentum":
            group["momentum"] = 0
        elif name == "momentum":
            group["momentum"] = 0.5
        elif name == "lr":
            group["lr"] = np.float32(0.25)


@pytest.mark.parametrize(
    "edits",
    [["append"], ["replace"], ["remove"], ["remove", "put back"], ["group"], ["no momentum", "momentum"], ["lr"],
     ["no momentum", "remove", "momentum", "put back"], ["group", "remove"]],
    ids=str,
)  # fmt: skip
def test_edits_of_groups_take_effect(edits: list[str]) -> None:
    pair = Pair()
    pair.step()
    pair.step()
    for name in edits:
        edit(name, pair)
        pair.step()
        pair.step()
    saved = [len(group["params"]) for group in pair.mine.state_dict()["param_groups"]]
    assert saved == [len(group["params"]) for group in pair.other.param_groups]  # whose state_dict() fails here
    pair.mine.zero_grad()
    pair.other.zero_grad()
    assert [p.grad is None for p in pair.ours] == [p.grad is None for p in pair.theirs]


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [(lambda p: [p[0], p[0]], ValueError, "more than once"), (lambda p: ["weight"], TypeError, "str"),
     (lambda p: [p[0] * 2], ValueError, "leaf")],
)  # fmt: skip
def test_an_invalid_edit_is_refused_and_changes_nothing(params, error, match) -> None:
    pair = Pair()
    pair.step()
    before = [p.tolist() for p in pair.ours]
    kept = pair.mine.param_groups[0]["params"]
    pair.mine.param_groups[0]["params"] = params(pair.ours)
    with pytest.raises(error, match=match):
        pair.mine.step()
    assert [p.tolist() for p in pair.ours] == before
    pair.mine.param_groups[0]["params"] = kept
    pair.step()


@pytest.mark.filterwarnings("ignore:the optimizer does not hold")
def test_edits_take_effect_in_native_epochs() -> None:
    x, y = nl.data.make_moons(60, noise=0.1, seed=1)

    def train(compile: bool) -> str:
        nl.manual_seed(0)
        model = nn.MLP([2, 8, 2])
        weights = list(model.parameters())
        optimizer = optim.SGD(weights[:2], lr=0.1, momentum=0.9)
        trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optimizer)
        trainer.fit(x, y, epochs=2, compile=compile)
        optimizer.param_groups[0]["params"].extend(weights[2:])
        trainer.fit(x, y, epochs=2, compile=compile)
        optimizer.param_groups[0]["momentum"] = 0
        trainer.fit(x, y, epochs=1, compile=compile)
        optimizer.param_groups[0]["momentum"] = 0.5
        trainer.fit(x, y, epochs=1, compile=compile)
        trainer.optimizer = optim.SGD(weights, lr=0.1)  # another optimizer, perhaps at the address of the first one
        del optimizer
        trainer.fit(x, y, epochs=1, compile=compile)
        return model.fingerprint()

    assert train(True) == train(False)


def prepared() -> tuple[list[nn.Parameter], optim.SGD]:
    params = [nn.Parameter(np.ones(2)), nn.Parameter(np.ones(3))]
    optimizer = optim.SGD([{"params": [params[0]], "lr": 0.5}, {"params": [params[1]], "momentum": 0.5}], **OPTIONS)
    for p in params:
        p.grad = nl.tensor(np.ones(p.shape))
    optimizer.step()
    return params, optimizer


def test_a_tensor_as_learning_rate_keeps_its_identity() -> None:
    rate = nl.tensor(0.5)
    p = nn.Parameter(np.ones(1))
    optimizer = optim.SGD([p], lr=rate)
    schedule = optim.ExponentialLR(optimizer, 0.5)
    schedule.step()
    assert rate.item() == 0.25
    assert optimizer.param_groups[0]["lr"] is rate
    p.grad = nl.tensor(np.ones(1))
    optimizer.step()
    assert p.item() == 0.75
    assert optimizer.state_dict()["param_groups"][0]["lr"] == 0.25


def without(key: str):
    return lambda state: state["param_groups"][1].pop(key)


BROKEN = {
    "no groups": lambda s: s.pop("param_groups"), "no state": lambda s: s.pop("state"), "no lr": without("lr"),
    "no params": without("params"), "no momentum": without("momentum"), "fewer groups": lambda s: s["param_groups"].pop(),
    "text for a rate": lambda s: s["param_groups"][1].update(lr="0.1"), "no rate": lambda s: s["param_groups"][1].update(lr=None),
    "a list": lambda s: s["param_groups"][1].update(momentum=[0.9, 0.9]), "NaN": lambda s: s["param_groups"][1].update(lr=float("nan")),
    "a switch of text": lambda s: s["param_groups"][1].update(nesterov="no"),
    "nesterov alone": lambda s: s["param_groups"][1].update(nesterov=True, momentum=0.0),
    "another shape": lambda s: s["state"][1].update(momentum_buffer=np.ones(4)),
    "text as a buffer": lambda s: s["state"][1].update(momentum_buffer=np.array(["a", "b", "c"])),
    "ragged": lambda s: s["state"][1].update(momentum_buffer=[[1.0], [1.0, 2.0]]),
    "a buffer alone": lambda s: s["state"].update({1: np.ones(3)}),
    "more parameters": lambda s: s["param_groups"][1].update(params=[1, 2]),
    "no list of parameters": lambda s: s["param_groups"][1].update(params=None),
    "keys that JSON made text": lambda s: s["state"].update({"1": s["state"].pop(1)}),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_loading_is_all_or_nothing(name: str) -> None:
    _, source = prepared()
    state = copy.deepcopy(source.state_dict())
    state["param_groups"][0]["lr"] = 0.125
    state["state"][0]["momentum_buffer"] = np.full(2, 9.0)
    BROKEN[name](state)
    _, optimizer = prepared()
    before = repr(optimizer), str(optimizer.state_dict())
    with pytest.raises((ValueError, TypeError, KeyError)):
        optimizer.load_state_dict(state)
    assert (repr(optimizer), str(optimizer.state_dict())) == before


def test_invalid_state_dicts_are_named() -> None:
    for state in (None, [], 3):
        with pytest.raises(TypeError, match=r"an optimizer loads a dictionary, as from state_dict\(\), got"):
            prepared()[1].load_state_dict(state)


def test_initial_rates_and_custom_options_are_saved() -> None:
    params, optimizer = prepared()
    optim.StepLR(optimizer, 1)
    optimizer.param_groups[1]["mine"] = "kept"
    other = optim.SGD([{"params": [params[0]]}, {"params": [params[1]]}], lr=7)
    other.load_state_dict(optimizer.state_dict())
    assert [group["initial_lr"] for group in other.param_groups] == [0.5, 0.1]
    assert other.param_groups[1]["mine"] == "kept"
    other.load_state_dict(optim.SGD([{"params": [p]} for p in params], lr=3).state_dict())
    assert "initial_lr" not in other.param_groups[0]  # as in PyTorch, the old options are gone


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_state_dicts_are_exchanged_with_pytorch(momentum: float) -> None:
    pair = Pair(2, momentum=momentum)
    pair.step()
    ours = pair.mine.state_dict()
    pair.mine.load_state_dict(pair.other.state_dict())
    tensors = {n: {k: torch.tensor(v) for k, v in entry.items()} for n, entry in ours["state"].items()}
    pair.other.load_state_dict({**ours, "state": tensors})
    pair.step()
    pair.step()


def test_bad_groups() -> None:
    p, q = nn.Parameter(np.ones(1)), nn.Parameter(np.ones(1))
    for params, error, match in [
        ([{"lr": 1.0}], KeyError, "params"),
        ([{"params": [p]}, {"params": [p]}], ValueError, "more than once"),
        ([{"params": {p, q}}], TypeError, "set"),
        ([{"params": [p]}, q], TypeError, "dictionary"),
        ([("a", p), q], ValueError, "names"),
        ([("a", p), ("a", q)], ValueError, "name"),
        ([{"params": [p], "lr": -1}], ValueError, "lr"),
        ([{"params": [p], "lr": "high"}], TypeError, "lr must be a number"),
        ([nl.tensor([1])], TypeError, "float"),
    ]:
        with pytest.raises(error, match=match):
            optim.SGD(params)
    optimizer = optim.SGD([p])
    for group, error in [({"params": [nl.tensor([1])]}, TypeError), ([q], TypeError), ({"params": [p, q]}, ValueError)]:
        with pytest.raises(error):
            optimizer.add_param_group(group)
    q.grad = p.grad = nl.tensor(np.ones(1))
    optimizer.step()
    assert (len(optimizer.param_groups), q.item()) == (1, 1.0)


def test_named_parameters() -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    optimizer.load_state_dict(optim.SGD(model.parameters(), lr=0.2).state_dict())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    with pytest.raises(ValueError, match="names"):
        optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))]})
    single = optim.SGD([{"params": nn.Parameter(np.ones(1))}, {"params": []}], lr=0.1)
    assert [len(group["params"]) for group in single.param_groups] == [1, 0]


@pytest.mark.parametrize(
    ("edit", "error", "match"),
    [(lambda g: g.pop("momentum"), KeyError, "no longer has 'momentum'"), (lambda g: g.update(lr="0.1"), TypeError, "lr must be a number"),
     (lambda g: g.update(lr=None), TypeError, "lr must be a number"), (lambda g: g.update(nesterov="x"), TypeError, "nesterov"),
     (lambda g: g.update(lr=np.ones(2)), (TypeError, ValueError), "lr must be a single number")],
)  # fmt: skip
def test_missing_and_non_numeric_options_are_named(edit, error, match) -> None:
    params, optimizer = prepared()
    before = [p.tolist() for p in params]
    edit(optimizer.param_groups[1])
    with pytest.raises(error, match=match):
        optimizer.step()
    assert [p.tolist() for p in params] == before
    x, y = nl.data.make_moons(20, seed=0)
    model = nn.Linear(2, 2)
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    edit(trainer.optimizer.param_groups[0])
    unchanged = model.fingerprint()
    with pytest.raises(error, match=match):
        trainer.fit(x, y)
    assert model.fingerprint() == unchanged
