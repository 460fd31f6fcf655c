"""Hooks and state dicts: the same program with PyTorch and with nnlite."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, optim

X = np.arange(12, dtype=np.float32).reshape(4, 3) / 10
NN = SimpleNamespace(nn=nn, tensor=nl.tensor)
TORCH = SimpleNamespace(nn=torch.nn, tensor=torch.tensor)


def fixed(lib: Any) -> Any:
    """A network of three layers with given weights."""
    model = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.Tanh(), lib.nn.Linear(4, 2))
    for i, p in enumerate(model.parameters()):
        p.data = lib.tensor(np.random.default_rng(i).standard_normal(tuple(p.shape)).astype(np.float32))
    return model


def shown(value: Any) -> Any:
    """Values of either library as plain lists."""
    if isinstance(value, torch.Tensor | nl.Tensor | np.ndarray):
        return np.round(np.asarray(value.detach() if hasattr(value, "detach") else value, np.float64), 4).tolist()
    if isinstance(value, tuple | list):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    return value


def observes(lib: Any) -> Any:
    model, seen = fixed(lib), []
    model[1].register_forward_hook(
        lambda module, args, output: seen.append((type(module).__name__, shown(args), shown(output)))
    )
    model[1].register_forward_pre_hook(lambda module, args: seen.append(("before", shown(args))))
    return model(lib.tensor(X)), seen


def replaces(lib: Any) -> Any:
    model = fixed(lib)
    model[0].register_forward_pre_hook(lambda module, args: args[0] * 2)
    model[1].register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    model[2].register_forward_hook(lambda module, args, output: output - 3)
    return model(lib.tensor(X))


def orders(lib: Any) -> Any:
    model, seen = fixed(lib), []
    for name, options in [("a", {}), ("b", {}), ("c", {"prepend": True})]:
        model.register_forward_hook(lambda *_, name=name: seen.append(name), **options)
        model.register_forward_pre_hook(lambda *_, name=name: seen.append("pre " + name), **options)
    model(lib.tensor(X))
    return seen


def removes(lib: Any) -> Any:
    model, seen = fixed(lib), []
    handle = model.register_forward_hook(lambda *_: seen.append(1))
    model(lib.tensor(X))
    handle.remove()
    handle.remove()
    model(lib.tensor(X))
    with model.register_forward_hook(lambda *_: seen.append(2)):
        model(lib.tensor(X))
    model(lib.tensor(X))
    return seen


def takes_keywords(lib: Any) -> Any:
    seen = []

    class Scaled(lib.nn.Module):
        def forward(self, x: Any, scale: float = 1.0) -> Any:
            return x * scale

    model = Scaled()
    model.register_forward_pre_hook(lambda m, args, kwargs: (args, {"scale": kwargs["scale"] + 1}), with_kwargs=True)
    model.register_forward_hook(lambda m, args, kwargs, output: seen.append(kwargs), with_kwargs=True)
    return model(lib.tensor(X), scale=2.0), seen


def calls_after_an_error(lib: Any) -> Any:
    seen = []

    class Failing(lib.nn.Module):
        def forward(self, x: Any) -> Any:
            raise ValueError("no")

    model = Failing()
    model.register_forward_hook(lambda m, args, output: seen.append(output), always_call=True)
    model.register_forward_hook(lambda m, args, output: seen.append("not called"))
    with pytest.raises(ValueError, match="no"):
        model(lib.tensor(X))
    return seen


def copies(lib: Any) -> Any:
    model, seen = fixed(lib), []
    model.register_forward_hook(lambda *_: seen.append(1))
    copy.deepcopy(model)(lib.tensor(X))
    return len(seen)


def hooks_of_states(lib: Any) -> Any:
    model, seen = fixed(lib), []
    model[0].register_state_dict_pre_hook(lambda module, prefix, keep_vars: seen.append((prefix, keep_vars)))

    def renames(module: Any, state: Any, prefix: str, metadata: Any) -> None:
        state[prefix + "kernel"] = state.pop(prefix + "weight")

    def renames_back(module: Any, state: Any, prefix: str, *_: Any) -> None:
        state[prefix + "weight"] = state.pop(prefix + "kernel")

    model[0].register_state_dict_post_hook(renames)
    model[0].register_load_state_dict_pre_hook(renames_back)
    model.register_load_state_dict_post_hook(
        lambda module, keys: seen.append((keys.missing_keys, keys.unexpected_keys))
    )
    state = model.state_dict()
    model.load_state_dict(state)
    del state["2.bias"]
    model.load_state_dict(state, strict=False)
    with pytest.raises(RuntimeError, match=r"2\.bias"):
        model.load_state_dict(state)
    return sorted(state), seen


def forgives_in_a_hook(lib: Any) -> Any:
    model = fixed(lib)
    state = model.state_dict()
    del state["0.bias"]
    model.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    return [list(part) for part in model.load_state_dict(state)]


def keeps_extra_state(lib: Any) -> Any:
    class Counting(lib.nn.Linear):
        count = 0

        def get_extra_state(self) -> Any:
            return {"count": self.count}

        def set_extra_state(self, state: Any) -> None:
            self.count = state["count"]

    model = lib.nn.Sequential(Counting(2, 1), lib.nn.ReLU())
    model[0].count = 5
    state = model.state_dict()
    other = lib.nn.Sequential(Counting(2, 1), lib.nn.ReLU())
    other.load_state_dict(state)
    missing, unexpected = lib.nn.Sequential(lib.nn.Linear(2, 1), lib.nn.ReLU()).load_state_dict(state, strict=False)
    del state["0._extra_state"]
    with pytest.raises(RuntimeError, match="_extra_state"):
        other.load_state_dict(state)
    return other[0].count, missing, unexpected


def gathers_states(lib: Any) -> Any:
    state: dict[str, Any] = {"kept": 1}
    first = fixed(lib)
    first.state_dict(destination=state, prefix="first.")
    kept = first.state_dict(keep_vars=True)
    return list(state), kept["0.weight"] is first[0].weight


def reaches_by_name(lib: Any) -> Any:
    model = lib.nn.Sequential(fixed(lib), lib.nn.BatchNorm1d(2))
    model.set_submodule("0.1", lib.nn.ReLU())
    errors = []
    for call in (
        lambda: model.get_submodule("0.7"), lambda: model.get_parameter("0.0.mass"), lambda: model.get_buffer("1.weight"),
        lambda: model.get_parameter("0.9.weight"), lambda: model.set_submodule("0.8", lib.nn.ReLU(), strict=True),
    ):  # fmt: skip
        with pytest.raises(AttributeError) as caught:
            call()
        errors.append(type(caught.value).__name__)
    return (
        model.get_submodule("") is model, type(model.get_submodule("0.1")).__name__, model.get_parameter("0.0.weight"),
        model.get_buffer("1.running_mean"), errors,
    )  # fmt: skip


PROGRAMS = [
    observes, replaces, orders, removes, takes_keywords, calls_after_an_error, copies, hooks_of_states, forgives_in_a_hook,
    keeps_extra_state, gathers_states, reaches_by_name,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_program_does_the_same_with_both_libraries(program: Callable[[Any], Any]) -> None:
    assert shown(program(NN)) == shown(program(TORCH))


def test_pytorch_numpy_and_nnlite_take_the_values_of_a_state_dict() -> None:
    ours, theirs = fixed(NN), torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    state = ours.state_dict()
    theirs.load_state_dict(state)
    theirs.load_state_dict({key: value.clone().detach().cpu() for key, value in state.items()})
    np.testing.assert_array_equal(theirs[0].weight.detach().numpy(), state["0.weight"])
    assert type(state["0.weight"].numpy()) is np.ndarray
    other = copy.deepcopy(ours)
    other.load_state_dict(theirs.state_dict())
    assert other.fingerprint() == ours.fingerprint()


def test_assigned_values_bring_their_type_and_memory() -> None:
    model = nn.Linear(2, 1)
    weight, optimizer = model.weight, optim.SGD(model.parameters(), lr=0.1)
    state = {"weight": np.array([[1.0, 2.0]]), "bias": np.array([3.0])}
    model.load_state_dict(state, assign=True)
    assert model.weight is weight is optimizer.param_groups[0]["params"][0]
    assert model.weight.dtype == np.float64
    state["bias"][0] = 7
    assert model.bias.item() == 7


@pytest.mark.parametrize("compile", [True, False])
def test_hooks_run_in_a_captured_step(compile: bool) -> None:
    nl.manual_seed(0)
    model = nn.MLP([3, 4, 2])
    model[1].register_forward_hook(lambda module, args, output: output * 0.5)
    halved = model.fingerprint()
    trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), seed=0)
    trainer.fit(X, np.ones((4, 2), np.float32), epochs=3, compile=compile, progress=False)
    assert model.fingerprint() != halved
    PRINTS.append(model.fingerprint())
    assert len(set(PRINTS)) == 1, "captured and not, a hook gives the same bits"


PRINTS: list[str] = []


def test_a_hook_that_keeps_what_it_sees_is_refused_in_a_captured_step() -> None:
    model, seen = nn.MLP([3, 4, 2]), []
    model[1].register_forward_hook(lambda module, args, output: seen.append(output))
    trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(nl.CaptureError, match="compile=False"):
        trainer.fit(X, np.ones((4, 2), np.float32), progress=False)
    assert not seen
    trainer.fit(X, np.ones((4, 2), np.float32), progress=False, compile=False)
    assert len(seen) == 1


def test_what_is_no_hook_is_refused() -> None:
    with pytest.raises(TypeError, match="callable, got 3"):
        nn.ReLU().register_forward_hook(3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.half(), TypeError, "float32 or float64, not float16"),
        (lambda m: m.bfloat16(), TypeError, "float32 or float64"),
        (lambda m: m.type(np.int64), TypeError, "not int64"),
        (lambda m: m.cuda(), ValueError, "CPU only, not on 'cuda'"),
    ],
)
def test_other_types_and_devices_are_refused(call: Callable[[Any], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(nn.Linear(2, 1))
    assert nn.Linear(2, 1).type(np.float64).weight.dtype == np.float64
