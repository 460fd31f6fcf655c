"""Modules: parameters, buffers and sub-modules under names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .._core import Tensor
from .conversion import convert, floating_dtype
from .parameter import Parameter
from .registration import Registering
from .state_dict import hints, require_state_dict

M = TypeVar("M", bound="Module")
Array = np.ndarray[Any, Any]


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` left out."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module(Registering):
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
            return self.forward(*args, **kwargs)
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
        for _, module in self.named_modules():
            yield module

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
        for _, parameter in self.named_parameters("", recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Buffers with dotted names; a shared one appears once unless `remove_duplicate` is False."""
        return self._named_tensors("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Buffers."""
        for _, buffer in self.named_buffers("", recurse):
            yield buffer

    # State

    def state_tensors(self) -> dict[str, Tensor]:
        """The tensors of the state dict, not copied; a shared one appears under each of its names."""
        state: dict[str, Tensor] = {}
        for prefix, module in self.named_modules(remove_duplicate=False):
            saved = {name: buffer for name, buffer in module._buffers.items() if name not in module._unsaved}
            for name, tensor in [*module._parameters.items(), *saved.items()]:
                if tensor is not None:
                    state[_joined(prefix, name)] = tensor
        return state

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and buffers as NumPy arrays, under PyTorch's keys."""
        return {name: tensor.detach().numpy().copy() for name, tensor in self.state_tensors().items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copies values (NumPy arrays, tensors of nnlite or PyTorch) into the parameters and buffers of the same names.

        Raises TypeError for anything but a mapping, RuntimeError listing missing and unexpected entries (if `strict`) and wrong
        shapes, before anything changes. Returns (missing_keys, unexpected_keys).
        """
        require_state_dict(state_dict)
        own = self.state_tensors()
        missing = [key for key in own if key not in state_dict]
        unexpected = [key for key in state_dict if key not in own]
        problems = []
        if strict and missing:
            problems.append("missing keys: " + ", ".join(missing))
        if strict and unexpected:
            problems.append("unexpected keys: " + ", ".join(map(str, unexpected)))
        values = {key: _array_of(value) for key, value in state_dict.items() if key in own}
        for key, value in values.items():
            if value.shape != own[key].shape:
                problems.append(f"{key} has shape {value.shape} in the state dict, {own[key].shape} in the model")
            elif value.dtype.kind not in "fiub":
                problems.append(f"{key} has dtype {value.dtype}")
        if problems:
            problems += hints(state_dict, own)
            raise RuntimeError(f"cannot load the state dict into {type(self).__name__}: " + "; ".join(problems))
        for key, value in values.items():
            own[key].detach().copy_(value)
        return IncompatibleKeys(missing, unexpected)

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

    def to(self: M, *args: Any, **kwargs: Any) -> M:
        """Makes all floating parameters, buffers and gradients float32 or float64: `to(np.float64)`, `to("float64")`.

        In place: shared tensors stay shared, and an optimizer keeps training them, with its state converted.
        `to("cpu")` changes nothing. Raises TypeError for other types, ValueError for other devices.
        """
        dtype = floating_dtype(*args, **kwargs)
        if dtype is not None:
            convert([*self.parameters(), *self.buffers()], dtype)
        return self

    def double(self: M) -> M:
        """Makes all floating parameters and buffers float64, in place: see `to`."""
        return self.to(np.float64)

    def float(self: M) -> M:
        """Makes all floating parameters and buffers float32, in place: see `to`."""
        return self.to(np.float32)

    def half(self: M) -> M:
        """Not supported: raises TypeError."""
        return self.to(np.float16)

    def cpu(self: M) -> M:
        """This module, which is on the CPU."""
        return self

    def extra_repr(self) -> str:
        """The settings shown in `repr`."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
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


def _array_of(value: Any) -> Array:
    if isinstance(value, Tensor) or hasattr(value, "detach"):
        value = value.detach()
    return np.asarray(value)
