"""What all optimizers share: parameter groups and state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .. import _core
from .._core import Tensor
from ..autograd.grad_mode import enable_grad
from ..nn.options import number

State = dict[str, Any]  # what is remembered of one parameter, under PyTorch's names
Parameters = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]

# Options of PyTorch's groups that say how it computes, not what.
_PYTORCH_ONLY = ("foreach", "differentiable", "fused", "capturable")


class Optimizer:
    """Base of the optimizers: `param_groups` is a list of dictionaries with "params" and the options of each group.

    The groups may be edited: options take effect at the next step, and so do parameters that join or leave a group. A
    parameter that leaves and returns finds its state again.
    """

    param_groups: list[dict[str, Any]]
    requires_closure = False  # whether step() evaluates the loss itself
    _rule: ClassVar[str]  # the row of csrc/kernels/optimizers.hpp

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups = []
        # The native side of each group, and the parameters that it was made from.
        self._native: list[_core.ParameterGroup] = []
        self._held: list[tuple[Tensor, ...]] = []
        self._absent: dict[int, tuple[Tensor, State]] = {}  # state of parameters that have left the groups
        if hasattr(params, "parameters"):
            raise TypeError(
                f"params is a {type(params).__name__}: pass its parameters, as in SGD(model.parameters(), lr=0.1)"
            )
        if callable(params) and not isinstance(params, Tensor):
            name = getattr(params, "__name__", type(params).__name__)
            raise TypeError(f"params is the function {name} itself: call it, as in SGD(model.parameters(), lr=0.1)")
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
        if not isinstance(param_group, dict):
            raise TypeError(f"a parameter group must be a dictionary, got {type(param_group).__name__}")
        group = {**self.defaults, **param_group}
        group["params"], names = _split_names(_listed(group["params"]))
        if names:
            group["param_names"] = names
        if self.param_groups and ("param_names" in group) != ("param_names" in self.param_groups[0]):
            raise ValueError("either all parameter groups have names, or none has")
        self._check_kinds(group)
        self._check(group)
        _require_trainable([*(other["params"] for other in self.param_groups), group["params"]])
        self.native_groups()
        native = self._native_group(group["params"], self._states())
        self.param_groups.append(group)
        self._native = [*self._native, native]
        self._held = [*self._held, tuple(group["params"])]
        for parameter in group["params"]:
            self._absent.pop(id(parameter), None)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._absent = {id(tensor): (tensor, kept) for tensor, kept in self._absent.values()}  # of the copies

    def _check_kinds(self, options: Mapping[str, Any]) -> None:
        """Raises TypeError for options that are not numbers, switches for switches."""
        for name, default in self.defaults.items():
            if not isinstance(default, bool):
                number(f"{type(self).__name__}: {name}", options[name])
            elif not isinstance(options[name], bool | int | np.bool_):
                raise TypeError(f"{type(self).__name__}: {name} must be True or False, got {options[name]!r}")

    def require_options(self) -> None:
        """Raises KeyError for an option that was taken out of a group, TypeError for one that is no number by now."""
        for i, group in enumerate(self.param_groups):
            gone = [name for name in self.defaults if name not in group]
            if gone:
                raise KeyError(f"param_groups[{i}] has no {gone[0]!r} any more; set it again")
            self._check_kinds(group)

    def _check(self, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that make no sense."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets all gradients; with set_to_none=False fills them with zeros instead."""
        groups, held = self.param_groups, self._held
        if set_to_none:
            if len(groups) != 1 or len(held) != 1 or not self._native[0].zero_grad(groups[0]["params"], held[0]):
                for native, group in zip(self.native_groups(), groups, strict=True):
                    native.zero_grad(group["params"], tuple(group["params"]))
            return
        for group in groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update from the gradients; parameters without one are left alone. `closure` computes and returns the loss."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        groups, held = self.param_groups, self._held
        try:
            if len(groups) == len(held) == 1 and self._native[0].step(groups[0], held[0]):
                return loss  # your own loop pays for each microsecond
            _core.step_groups(self.native_groups(), groups)
        except (KeyError, TypeError):
            self.require_options()
            raise
        return loss

    def native_options(self) -> list[list[float]]:
        """The options of each group, for native epochs."""
        return [native.options(group) for native, group in zip(self.native_groups(), self.param_groups, strict=True)]

    @property
    def updates(self) -> int:
        """Counts all changes of parameters: equal before and after where nothing was changed."""
        return sum(group.steps for group in self.native_groups())

    def native_groups(self) -> list[_core.ParameterGroup]:
        """The native side of the groups as they are now, for captured programs."""
        groups, held = self.param_groups, self._held
        if len(groups) != len(held) or not all(
            _core.holds_same(group["params"], own) for group, own in zip(groups, held, strict=True)
        ):
            self._follow()
        return self._native

    def _follow(self) -> None:
        """Makes the native side anew where `param_groups` was edited; nothing changes where the edit is refused."""
        lists = [_listed(group["params"]) for group in self.param_groups]
        _require_trainable(lists)
        states = self._states()
        known = {tuple(map(id, held)): native for held, native in zip(self._held, self._native, strict=True)}
        natives = [known.get(tuple(map(id, params))) or self._native_group(params, states) for params in lists]
        for group, params in zip(self.param_groups, lists, strict=True):
            group["params"] = params
        self._native, self._held = natives, [tuple(params) for params in lists]
        present = {id(parameter) for params in lists for parameter in params}
        self._absent = {key: entry for key, entry in states.items() if key not in present}

    def _states(self) -> dict[int, tuple[Tensor, State]]:
        """Each parameter with its state, by identity."""
        states = dict(self._absent)
        for held, native in zip(self._held, self._native, strict=True):
            for parameter, state in zip(held, native.states, strict=True):
                if state:
                    states[id(parameter)] = parameter, state
        return states

    def _native_group(
        self, params: Sequence[Tensor], states: Mapping[int, tuple[Tensor, State]]
    ) -> _core.ParameterGroup:
        return _core.ParameterGroup(self._rule, params, [states[id(p)][1] if id(p) in states else {} for p in params])

    def state_dict(self) -> dict[str, Any]:
        """State and groups in PyTorch's layout: parameters by number, what is remembered of them as NumPy arrays."""
        state: dict[int, State] = {}
        groups = []
        number = 0
        for native, group in zip(self.native_groups(), self.param_groups, strict=True):
            numbers = list(range(number, number + len(group["params"])))
            number += len(numbers)
            state.update({index: kept for index, kept in zip(numbers, native.states, strict=True) if kept})
            options = {k: v.item() if isinstance(v, Tensor) else v for k, v in group.items() if k != "params"}
            groups.append({**options, "params": numbers})
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over options and state from a state dict of this class or of PyTorch's of the same name.

        Raises KeyError for a missing entry, ValueError for groups or buffers of another size and for options out of
        range, TypeError for options that are no numbers; the optimizer is then as it was.
        """
        self.native_groups()
        groups = _groups_of(state_dict, [len(held) for held in self._held])
        options = [self._loaded_options(group) for group in groups]
        natives = [
            self._native_group(held, self._loaded_states(held, group["params"], state_dict["state"]))
            for held, group in zip(self._held, groups, strict=True)
        ]
        for own, new in zip(self.param_groups, options, strict=True):
            kept = {key: value for key, value in own.items() if key in ("params", "param_names")}
            own.clear()
            own.update(new)
            own.update(kept)
        self._native = natives
        self._absent = {}

    def _loaded_options(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a saved group; a switch that it does not know is at its default, as in PyTorch."""
        left_out = ("params", "param_names", *_PYTORCH_ONLY)
        options = {key: _plain(value) for key, value in group.items() if key not in left_out}
        for key, default in self.defaults.items():
            if key not in options and not isinstance(default, bool):
                raise KeyError(f"a parameter group of the state dict has no {key!r}")
        options = {**{key: _plain(value) for key, value in self.defaults.items()}, **options}
        self._check_kinds(options)
        self._check({**options, "lr": abs(options["lr"])})  # a schedule may have taken the rate below 0
        return options

    def _loaded_states(
        self, params: Sequence[Tensor], numbers: Iterable[Any], state: Mapping[Any, Any]
    ) -> dict[int, tuple[Tensor, State]]:
        """Each parameter of a group with its saved state."""
        names = self._native[0].state_names
        found: dict[int, tuple[Tensor, State]] = {}
        for parameter, key in zip(params, numbers, strict=True):
            entry = state.get(key, {})
            if not isinstance(entry, Mapping):
                raise TypeError(f"the state of parameter {key} must be a dictionary, got {type(entry).__name__}")
            kept = {name: _buffer(entry[name], name, key, parameter) for name in names if entry.get(name) is not None}
            if kept:
                found[id(parameter)] = parameter, kept
        return found

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {value}" for key, value in sorted(group.items()) if key != "params"]
        return "\n".join([*lines, ")"])


