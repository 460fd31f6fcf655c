"""Containers behave as PyTorch's do."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
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
def test_lists_of_modules_behave_as_in_pytorch(name: str, kind: str) -> None:
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
    """In PyTorch the new module replaces an existing one with the same number."""
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
def test_dictionaries_of_modules_behave_as_in_pytorch(name: str) -> None:
    def result(layers: Any) -> Any:
        container = layers.ModuleDict({"a": layers.Linear(1, 1), "b": layers.Linear(2, 1)})
        try:
            value = DICT[name](layers, container)
        except (KeyError, TypeError) as error:
            return type(error)
        return repr(container), repr(value), list(container.state_dict())

    assert result(nn) == result(torch.nn)


def test_parameters_in_lists_and_dictionaries_are_found() -> None:
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


REPEATS: dict[str, Callable[[Any], Any]] = {
    "times": lambda c: c * 2,
    "times from the left": lambda c: 3 * c,
    "times in place": lambda c: operator.imul(c, 2),
    "none": lambda c: c * 0,
    "no number": lambda c: c * "2",
}


@pytest.mark.parametrize("name", REPEATS)
def test_sequentials_repeat_as_in_pytorch(name: str) -> None:
    def outcome_of(layers: Any) -> Any:
        container = layers.Sequential(layers.Linear(2, 2), layers.ReLU())
        try:
            result = REPEATS[name](container)
        except (TypeError, ValueError) as error:
            return type(error)
        return repr(result), result[0] is result[2], list(result.state_dict()), len(container)

    assert outcome_of(nn) == outcome_of(torch.nn)


def of_modules(n: Any) -> Any:
    d = n.ModuleDict({"a": n.Linear(2, 1), "b": n.ReLU()})
    d.update([("c", n.Tanh()), ("a", n.Linear(3, 1))])
    popped = d.pop("b")
    seen = [list(d), list(d.keys()), len(d), "a" in d, "b" in d, type(popped).__name__, [k for k, _ in d.items()]]
    seen.append([type(v).__name__ for v in d.values()])
    d.update(n.ModuleDict({"z": n.ReLU()}))
    del d["a"]
    seen.append(list(d))
    d.clear()
    return [*seen, len(d), repr(d)]


def of_parameters(n: Any) -> Any:
    def p(size: int) -> Any:
        return n.Parameter((nl if n is nn else torch).ones(size))

    d = n.ParameterDict({"a": p(1), "b": p(2)})
    d["c"] = (nl if n is nn else torch).ones(3)
    d.update([("d", p(4))])
    seen = [list(d), list(reversed(d)), d.get("x", 5), "a" in d, len(d), [tuple(v.shape) for v in d.values()]]
    seen += [list(d.copy()), d.copy()["a"] is d["a"], tuple(d.setdefault("e", p(5)).shape), d.setdefault("a") is d["a"]]
    seen += [list(d | n.ParameterDict({"z": p(1)})), list({"y": p(1)} | d), list(d.fromkeys(["k", "l"], p(6)))]
    d |= n.ParameterDict({"w": p(1)})
    last = d.popitem()
    seen += [last[0], d.pop("a").shape[0], list(d.state_dict()), type(d["c"]).__name__]
    d.clear()
    return [*seen, len(d)]


def of_parameter_lists(n: Any) -> Any:
    library = nl if n is nn else torch
    values = n.ParameterList([n.Parameter(library.ones(1)), library.ones(2)])
    values += [library.ones(3)]
    values.append(library.ones(4)).extend([library.ones(5)])
    values[0] = n.Parameter(library.ones(6))
    seen = [len(values), [v.shape[0] for v in values], [v.shape[0] for v in values[1:3]], values[-1].shape[0]]
    return [*seen, list(values.state_dict()), type(values[1]).__name__, values[1:][0] is values[1]]


@pytest.mark.parametrize("program", [of_modules, of_parameters, of_parameter_lists])
def test_a_program_does_the_same_with_both_libraries(program: Callable[[Any], Any]) -> None:
    assert program(nn) == program(torch.nn)
