"""Containers behave as PyTorch's do."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from nnlite import nn

LIST: dict[str, Callable[[Any, Any], Any]] = {
    "slice": lambda n, c: c[1:],
    "slice back": lambda n, c: c[::-1],
    "empty slice": lambda n, c: c[5:],
    "negative": lambda n, c: c[-1],
    "too far": lambda n, c: c[4],
    "too far back": lambda n, c: c[-5],
    "append": lambda n, c: c.append(n.Linear(9, 1)),
    "append a function": lambda n, c: c.append(len),
    "extend": lambda n, c: c.extend([n.Linear(8, 1), n.ReLU()]),
    "insert": lambda n, c: (c.insert(1, n.Linear(7, 1)), None)[1],
    "insert first": lambda n, c: (c.insert(0, n.Linear(7, 1)), None)[1],
    "delete": lambda n, c: operator.delitem(c, 1),
    "delete last": lambda n, c: operator.delitem(c, -1),
    "delete slice": lambda n, c: operator.delitem(c, slice(1, 3)),
    "delete too far": lambda n, c: operator.delitem(c, 9),
    "set": lambda n, c: operator.setitem(c, 1, n.Linear(6, 1)),
    "set last": lambda n, c: operator.setitem(c, -1, n.Linear(6, 1)),
    "set too far": lambda n, c: operator.setitem(c, 7, n.Linear(6, 1)),
    "set a number": lambda n, c: operator.setitem(c, 0, 3),
    "pop": lambda n, c: c.pop(1),
    "add": lambda n, c: c + c,
    "add in place": lambda n, c: operator.iadd(c, c[:1]),
    "list": lambda n, c: len(list(c)),
}


def outcome(case: Callable[[Any, Any], Any], layers: Any, kind: str) -> Any:
    parts = [layers.Linear(1, 1), layers.Linear(2, 1), layers.ReLU(), layers.Linear(3, 1)]
    container = layers.ModuleList(parts) if kind == "ModuleList" else layers.Sequential(*parts)
    try:
        result = case(layers, container)
    except (IndexError, TypeError, KeyError, ValueError) as error:
        return type(error)
    return repr(container), repr(result), list(container.state_dict())


@pytest.mark.parametrize("kind", ["ModuleList", "Sequential"])
@pytest.mark.parametrize("name", LIST)
def test_lists_of_modules_go_as_in_pytorch(name: str, kind: str) -> None:
    assert outcome(LIST[name], nn, kind) == outcome(LIST[name], torch.nn, kind)


def test_a_slice_of_a_list_is_registered_and_shares_its_modules() -> None:
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(4))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = layers[:2]
            self.rest = layers[2:]

    net = Net()
    assert isinstance(net.first, nn.ModuleList)
    assert len(list(net.parameters())) == 8
    assert net.rest[0] is layers[2]
    assert next(iter(net.state_dict())) == "first.0.weight"


def test_appending_to_a_slice_replaces_nothing() -> None:
    """PyTorch puts the new module in the place of one that keeps its number."""
    part = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 3), nn.Linear(3, 4))[1:]
    part.append(nn.Linear(4, 5))
    assert [layer.out_features for layer in part] == [3, 4, 5]


def test_named_layers_keep_their_names() -> None:
    layers = nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.Tanh(), c=nn.Linear(3, 1)))
    assert list(layers[1:].state_dict()) == ["c.weight", "c.bias"]
    with pytest.raises(KeyError, match="forward"):
        nn.Sequential(OrderedDict(forward=nn.Tanh()))


DICT: dict[str, Callable[[Any, Any], Any]] = {
    "keys": lambda n, d: list(d.keys()),
    "values": lambda n, d: len(list(d.values())),
    "items": lambda n, d: [name for name, _ in d.items()],
    "in": lambda n, d: ("a" in d, "z" in d),
    "pop": lambda n, d: d.pop("a"),
    "pop nothing": lambda n, d: d.pop("z"),
    "clear": lambda n, d: d.clear(),
    "delete": lambda n, d: operator.delitem(d, "a"),
    "update": lambda n, d: d.update({"b": n.Linear(3, 1), "z": n.ReLU()}),
    "update by pairs": lambda n, d: d.update([("b", n.ReLU())]),
    "clash": lambda n, d: operator.setitem(d, "forward", n.ReLU()),
    "a number": lambda n, d: operator.setitem(d, "b", 3),
    "iterate": lambda n, d: list(d),
}


@pytest.mark.parametrize("name", DICT)
def test_dictionaries_of_modules_go_as_in_pytorch(name: str) -> None:
    def result(layers: Any) -> Any:
        container = layers.ModuleDict({"a": layers.Linear(1, 1), "b": layers.Linear(2, 1)})
        try:
            value = DICT[name](layers, container)
        except (KeyError, TypeError) as error:
            return type(error)
        return repr(container), repr(value), list(container.state_dict())

    assert result(nn) == result(torch.nn)


def test_parameters_in_lists_and_dictionaries_are_known() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scales = nn.ParameterList([np.ones(2, np.float32), nn.Parameter(np.zeros(3, np.float32))])
            self.named = nn.ParameterDict({"a": np.ones(1, np.float32)})

    net = Net()
    assert list(net.state_dict()) == ["scales.0", "scales.1", "named.a"]
    net.scales.append(nn.Parameter(np.ones(4, np.float32)))
    net.scales[0] = np.zeros(2, np.float32)
    net.named["b"] = np.ones(5, np.float32)
    assert [p.shape for p in net.parameters()] == [(2,), (3,), (4,), (1,), (5,)]
    assert [p.shape for p in net.scales[1:]] == [(3,), (4,)]
    assert (len(net.scales), len(net.named), "a" in net.named, list(net.named)) == (3, 2, True, ["a", "b"])
    del net.named["a"]
    assert [name for name, _ in net.named.items()] == ["b"]