def _plain(value: Any) -> Any:
    """A number of NumPy's, or of a tensor, as Python's own."""
    is_single = hasattr(value, "item") and hasattr(value, "ndim") and np.asarray(value).size == 1
    return value.item() if is_single else value


def _listed(params: Any) -> list[Any]:
    if isinstance(params, set | frozenset):
        raise TypeError("params must come in an order, and a set has none: use a list")
    return [params] if isinstance(params, Tensor) else list(params)


def _split_names(entries: Sequence[Any]) -> tuple[list[Any], list[str]]:
    """(parameters, names) of `model.parameters()`, which has no names, or `model.named_parameters()`."""
    named = [entry for entry in entries if isinstance(entry, tuple)]
    if not named:
        return list(entries), []
    if len(named) != len(entries):
        raise ValueError("either all parameters of a group have names, or none has")
    names = [name for name, _ in named]
    if len(set(names)) != len(names):
        raise ValueError(f"a name appears more than once among the parameters: {names}")
    return [parameter for _, parameter in named], names


def _require_trainable(groups: Iterable[Iterable[Any]]) -> None:
    """Each parameter must be a leaf tensor and be in one place only."""
    known: set[int] = set()
    for parameter in (parameter for group in groups for parameter in group):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"the optimizer can only train tensors, got {type(parameter).__name__}")
        if not parameter.is_leaf:
            raise ValueError("the optimizer can only train leaf tensors, got a computed one")
        if id(parameter) in known:
            raise ValueError("a parameter appears in more than one place of the parameter groups")
        known.add(id(parameter))


def _groups_of(state_dict: Mapping[str, Any], own: list[int]) -> list[Mapping[str, Any]]:
    """The groups of a state dict, if they are of the sizes `own`."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"an optimizer loads a dictionary, such as state_dict() gives, got {state_dict!r}")
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
            f"the state dict has a state for parameter {strange[0]!r}, which is not among the 'params' of its groups, {numbers}"
        )
    return groups


def _buffer(value: Any, name: str, key: Any, parameter: Tensor) -> np.ndarray[Any, Any]:
    buffer = np.asarray(value.detach() if hasattr(value, "detach") else value)
    if buffer.dtype.kind not in "fiub":
        raise TypeError(f"the {name} of parameter {key} has dtype {buffer.dtype}")
    if buffer.shape != parameter.shape:
        raise ValueError(f"the {name} of parameter {key} has shape {buffer.shape}, its parameter {parameter.shape}")
    return buffer
