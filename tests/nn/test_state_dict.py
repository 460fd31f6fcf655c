"""Invalid state dicts and those of another model: errors say what is wrong and what to do."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from nnlite import nn

MODEL = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
STATE = {name: value + 1 for name, value in MODEL.state_dict().items()}


def refused(state: object) -> str:
    before = MODEL.fingerprint()
    with pytest.raises((TypeError, RuntimeError)) as caught:
        MODEL.load_state_dict(state)
    assert MODEL.fingerprint() == before
    return str(caught.value)


@pytest.mark.parametrize("state", [None, 3, [1], "m.safetensors", Path("m.safetensors"), MODEL])
def test_state_dicts_that_are_not_mappings(state) -> None:
    with pytest.raises(TypeError, match=f"maps names to arrays, got a {type(state).__name__}"):
        MODEL.load_state_dict(state)
    assert ("nl.load(path)" in refused(state)) == isinstance(state, str | Path)
    assert ("sequential.state_dict()" in refused(state)) == (state is MODEL)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_a_nested_state_dict(key) -> None:
    assert f"load state_dict[{key!r}]" in refused({key: STATE, "epoch": 3, "optimizer": {"state": {}}})


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "module.net."])
def test_names_with_a_prefix(prefix) -> None:
    wrapped = OrderedDict((prefix + name, value) for name, value in STATE.items())
    advice = refused(wrapped)
    assert f"begin with {prefix!r}" in advice
    fixed = {name.removeprefix(prefix): value for name, value in wrapped.items()}
    nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).load_state_dict(fixed)


def test_names_without_the_models_prefix() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))

    with pytest.raises(RuntimeError, match=r"the model's names begin with 'layers.': load \{'layers.' \+ name: value"):
        Net().load_state_dict(STATE)


def test_keys_that_are_not_strings() -> None:
    assert "unexpected keys: 0" in refused({**STATE, 0: np.ones(1)})


def test_a_state_dict_of_torch() -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    model.load_state_dict(theirs.state_dict())
    assert "begin with 'module.'" in refused(torch.nn.DataParallel(theirs).state_dict())
