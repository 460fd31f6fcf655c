"""Arguments and defaults are PyTorch's, in PyTorch's order; what is left out stands in docs/pytorch.md and is refused by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnlite import nn, optim
from nnlite.nn import functional as F

PAGE = Path(__file__).parents[1] / "docs/pytorch.md"

LEFT_OUT = {
    "size_average", "reduce", "device", "dtype", "inplace", "max_norm", "norm_type", "scale_grad_by_freq", "sparse",
    "_weight", "_freeze", "foreach", "fused", "differentiable", "capturable", "generator", "assign", "destination", "prefix",
    "keep_vars",
}  # fmt: skip
LEFT_OUT_HERE = {"BatchNorm1d": {"bias"}, "mse_loss": {"weight"}, "l1_loss": {"weight"}, "huber_loss": {"weight"}}
ONLY_OURS = {"MLP"}
FREE = {"args", "kwargs", "_stacklevel"}  # what PyTorch's signature does not say, or is not for users
FIRST = {"x": "input", "indices": "input"}
METHODS = [
    "load_state_dict", "state_dict", "named_parameters", "named_buffers", "named_modules", "parameters", "buffers", "zero_grad",
    "train", "eval", "requires_grad_", "register_buffer", "register_parameter", "add_module", "apply", "named_children",
]  # fmt: skip


def pairs() -> list[tuple[str, Callable[..., Any], Callable[..., Any]]]:
    found: list[tuple[str, Any, Any]] = []
    for name in nn.__all__:
        ours = getattr(nn, name)
        if inspect.isclass(ours) and name not in ONLY_OURS and ours not in (nn.Module, nn.Parameter):
            found.append((name, ours.__init__, getattr(torch.nn, name).__init__))
    for module, theirs in [(F, torch.nn.functional), (nn.init, torch.nn.init)]:
        for name, ours in vars(module).items():
            if inspect.isfunction(ours) and ours.__module__ == module.__name__ and not name.startswith("_"):
                found.append((name, ours, getattr(theirs, name)))
    for name in optim.__all__:
        for theirs in (torch.optim, torch.optim.lr_scheduler, torch.nn.utils):
            if hasattr(theirs, name) and not inspect.ismodule(getattr(optim, name)):
                found.append((name, getattr(optim, name), getattr(theirs, name)))
                break
    found += [(name, getattr(nn.Module, name), getattr(torch.nn.Module, name)) for name in METHODS]
    return [pair for pair in found if has_signature(pair[2])]


def has_signature(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function)
    except ValueError:
        return False
    return True


def parameters_of(function: Callable[..., Any]) -> dict[str, Any]:
    found = {name: p.default for name, p in inspect.signature(function).parameters.items() if name != "self"}
    return {FIRST.get(name, name): default for name, default in found.items() if name not in FREE}


def same_default(ours: Any, theirs: Any) -> bool:
    if theirs is torch.float32 or (ours is np.float32 and theirs is None):
        return ours in (None, np.float32)
    return bool(ours == theirs)


@pytest.mark.parametrize(("name", "ours", "theirs"), pairs(), ids=lambda value: value if isinstance(value, str) else "")
def test_arguments_are_pytorchs(name: str, ours: Callable[..., Any], theirs: Callable[..., Any]) -> None:
    taken, known = parameters_of(ours), parameters_of(theirs)
    missing = set(known) - set(taken)
    assert missing <= LEFT_OUT | LEFT_OUT_HERE.get(name, set())
    assert [n for n in taken if n in known] == [n for n in known if n in taken]
    for argument in set(taken) & set(known):
        assert same_default(taken[argument], known[argument]), argument
    for argument in missing:
        with pytest.raises(TypeError, match=f"'{argument}'"):
            inspect.signature(ours).bind_partial(**{argument: None})


def test_every_pair_is_compared() -> None:
    names = [name for name, _, _ in pairs()]
    assert {"Linear", "CrossEntropyLoss", "cross_entropy", "kaiming_uniform_", "SGD", "StepLR", "train"} <= set(names)
    assert len(names) > 70


@pytest.mark.skipif(not PAGE.exists(), reason="needs the documentation")
def test_the_page_lists_what_is_left_out() -> None:
    page = PAGE.read_text()
    for name in LEFT_OUT.union(*LEFT_OUT_HERE.values()):
        assert f"`{name}`" in page, name
