"""Modules: parameters, buffers and sub-modules under names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from .. import _core
from .._core import Tensor
from .conversion import Convertible
from .hooks import Hooked
from .incompatible_keys import IncompatibleKeys
from .parameter import Parameter
from .registration import Registering
from .state_dict import StateArray, array_of, hints, require_state_dict

M = TypeVar("M", bound="Module")

_EXTRA = "_extra_state"  # PyTorch's name for it in a state dict


class Module(Registering, Hooked, Convertible):
    """Base of all models: assign parameters, buffers and sub-modules as attributes, and define `forward`.

    >>> from nnlite import nn
    >>> class Residual(nn.Module):
    ...     def __init__(self, size):
    ...         super().__init__()
    ...         self.linear = nn.Linear(size, size)
    ...     def forward(self, x):
    ...         return x + self.linear(x).relu()
    >>> [name for name, _ in Residual(3).named_parameters()]
    ['linear.weight', 'linear.bias']

    Copies (`copy.deepcopy`, pickling) keep parameters shared: tied ones, and those of an optimizer copied with its model. Computed
    tensors that `forward` stored on the module are detached.
    """

    training: bool

    def __init__(self) -> None:
        super().__init__()
        self.__dict__["training"] = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The computation; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    @staticmethod
    def largest_parameter(settings: Mapping[str, Any]) -> int:
        """Elements of the largest parameter of a layer with these settings, known before it is allocated.

        Layers with parameters that model files may hold define it.
        """
        return 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._hooks is None:
                return self.forward(*args, **kwargs)
            return self._forward_with_hooks(self.forward, args, kwargs)
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            _name_module(error, self)
            raise

    # Traversal

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it with dotted names, each once unless `remove_duplicate` is False."""
        seen = set() if memo is None else memo
        if remove_duplicate:
            if self in seen:
                return
            seen.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(seen, _joined(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        if type(self).named_modules is Module.named_modules:
            yield from _core.modules_below(self)
        else:
            yield from (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct sub-modules with their names; one that has several names appears once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The direct sub-modules, each once."""
        for _, module in self.named_children():
            yield module

    def _named_tensors(
        self, registry: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, tensor in getattr(module, registry).items():
                if tensor is None or (remove_duplicate and id(tensor) in seen):
                    continue
                seen.add(id(tensor))
                yield _joined(path, name), tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Parameters with dotted names; a shared one appears once unless `remove_duplicate` is False."""
        return self._named_tensors("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Parameters, for an optimizer."""
        if recurse and type(self).named_parameters is Module.named_parameters:
            yield from _core.tensors_below(self, "_parameters")
        else:
            yield from (parameter for _, parameter in self.named_parameters("", recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Buffers with dotted names; a shared one appears once unless `remove_duplicate` is False."""
        return self._named_tensors("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Buffers."""
        if recurse and type(self).named_buffers is Module.named_buffers:
            yield from _core.tensors_below(self, "_buffers")
        else:
            yield from (buffer for _, buffer in self.named_buffers("", recurse))

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name, such as "encoder.0"; AttributeError names the part that is missing."""
        module: Any = self
        for name in target.split(".") if target else ():
            found = module._modules.get(name)
            if found is None:
                raise AttributeError(f"{type(module).__name__} has no sub-module {name!r} (in {target!r})")
            module = found
        return module  # type: ignore[no-any-return]

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Sets the module of a dotted name; with `strict` it must already exist."""
        *parents, name = target.split(".")
        parent = self.get_submodule(".".join(parents))
        if strict:
            parent.get_submodule(name)
        if not isinstance(module, Module):
            raise ValueError(f"{target!r} must become a Module, got a {type(module).__name__}")
        setattr(parent, name, module)

    def _get_tensor(self, kind: str, registry: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        found = getattr(module, registry).get(name)
        if found is None:
            raise AttributeError(f"{type(module).__name__} has no {kind} {name!r} (in {target!r})")
        return found

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name, such as "encoder.0.weight"; AttributeError names the part that is missing."""
        return self._get_tensor("parameter", "_parameters", target)  # type: ignore[no-any-return]

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name, as `get_parameter`."""
        return self._get_tensor("buffer", "_buffers", target)  # type: ignore[no-any-return]

    # State

    def state_tensors(self) -> dict[str, Tensor]:
        """The tensors of the state dict, not copied; a shared one appears under each of its names."""
        state: dict[str, Tensor] = {}
        for prefix, module in self.named_modules(remove_duplicate=False):
            state.update((_joined(prefix, name), tensor) for name, tensor in module._own_state())
        return state

    def state_dict(
        self, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Copies of all parameters and buffers as NumPy arrays, under PyTorch's keys; with `keep_vars` the tensors themselves.

        They go into `destination` if given, under names that begin with `prefix`. PyTorch's `load_state_dict` takes the arrays too.
        """
        state: dict[str, Any] = {} if destination is None else destination
        for hook in self.hooks_of("state_dict_pre"):
            hook(self, prefix, keep_vars)
        for name, tensor in self._own_state():
            state[prefix + name] = tensor if keep_vars else tensor.detach().numpy().copy().view(StateArray)
        if self._has_extra_state():
            state[prefix + _EXTRA] = self.get_extra_state()
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self.hooks_of("state_dict_post"):
            replaced = hook(self, state, prefix, {})
            state = state if replaced is None else replaced
        return state

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        saved = {name: buffer for name, buffer in self._buffers.items() if name not in self._unsaved}
        for name, tensor in [*self._parameters.items(), *saved.items()]:
            if tensor is not None:
                yield name, tensor

    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not Module.get_extra_state

    def get_extra_state(self) -> Any:
        """Define it, with `set_extra_state`, to put more than tensors into the state dict; model files hold arrays only."""
        raise RuntimeError(f"{type(self).__name__} does not define get_extra_state()")

    def set_extra_state(self, state: Any) -> None:
        """Restores what `get_extra_state` returned."""
        raise RuntimeError(f"{type(self).__name__} does not define set_extra_state()")

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copies values (NumPy arrays, tensors of nnlite or PyTorch) into the parameters and buffers of the same names.

        With `assign` they take over the values' type and, where possible, memory. Raises TypeError for anything but a mapping,
        RuntimeError listing missing and unexpected entries (if `strict`) and wrong shapes, before anything changes (but see
        `register_load_state_dict_post_hook`). Returns (missing_keys, unexpected_keys).
        """
        require_state_dict(state_dict)
        state, own = dict(state_dict), self.state_tensors()
        found = IncompatibleKeys([], [])
        problems: list[str] = []
        modules = list(self.named_modules(remove_duplicate=False))
        for prefix, module in modules:
            for hook in module.hooks_of("load_state_dict_pre"):
                hook(module, state, _joined(prefix, ""), {}, strict, *found, problems)
        extra = {_joined(prefix, _EXTRA): module for prefix, module in modules if module._has_extra_state()}
        known = {**own, **extra}
        found.missing_keys.extend(key for key in known if key not in state)
        found.unexpected_keys.extend(key for key in state if key not in known)
        values = {key: array_of(state[key]) for key in own if key in state}
        for key, value in values.items():
            if value.shape != own[key].shape:
                problems.append(f"{key} has shape {value.shape} in the state dict, {own[key].shape} in the model")
            elif value.dtype.kind not in "fiub":
                problems.append(f"{key} has dtype {value.dtype}")
        later = [(hook, module) for _, module in modules for hook in module.hooks_of("load_state_dict_post")]
        self._require_loadable(problems + ([] if later or not strict else found.problems()), state, own)
        for key, value in values.items():
            if assign:
                own[key].data = _core.as_tensor(value)
            else:
                own[key].detach().copy_(value)
        for key, module in extra.items():
            if key in state:
                module.set_extra_state(state[key])
        for hook, module in later:
            hook(module, found)
        self._require_loadable(found.problems() if strict else [], state, own)
        return found

    def _require_loadable(self, problems: list[str], state: Mapping[str, Any], own: Mapping[str, Tensor]) -> None:
        if problems:
            problems += hints(state, own)
            raise RuntimeError(f"cannot load the state dict into {type(self).__name__}: " + "; ".join(problems))

    def fingerprint(self) -> str:
        """SHA-256 (hex) over names, types, shapes and little-endian bytes of all parameters and buffers.

        Equal fingerprints mean equal bits.
        """
        import hashlib

        digest = hashlib.sha256()
        for name, tensor in self.state_tensors().items():
            array = tensor.detach().numpy()
            digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
            digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        return digest.hexdigest()

    # Switches

    def train(self: M, mode: bool = True) -> M:
        """Training mode (dropout drops, batch normalisation updates) for this module and, through their `train`, its sub-modules.

        Override it for layers that should stay in evaluation mode, even in `Trainer.fit`:

        >>> from nnlite import nn
        >>> class FrozenNorm(nn.BatchNorm1d):
        ...     def train(self, mode=True):
        ...         return super().train(False)
        >>> nn.Sequential(nn.Linear(2, 3), FrozenNorm(3)).train()[1].training
        False
        """
        if not isinstance(mode, bool):
            raise ValueError(f"the mode must be True (training) or False (evaluation), got {mode!r}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: M) -> M:
        """Evaluation mode: `train(False)`."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Freezes (False) or unfreezes all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Sets the gradients of all parameters to None; with set_to_none=False to zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    def apply(self: M, fn: Callable[[Module], Any]) -> M:
        """Calls `fn` on every sub-module, then on this one (for initialisation)."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def extra_repr(self) -> str:
        """The settings shown in `repr`."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        extra = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({extra})"
        lines = extra.split("\n") * bool(extra) + lines
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


def _name_module(error: Exception, module: Module) -> None:
    """Appends to the message which sub-module raised it; each outer module gives a longer name."""
    if type(error).__str__ not in (Exception.__str__, BaseException.__str__):  # its message is not its argument
        return
    innermost, message = error.__dict__.setdefault("_raised_in", (module, error.args))
    if innermost is module or len(message) != 1 or not isinstance(message[0], str):
        return
    for name, other in module.named_modules():
        if other is innermost:
            error.args = (f"{message[0]} (in module {name!r}, {type(innermost).__name__})",)


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
