"""State dicts of optimizers: checking, reading and writing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._core import Tensor
from ..nn.options import number

State = dict[str, Any]  # of one parameter, under PyTorch's names


def plain(value: Any) -> Any:
    """A NumPy number or one-element tensor as a Python number."""
    is_single = hasattr(value, "item") and hasattr(value, "ndim") and np.asarray(value).size == 1
    return value.item() if is_single else value


def groups_of(state_dict: Mapping[str, Any], own: list[int]) -> list[Mapping[str, Any]]:
    """The groups of a state dict, which must have the sizes `own`."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"an optimizer loads a dictionary, as from state_dict(), got {state_dict!r}")
    for key in ("state", "param_groups"):
        if key not in state_dict:
            raise KeyError(f"the state dict of an optimizer needs {key!r}; it has {', '.join(map(repr, state_dict))}")
    groups = list(state_dict["param_groups"])
    if not all(isinstance(group, Mapping) for group in groups) or not isinstance(state_dict["state"], Mapping):
        raise TypeError("the state dict needs a list of dictionaries as 'param_groups' and a dictionary as 'state'")
    if any("params" not in group for group in groups):
        raise KeyError("a parameter group of the state dict has no 'params'")
    if not all(isinstance(group["params"], list | tuple) for group in groups):
        raise TypeError("a parameter group of the state dict needs a list of numbers as 'params'")
    sizes = [len(group["params"]) for group in groups]
    if sizes != own:
        raise ValueError(f"the state dict has parameter groups of sizes {sizes}, the optimizer {own}")
    numbers = [index for group in groups for index in group["params"]]
    strange = [key for key in state_dict["state"] if key not in numbers]
    if strange:
        raise ValueError(
            f"the state dict has state for parameter {strange[0]!r}, which is not among the 'params' of its groups, {numbers}"
        )
    return groups


def loaded_state(entry: Any, key: Any, parameter: Tensor, buffers: Iterable[str], numbers: Iterable[str]) -> State:
    """A parameter's saved state for a native optimizer: the `buffers` present and, with any of them, the `numbers`."""
    entry = _entry(entry, key)
    kept: State = {name: _buffer(entry[name], name, key, parameter) for name in buffers if entry.get(name) is not None}
    for name in numbers if kept else ():
        if name not in entry:
            raise KeyError(f"the state of parameter {key} has no {name!r}")
        kept[name] = number(f"the {name} of parameter {key}", entry[name])
        if not 0 <= kept[name] < 2**53:
            raise ValueError(f"the {name} of parameter {key} must be at least 0, got {kept[name]}")
    return kept


def saved_state(entry: State | None) -> State:
    """A Python optimizer's state of a parameter, tensors as arrays."""
    return {name: v.detach().numpy().copy() if isinstance(v, Tensor) else v for name, v in (entry or {}).items()}


def restored_state(entry: Any, key: Any, parameter: Tensor) -> State:
    """The inverse of `saved_state`: arrays become tensors, floats in the parameter's type, as in PyTorch."""
    restored = {}
    for name, value in _entry(entry, key).items():
        if isinstance(value, np.ndarray | Tensor):
            value = Tensor(np.array(value, parameter.dtype if value.dtype.kind == "f" and name != "step" else None))
        restored[name] = value
    return restored


def _entry(entry: Any, key: Any) -> Mapping[str, Any]:
    if entry is None:
        return {}
    if not isinstance(entry, Mapping):
        raise TypeError(f"the state of parameter {key} must be a dictionary, got {type(entry).__name__}")
    return entry


def _buffer(value: Any, name: str, key: Any, parameter: Tensor) -> np.ndarray[Any, Any]:
    buffer = np.asarray(value.detach() if hasattr(value, "detach") else value)
    if buffer.dtype.kind not in "fiub":
        raise TypeError(f"the {name} of parameter {key} has dtype {buffer.dtype}")
    if buffer.shape != parameter.shape:
        raise ValueError(f"the {name} of parameter {key} has shape {buffer.shape}, its parameter {parameter.shape}")
    return buffer
