"""Every native optimizer with every option against PyTorch's of the same name; states are exchanged in both directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.testing._internal.common_optimizers import optim_db

import nnlite as nl
from comparison import assert_close, normal
from nnlite import nn, optim

# Options missing from PyTorch's cases, alone and combined.
MORE: dict[str, list[dict[str, Any]]] = {
    "SGD": [{"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}],
    "Adam": [
        {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True, "maximize": True},
        {"lr": 0.01, "weight_decay": 0.3, "decoupled_weight_decay": True},
        {"betas": (0.0, 0.0)},
    ],
    "AdamW": [{"lr": 0.1, "betas": (0.3, 0.9), "weight_decay": 0.2, "amsgrad": True, "maximize": True}],
    "RMSprop": [
        {"lr": 0.1, "alpha": 0.5, "centered": True, "momentum": 0.7, "weight_decay": 0.1, "maximize": True},
        {"centered": True},
    ],
    "Adagrad": [{"lr": 0.3, "lr_decay": 0.2, "weight_decay": 0.1, "initial_accumulator_value": 0.4, "maximize": True}],
    "Adadelta": [{"lr": 0.5, "rho": 0.3, "eps": 1e-2, "weight_decay": 0.2, "maximize": True}],
    "Adamax": [{"lr": 0.1, "betas": (0.2, 0.6), "eps": 1e-3, "weight_decay": 0.1, "maximize": True}],
    "NAdam": [
        {"lr": 0.1, "betas": (0.7, 0.9), "momentum_decay": 0.7, "weight_decay": 0.1, "maximize": True},
        {"lr": 0.1, "momentum_decay": 0.0, "weight_decay": 0.3, "decoupled_weight_decay": True},
    ],
    "RAdam": [{"lr": 0.1, "betas": (0.7, 0.8), "weight_decay": 0.1, "maximize": True, "decoupled_weight_decay": True}],
}
CASES = [
    *((i.optim_cls.__name__, case.kwargs) for i in optim_db for case in i.optim_inputs_func("cpu") if i.optim_cls.__name__ in MORE),
    *((name, options) for name, cases in MORE.items() for options in cases),
]  # fmt: skip
# Relative to the largest weight: the rounding of 24 steps, which Adam-like steps do not scale down for small gradients.
TOLERANCE = {np.float32: 4e-6, np.float64: 1e-13}


class Pair:
    """One optimizer of ours and PyTorch's on the same weights and gradients."""

    def __init__(self, name: str, options: dict[str, Any], dtype: type) -> None:
        start = [normal(3, 7).astype(dtype), normal(5, seed=1).astype(dtype)]
        self.ours = [nn.Parameter(a) for a in start]
        self.theirs = [torch.nn.Parameter(torch.tensor(a)) for a in start]
        tensors = {k: v for k, v in options.items() if isinstance(v, torch.Tensor)}
        self.mine = getattr(optim, name)(
            self.ours, **{**options, **{k: nl.tensor(v.item()) for k, v in tensors.items()}}
        )
        self.other = getattr(torch.optim, name)(self.theirs, **options)

    def run(self, begin: int, end: int) -> None:
        for step in range(begin, end):
            for i, (p, q) in enumerate(zip(self.ours, self.theirs, strict=True)):
                gradient = normal(*p.shape, seed=10 * step + i).astype(p.dtype)
                p.grad, q.grad = nl.tensor(gradient), torch.tensor(gradient)
            self.mine.step()
            self.other.step()

    def check(self, what: str) -> None:
        for p, q in zip(self.ours, self.theirs, strict=True):
            assert_close(p.detach().numpy(), q.detach().numpy(), TOLERANCE[p.dtype.type], what)


def with_tensors(state_dict: dict[str, Any]) -> dict[str, Any]:
    """A state dict that PyTorch can load: its arrays as tensors."""
    state = {i: {k: torch.tensor(v) for k, v in kept.items()} for i, kept in state_dict["state"].items()}
    return {**state_dict, "state": state}


