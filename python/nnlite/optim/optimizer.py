"""The base of all optimizers: parameter groups and state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from .. import _core
from .._core import Tensor
from ..autograd.grad_mode import enable_grad
from .arguments import listed, require_kind, require_not_negative, require_trainable, split_names
from .saved import State, groups_of, loaded_state, plain, restored_state, saved_state

Parameters = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]

# Options of PyTorch's groups that say how it computes, not what.
_PYTORCH_ONLY = ("foreach", "differentiable", "fused", "capturable")


class Optimizer:
    """Base of the optimizers: `param_groups` is a list of dictionaries with "params" and the options of each group.

    The groups may be edited: new options, and parameters added or removed, take effect at the next step. A removed
    parameter keeps its state.

    A custom optimizer overrides `step` and keeps its state in `self.state[parameter]`. `Trainer.fit` then runs
    operation by operation; the optimizers of this module run natively.

    >>> from nnlite import no_grad, nn, optim
    >>> class Descent(optim.Optimizer):
    ...     def __init__(self, params, lr=1e-3):
    ...         super().__init__(params, {"lr": lr})
    ...     @no_grad()
    ...     def step(self, closure=None):
    ...         for group in self.param_groups:
    ...             for p in group["params"]:
    ...                 if p.grad is not None:
    ...                     p.add_(p.grad, alpha=-group["lr"])
    >>> optimizer = Descent(nn.Linear(2, 1).parameters())
    """

    param_groups: list[dict[str, Any]]
    requires_closure = False  # whether step() evaluates the loss itself
    _rule: ClassVar[str | None] = None  # the row of csrc/kernels/optimizers.hpp; None: step() is Python's
    _not_negative: ClassVar[tuple[str, ...]] = ()  # options

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups = []
        # The native side of each group, and the parameters that it was made from.
        self._native: list[_core.ParameterGroup] = []
        self._held: list[tuple[Tensor, ...]] = []
        self._absent: dict[int, tuple[Tensor, State]] = {}  # state of parameters removed from the groups
        self._own_state: defaultdict[Tensor, State] = defaultdict(dict)  # of a Python optimizer
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
        """Adds a group with its own options, for layers to be trained later."""
        if not isinstance(param_group, dict):
            raise TypeError(f"a parameter group must be a dictionary, got {type(param_group).__name__}")
        group = {**self.defaults, **param_group}
        group["params"], names = split_names(listed(group["params"]))
        if names:
            group["param_names"] = names
        if self.param_groups and ("param_names" in group) != ("param_names" in self.param_groups[0]):
            raise ValueError("either all parameter groups have names, or none has")
        self._check_kinds(group)
        self._check(group)
        require_trainable([*(other["params"] for other in self.param_groups), group["params"]])
        self.native_groups()
        native = self._native_group(group["params"], self._states())
        self.param_groups.append(group)
        self._native = [*self._native, native]
        self._held = [*self._held, tuple(group["params"])]
        for parameter in group["params"]:
            self._absent.pop(id(parameter), None)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._absent = {id(tensor): (tensor, kept) for tensor, kept in self._absent.values()}  # the copies' ids

    @property
    def is_native(self) -> bool:
        """Whether steps are native, so that a program can capture them."""
        return self._rule is not None

    @property
    def state(self) -> Mapping[Tensor, Any]:
        """Each parameter's state, under PyTorch's names; of a native optimizer, a read-only copy."""
        if not self.is_native:
            return self._own_state
        return {parameter: MappingProxyType(kept) for parameter, kept in self._states().values()}

    @state.setter
    def state(self, state: Mapping[Tensor, Mapping[str, Any]]) -> None:
        if not self.is_native:
            self._own_state = defaultdict(dict, {parameter: dict(kept) for parameter, kept in state.items()})
            return
        names = {id(parameter): parameter for parameter in state}
        self._native = [
            self._loaded_group(held, list(map(id, held)), {key: state[p] for key, p in names.items()})
            for held in self._held
        ]
        self._absent = {}

    def _check_kinds(self, options: Mapping[str, Any]) -> None:
        """Raises TypeError for options that are not of their defaults' kind: numbers, pairs of numbers, bools."""
        for name, default in self.defaults.items():
            if type(options[name]) is not type(default) or type(default) not in (bool, int, float):
                require_kind(f"{type(self).__name__}: {name}", options[name], default)

    def require_options(self) -> None:
        """Raises KeyError for an option removed from a group, TypeError for one of the wrong kind."""
        for i, group in enumerate(self.param_groups):
            gone = [name for name in self.defaults if name not in group]
            if gone:
                raise KeyError(f"param_groups[{i}] no longer has {gone[0]!r}; set it again")
            self._check_kinds(group)

    def _check(self, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options out of range."""
        require_not_negative(type(self).__name__, options, *self._not_negative)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Sets all gradients to None; with set_to_none=False to zeros."""
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
        """One update from the gradients; parameters without one do not change. `closure` computes and returns the loss."""
        if not self.is_native:
            raise NotImplementedError(f"{type(self).__name__} must override step()")
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
        """A count that every change of parameters raises."""
        return sum(group.steps if self.is_native else group.changes for group in self.native_groups())

    def native_groups(self) -> list[_core.ParameterGroup]:
        """The native side of the groups as they are now, for captured programs."""
        groups, held = self.param_groups, self._held
        if len(groups) == len(held) == 1 and _core.holds_same(groups[0]["params"], held[0]):
            return self._native
        if len(groups) != len(held) or not all(
            _core.holds_same(group["params"], own) for group, own in zip(groups, held, strict=True)
        ):
            self._follow()
        return self._native

    def _follow(self) -> None:
        """Rebuilds the native side after an edit of `param_groups`; a refused edit changes nothing."""
        lists = [listed(group["params"]) for group in self.param_groups]
        require_trainable(lists)
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
        # A Python optimizer's group only holds parameters and clears gradients.
        kept = [states[id(p)][1] if id(p) in states else {} for p in params]
        return _core.ParameterGroup(self._rule or "SGD", params, kept)

    def _loaded_group(
        self, params: Sequence[Tensor], keys: Iterable[Any], state: Mapping[Any, Any]
    ) -> _core.ParameterGroup:
        """The native side of a group with its saved state."""
        group = _core.ParameterGroup(self._rule or "SGD", params)
        group.states = [
            loaded_state(state.get(key), key, parameter, group.state_names, group.number_names)
            for parameter, key in zip(params, keys, strict=True)
        ]
        return group

    def state_dict(self) -> dict[str, Any]:
        """State and groups in PyTorch's layout: parameters by number, their state as NumPy arrays."""
        state: dict[int, State] = {}
        groups = []
        number = 0
        for native, group in zip(self.native_groups(), self.param_groups, strict=True):
            numbers = list(range(number, number + len(group["params"])))
            number += len(numbers)
            kept = native.states if self.is_native else [saved_state(self._own_state.get(p)) for p in group["params"]]
            state.update({index: entry for index, entry in zip(numbers, kept, strict=True) if entry})
            options = {k: v.item() if isinstance(v, Tensor) else v for k, v in group.items() if k != "params"}
            groups.append({**options, "params": numbers})
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Loads options and state from a state dict of this class or of PyTorch's class of that name.

        Raises KeyError for a missing entry, ValueError for groups or buffers of another size and for options out of
        range, TypeError for options that are not numbers; the optimizer is then unchanged.
        """
        self.native_groups()
        groups = groups_of(state_dict, [len(held) for held in self._held])
        options = [self._loaded_options(group) for group in groups]
        places = [(held, group["params"]) for held, group in zip(self._held, groups, strict=True)]
        if self.is_native:
            self._native = [self._loaded_group(held, keys, state_dict["state"]) for held, keys in places]
        else:
            pairs = [pair for held, keys in places for pair in zip(held, keys, strict=True)]
            saved = {p: restored_state(state_dict["state"].get(key), key, p) for p, key in pairs}
            self.state = {p: entry for p, entry in saved.items() if entry}
        for own, new in zip(self.param_groups, options, strict=True):
            kept = {key: value for key, value in own.items() if key in ("params", "param_names")}
            own.clear()
            own.update(new)
            own.update(kept)
        self._absent = {}

    def _loaded_options(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a saved group; missing bools have their defaults, as in PyTorch."""
        left_out = ("params", "param_names", *_PYTORCH_ONLY)
        options = {key: plain(value) for key, value in group.items() if key not in left_out}
        for key, default in self.defaults.items():
            if key not in options and not isinstance(default, bool):
                raise KeyError(f"a parameter group of the state dict has no {key!r}")
        options = {**{key: plain(value) for key, value in self.defaults.items()}, **options}
        self._check_kinds(options)
        lr = {"lr": abs(options["lr"])} if "lr" in options else {}  # a schedule may have taken it below 0
        self._check({**options, **lr})
        return options

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {value}" for key, value in sorted(group.items()) if key != "params"]
        return "\n".join([*lines, ")"])
