"""What all optimizers share: parameter groups and state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor

Parameters = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]


class Optimizer:
    """Base of the optimizers: `param_groups` is a list of dictionaries with "params" and the options of each group."""

    param_groups: list[dict[str, Any]]

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups = []
        self._native: list[_core.SGDGroup] = []
        if isinstance(params, Tensor):
            raise TypeError(
                "params must be an iterable of parameters (model.parameters()) or of groups, not one tensor"
            )
        entries: list[Any] = list(params)
        if not entries:
            raise ValueError("the optimizer got an empty list of parameters")
        groups = entries if isinstance(entries[0], dict) else [{"params": entries}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group with its own options, for layers that join the training later."""
        group = dict(param_group)
        params = group["params"]
        group["params"] = [params] if isinstance(params, Tensor) else [_tensor_of(entry) for entry in params]
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for parameter in group["params"]:
            if not isinstance(parameter, Tensor):
                raise TypeError(f"the optimizer can only train tensors, got {type(parameter).__name__}")
            if not parameter.is_leaf:
                raise ValueError("the optimizer can only train leaf tensors, got a computed one")
            if id(parameter) in known:
                raise ValueError("a parameter appears in more than one place of the parameter groups")
            known.add(id(parameter))
        options = {**self.defaults, **{k: v for k, v in group.items() if k != "params"}}
        self._check(options)
        self.param_groups.append({"params": group["params"], **options})
        self._native.append(_core.SGDGroup(group["params"]))

    def _check(self, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that make no sense."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets all gradients; with set_to_none=False fills them with zeros instead."""
        for native, group in zip(self._native, self.param_groups, strict=True):
            if set_to_none:
                native.zero_grad()
                continue
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update from the gradients; `closure` computes and returns the loss anew, if given."""
        raise NotImplementedError

    def native_groups(self) -> list[_core.SGDGroup]:
        """The native side of the groups, for captured programs."""
        return self._native

    def state_dict(self) -> dict[str, Any]:
        """State and groups in PyTorch's layout: parameters by number, momentum buffers as NumPy arrays."""
        state: dict[int, dict[str, Any]] = {}
        groups = []
        number = 0
        for native, group in zip(self._native, self.param_groups, strict=True):
            numbers = list(range(number, number + len(group["params"])))
            number += len(numbers)
            for index, buffer in zip(numbers, native.momentum_buffers, strict=True):
                if buffer is not None:
                    state[index] = {"momentum_buffer": buffer}
            groups.append({**{k: v for k, v in group.items() if k != "params"}, "params": numbers})
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over options and momentum buffers; ValueError where the groups do not fit, before anything changes."""
        groups = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in groups]
        own = [len(group["params"]) for group in self.param_groups]
        if sizes != own:
            raise ValueError(f"the state dict has parameter groups of sizes {sizes}, the optimizer {own}")
        for group in groups:
            self._check({**self.defaults, **group})
        buffers = [self._buffers_for(group["params"], state_dict["state"]) for group in groups]
        for native, values in zip(self._native, buffers, strict=True):
            native.momentum_buffers = values
        for group, loaded in zip(self.param_groups, groups, strict=True):
            group.update({k: v for k, v in loaded.items() if k in self.defaults})

    @staticmethod
    def _buffers_for(numbers: Iterable[int], state: Mapping[int, Any]) -> list[Any]:
        values = (state.get(number, {}).get("momentum_buffer") for number in numbers)
        return [None if value is None else np.asarray(value) for value in values]

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {value}" for key, value in sorted(group.items()) if key != "params"]
        return "\n".join([*lines, ")"])


def _tensor_of(entry: Any) -> Any:
    return entry[1] if isinstance(entry, tuple) else entry
