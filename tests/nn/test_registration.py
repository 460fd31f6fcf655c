"""Assignment and registration raise where PyTorch does, with the same class of error, and lose nothing silently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn

OURS, THEIRS = (nl, nn), (torch, torch.nn)


def outcome(case: Callable[[Any, Any, Any], Any], library: tuple[Any, Any]) -> Any:
    tensors, layers = library
    model = layers.Sequential(layers.Linear(2, 2), layers.BatchNorm1d(2))
    try:
        case(tensors, layers, model)
    except Exception as error:
        return type(error)
    return [key for key in model.state_dict()], [name for name, _ in model.named_parameters()]


CASES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "a tensor as parameter": lambda t, n, m: setattr(m[0], "weight", t.ones(2, 2)),
    "a number as parameter": lambda t, n, m: setattr(m[0], "weight", 3.0),
    "an array as parameter": lambda t, n, m: setattr(m[0], "weight", np.ones((2, 2))),
    "a module as parameter": lambda t, n, m: setattr(m[0], "weight", n.ReLU()),
    "None as parameter": lambda t, n, m: setattr(m[0], "bias", None),
    "a parameter as parameter": lambda t, n, m: setattr(m[0], "weight", n.Parameter(t.ones(2, 2))),
    "a tensor as module": lambda t, n, m: setattr(m, "0", t.ones(2)),
    "a function as module": lambda t, n, m: setattr(m, "0", len),
    "None as module": lambda t, n, m: setattr(m, "0", None),
    "a parameter as module": lambda t, n, m: setattr(m, "0", n.Parameter(t.ones(2))),
    "a number as buffer": lambda t, n, m: setattr(m[1], "running_mean", 3),
    "None as buffer": lambda t, n, m: setattr(m[1], "running_mean", None),
    "a tensor as buffer": lambda t, n, m: setattr(m[1], "running_mean", t.ones(2)),
    "a parameter as buffer": lambda t, n, m: setattr(m[1], "running_mean", n.Parameter(t.ones(2))),
    "a module as buffer": lambda t, n, m: setattr(m[1], "running_mean", n.ReLU()),
    "a parameter over an attribute": lambda t, n, m: (setattr(m, "x", 3), setattr(m, "x", n.Parameter(t.ones(2)))),
    "deleted": lambda t, n, m: delattr(m[0], "weight"),
    "deleted buffer": lambda t, n, m: delattr(m[1], "running_var"),
    "deleted module": lambda t, n, m: delattr(m, "0"),
    "deleted twice": lambda t, n, m: (delattr(m[0], "weight"), delattr(m[0], "weight")),
    "register a parameter": lambda t, n, m: m.register_parameter("p", n.Parameter(t.ones(2))),
    "register None": lambda t, n, m: m.register_parameter("p", None),
    "register a tensor": lambda t, n, m: m.register_parameter("p", t.ones(2)),
    "register a list": lambda t, n, m: m.register_parameter("p", [1.0]),
    "register no text": lambda t, n, m: m.register_parameter(3, n.Parameter(t.ones(2))),
    "register a dot": lambda t, n, m: m.register_parameter("a.b", n.Parameter(t.ones(2))),
    "register nothing": lambda t, n, m: m.register_parameter("", n.Parameter(t.ones(2))),
    "register an attribute": lambda t, n, m: m.register_parameter("forward", n.Parameter(t.ones(2))),
    "register a module's name": lambda t, n, m: m.register_parameter("0", n.Parameter(t.ones(2))),
    "register again": lambda t, n, m: m[0].register_parameter("weight", n.Parameter(t.ones(2))),
    "buffer": lambda t, n, m: m.register_buffer("b", t.ones(2)),
    "buffer None": lambda t, n, m: m.register_buffer("b", None),
    "buffer not saved": lambda t, n, m: m.register_buffer("b", t.ones(2), persistent=False),
    "buffer saved after all": lambda t, n, m: (
        m.register_buffer("b", t.ones(2), persistent=False),
        m.register_buffer("b", t.ones(2)),
    ),
    "buffer array": lambda t, n, m: m.register_buffer("b", np.ones(2)),
    "buffer list": lambda t, n, m: m.register_buffer("b", [1]),
    "buffer dot": lambda t, n, m: m.register_buffer("a.b", t.ones(2)),
    "buffer nothing": lambda t, n, m: m.register_buffer("", t.ones(2)),
    "buffer no text": lambda t, n, m: m.register_buffer(None, t.ones(2)),
    "buffer attribute": lambda t, n, m: m.register_buffer("training", t.ones(2)),
    "buffer over parameter": lambda t, n, m: m[0].register_buffer("weight", t.ones(2)),
    "module": lambda t, n, m: m.add_module("extra", n.Linear(1, 1)),
    "module None": lambda t, n, m: m.add_module("extra", None),
    "module function": lambda t, n, m: m.add_module("extra", len),
    "module class": lambda t, n, m: m.add_module("extra", n.ReLU),
    "module dot": lambda t, n, m: m.register_module("a.b", n.ReLU()),
    "module nothing": lambda t, n, m: m.add_module("", n.ReLU()),
    "module no text": lambda t, n, m: m.add_module(0, n.ReLU()),
    "module attribute": lambda t, n, m: m.add_module("forward", n.ReLU()),
    "module over parameter": lambda t, n, m: m[0].add_module("weight", n.ReLU()),
    "module over module": lambda t, n, m: m.add_module("0", n.Linear(3, 3)),
    "no init, parameter": lambda t, n, m: setattr(n.Module.__new__(n.Linear), "w", n.Parameter(t.ones(2))),
    "no init, module": lambda t, n, m: setattr(n.Module.__new__(n.Linear), "w", n.ReLU()),
    "no init, number": lambda t, n, m: setattr(n.Module.__new__(n.Linear), "w", 3),
    "no init, register": lambda t, n, m: n.Module.__new__(n.Linear).register_parameter("w", n.Parameter(t.ones(2))),
    "no init, buffer": lambda t, n, m: n.Module.__new__(n.Linear).register_buffer("w", t.ones(2)),
    "no init, add": lambda t, n, m: n.Module.__new__(n.Linear).add_module("w", n.ReLU()),
    "data": lambda t, n, m: setattr(m[0].weight, "data", t.ones(2, 2)),
    "data, an array": lambda t, n, m: setattr(m[0].weight, "data", np.ones((2, 2), np.float32)),
    "shape": lambda t, n, m: setattr(m[0].weight, "shape", (4,)),
    "grad of another shape": lambda t, n, m: setattr(m[0].weight, "grad", "text"),
}


@pytest.mark.parametrize("name", CASES)
def test_registering_behaves_as_in_pytorch(name: str) -> None:
    assert outcome(CASES[name], OURS) == outcome(CASES[name], THEIRS)


def test_the_error_says_how_to_set_values() -> None:
    layer = nn.Linear(2, 1)
    with pytest.raises(TypeError, match=r"cannot assign a Tensor as parameter 'weight' of a Linear.*weight\.data"):
        layer.weight = nl.ones(1, 2)  # type: ignore[assignment]
    assert len(list(layer.parameters())) == 2


@pytest.mark.parametrize("name", ["require_grad", "weigth", "devce", "retain_grads", "names", "dta"])
def test_an_attribute_that_would_be_ignored_is_refused(name: str) -> None:
    for tensor in (nn.Parameter(np.ones(2)), nl.ones(2)):
        with pytest.raises(AttributeError, match=name):
            setattr(tensor, name, True)


def test_a_non_persistent_buffer_belongs_to_the_model() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("cache", nl.ones(2), persistent=False)

    net = Net()
    assert list(net.state_dict()) == []
    assert net.load_state_dict({}) == ([], [])
    assert [name for name, _ in net.named_buffers()] == ["cache"]
    assert net.double().cache.dtype == np.float64
    del net.cache
    net.cache = nl.ones(2)
    net.register_parameter("weight", None)
    assert not list(net.named_buffers())


def test_a_shared_module_is_listed_once_and_saved_under_each_name() -> None:
    def listings(library: tuple[Any, Any]) -> Any:
        layers = library[1]
        shared, act = layers.Linear(2, 2), layers.ReLU()
        net = layers.Sequential(shared, act, layers.Sequential(shared, act), act)
        net[2].add_module("tied", layers.Linear(2, 2))
        net[2].tied.weight = shared.weight
        return [
            [name for name, _ in net.named_children()],
            len(list(net.children())),
            [name for name, _ in net.named_modules()],
            [name for name, _ in net.named_modules(remove_duplicate=False)],
            [name for name, _ in net.named_modules(prefix="net")],
            [name for name, _ in net.named_parameters()],
            [name for name, _ in net.named_parameters("net", remove_duplicate=False)],
            len(list(net.parameters())),
            list(net.state_dict()),
            repr(net),
        ]

    assert listings(OURS) == listings(THEIRS)


def test_train_calls_train_of_each_module() -> None:
    calls = []

    class Frozen(nn.BatchNorm1d):
        def train(self, mode: bool = True) -> Frozen:
            calls.append(mode)
            return super().train(False)

    net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(Frozen(3)))
    assert net.train() is net
    assert net.eval() is net
    assert calls == [True, False]
    net.train()
    assert [m.training for m in net.modules()] == [True, True, True, False]
    with pytest.raises(ValueError, match="True"):
        net.train("eval")  # type: ignore[arg-type]