@pytest.fixture(autouse=True)
def _doubles_in_scalar_state():
    """PyTorch keeps NAdam's product in its default type; in float32, its rounding would dominate the comparison."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_the_cases_name_every_native_optimizer() -> None:
    native = {n for n in optim.__all__ if getattr(getattr(optim, n), "_rule", None) is not None}
    assert native == set(MORE) == {each.__name__ for each in optim.OPTIMIZERS.values()}
    assert len(CASES) > 60, f"PyTorch's database has given only {len(CASES) - sum(map(len, MORE.values()))} cases"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), CASES, ids=lambda value: str(value).replace(" ", ""))
def test_steps_and_state(name: str, options: dict[str, Any], dtype: type) -> None:
    pair = Pair(name, options, dtype)
    pair.run(0, 12)
    pair.check(f"{name} after 12 steps")
    mine, other = pair.mine.state_dict(), pair.other.state_dict()
    assert mine["state"].keys() == (
        {i for i, kept in other["state"].items() if any(v is not None for v in kept.values())}
    )
    for i, kept in mine["state"].items():
        known = {k: v for k, v in other["state"][i].items() if v is not None}
        if name == "SGD":
            known.pop("step", None)
        assert kept.keys() == known.keys()
        for k, value in known.items():
            assert_close(kept[k], value.numpy(), TOLERANCE[dtype], f"{name}: {k}")

    crossed = Pair(name, options, dtype)
    for ours, theirs, p, q in zip(crossed.ours, crossed.theirs, pair.ours, pair.theirs, strict=True):
        ours.data.copy_(q.detach().numpy())
        theirs.data.copy_(torch.tensor(p.detach().numpy()))
    crossed.mine.load_state_dict(other)
    crossed.other.load_state_dict(with_tensors(mine))
    crossed.run(12, 24)
    pair.run(12, 24)
    pair.check(f"{name} after 24 steps")
    crossed.check(f"{name} with each other's state")
    for p, q in zip(pair.ours, crossed.ours, strict=True):
        assert_close(
            q.detach().numpy(), p.detach().numpy(), TOLERANCE[dtype], f"{name} that went on from PyTorch's state"
        )


@pytest.mark.parametrize("name", MORE)
def test_state_survives_a_state_dict_bit_for_bit(name: str) -> None:
    for options in MORE[name]:
        whole, cut = Pair(name, options, np.float32), Pair(name, options, np.float32)
        whole.run(0, 9)
        cut.run(0, 4)
        again = Pair(name, {}, np.float32)
        for p, q in zip(again.ours, cut.ours, strict=True):
            p.data.copy_(q.detach())
        again.mine.load_state_dict(cut.mine.state_dict())
        again.run(4, 9)
        assert [p.tolist() for p in again.ours] == [p.tolist() for p in whole.ours], f"{name} {options}"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [("Adam", {"lr": -1}, "lr"), ("Adam", {"eps": float("nan")}, "eps"), ("Adam", {"betas": (1.0, 0.9)}, "betas"),
     ("AdamW", {"betas": (0.9, -0.1)}, "betas"), ("RMSprop", {"momentum": -1}, "momentum"), ("Adadelta", {"rho": 2}, "rho"),
     ("Adagrad", {"lr_decay": -1}, "lr_decay"), ("NAdam", {"momentum_decay": -1}, "momentum_decay"), ("RAdam", {"weight_decay": -1}, "weight_decay")],
)  # fmt: skip
def test_options_out_of_range(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: {message}"):
        getattr(optim, name)([nn.Parameter(np.ones(1))], **options)


def test_options_of_a_wrong_type() -> None:
    p = nn.Parameter(np.ones(1))
    with pytest.raises(TypeError, match="Adam: betas must be 2 numbers"):
        optim.Adam([p], betas=0.9)
    with pytest.raises(TypeError, match="Adam: amsgrad must be True or False"):
        optim.Adam([{"params": [p], "amsgrad": 0.5}])


def test_state_that_does_not_fit() -> None:
    pair = Pair("NAdam", {}, np.float32)
    pair.run(0, 2)
    saved = pair.mine.state_dict()
    for change, error, match in (
        ({"exp_avg": np.ones(3)}, ValueError, r"exp_avg of parameter 0 has shape \(3,\)"),
        ({"step": -1.0}, ValueError, "step of parameter 0 must be at least 0"),
        ({"mu_product": "half"}, TypeError, "mu_product of parameter 0 must be a number"),
    ):
        wrong = {**saved, "state": {**saved["state"], 0: {**saved["state"][0], **change}}}
        with pytest.raises(error, match=match):
            pair.mine.load_state_dict(wrong)
    lacking = {k: v for k, v in saved["state"][0].items() if k != "step"}
    with pytest.raises(KeyError, match="no 'step'"):
        pair.mine.load_state_dict({**saved, "state": {0: lacking}})
    for kept, before in zip(pair.mine.state_dict()["state"].values(), saved["state"].values(), strict=True):
        assert all(np.array_equal(kept[k], before[k]) for k in before), "a refused state dict has changed the optimizer"


def test_state_looks_like_pytorchs() -> None:
    pair = Pair("Adam", {}, np.float32)
    assert not pair.mine.state
    pair.run(0, 3)
    kept = pair.mine.state[pair.ours[1]]
    assert list(kept) == ["step", "exp_avg", "exp_avg_sq"]
    assert kept["step"] == 3
    pair.mine.state = {}
    assert not pair.mine.state_dict()["state"]
