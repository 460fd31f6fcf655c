"""Modules: parameters, buffers and sub-modules under names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from .._core import Tensor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

M = TypeVar("M", bound="Module")
Array = np.ndarray[Any, Any]


class Parameter(Tensor):
    """A tensor that a module trains: assigned to an attribute of a `Module`, it appears in its `parameters()`."""

    def __init__(self, data: ArrayLike | Tensor, requires_grad: bool = True) -> None:
        Tensor.__init__(self, data, None, requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        copy = Parameter(self.detach(), self.requires_grad)
        memo[id(self)] = copy
        return copy

    def __reduce__(self) -> tuple[Any, ...]:
        return Parameter, (self.detach().numpy(), self.requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + Tensor.__repr__(self)


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` left out."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
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
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]  # a Module or None

    def __init__(self) -> None:
        # Registered tensors and modules are ordinary attributes too, so that reading one costs no more than any other.
        self.__dict__["_parameters"] = {}
        self.__dict__["_buffers"] = {}
        self.__dict__["_modules"] = {}
        self.__dict__["training"] = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The computation; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.forward(*args, **kwargs)
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            _name_module(error, self)
            raise

    def _registry_for(self, value: Any) -> dict[str, Any] | None:
        if isinstance(value, Parameter):
            return self._parameters
        return self._modules if isinstance(value, Module) else None

    def __setattr__(self, name: str, value: Any) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"call super().__init__() before assigning {name!r} to a {type(self).__name__}")
        registry = self._registry_for(value)
        for other in (self._parameters, self._modules):
            if other is registry:
                other[name] = value
            elif value is None and name in other:
                other[name] = None
            else:
                other.pop(name, None)
        if name in self._buffers:
            self._set_buffer(name, value)
            return
        object.__setattr__(self, name, value)

    def _set_buffer(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter | Module):
            del self._buffers[name]
        elif value is not None and not isinstance(value, Tensor):
            raise TypeError(f"buffer {name!r} must be a Tensor or None, got {type(value).__name__}")
        else:
            self._buffers[name] = value
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for registry in (self._parameters, self._buffers, self._modules):
            registry.pop(name, None)
        object.__delattr__(self, name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter under `name`; None keeps the name without one (as `bias=False` does)."""
        self._parameters[name] = param
        object.__setattr__(self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None) -> None:
        """Adds a tensor that is saved with the model but not trained."""
        self._buffers[name] = tensor
        object.__setattr__(self, name, tensor)

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a sub-module under `name`."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"module {name!r} must be a Module, got {type(module).__name__}")
        if not name or "." in name:
            raise KeyError(f"module name {name!r} must not be empty or contain a dot")
        self._modules[name] = module
        object.__setattr__(self, name, module)

    register_module = add_module

    # Walks

    def named_modules(self, prefix: str = "", _seen: set[int] | None = None) -> Iterator[tuple[str, Module]]:
        """This module and all below it, each once, with dotted names."""
        seen = set() if _seen is None else _seen
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(f"{prefix}.{name}" if prefix else name, seen)

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct sub-modules with their names."""
        for name, module in self._modules.items():
            if module is not None:
                yield name, module

    def children(self) -> Iterator[Module]:
        """The direct sub-modules."""
        for _, module in self.named_children():
            yield module

    def _named_tensors(self, registry: str, recurse: bool, unique: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        # A state dict names a shared module under each of its names; parameters() counts it once.
        walk = self.named_modules() if unique else self._all_named_modules("")
        for prefix, module in walk if recurse else [("", self)]:
            for name, tensor in getattr(module, registry).items():
                if tensor is None or (unique and id(tensor) in seen):
                    continue
                seen.add(id(tensor))
                yield (f"{prefix}.{name}" if prefix else name), tensor

    def _all_named_modules(self, prefix: str) -> Iterator[tuple[str, Module]]:
        yield prefix, self
        for name, module in self.named_children():
            yield from module._all_named_modules(f"{prefix}.{name}" if prefix else name)

    def named_parameters(self, recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Parameters with dotted names; a shared one appears once."""
        return self._named_tensors("_parameters", recurse, True)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Parameters, for an optimizer."""
        for _, parameter in self.named_parameters(recurse):
            yield parameter

    def named_buffers(self, recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Buffers with dotted names."""
        return self._named_tensors("_buffers", recurse, True)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Buffers."""
        for _, buffer in self.named_buffers(recurse):
            yield buffer

    # State

    def _state_tensors(self) -> dict[str, Tensor]:
        state: dict[str, Tensor] = {}
        for prefix, module in self._all_named_modules(""):
            for registry in (module._parameters, module._buffers):
                for name, tensor in registry.items():
                    if tensor is not None:
                        state[f"{prefix}.{name}" if prefix else name] = tensor
        return state

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and buffers as NumPy arrays, under PyTorch's keys."""
        return {name: tensor.detach().numpy().copy() for name, tensor in self._state_tensors().items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copies values (NumPy arrays, tensors of nnlite or PyTorch) into the parameters and buffers of the same names.

        All is checked before anything changes. Raises RuntimeError that lists missing, unexpected (unless `strict` is False)
        and misshapen entries. Returns (missing_keys, unexpected_keys).
        """
        own = self._state_tensors()
        missing = [key for key in own if key not in state_dict]
        unexpected = [key for key in state_dict if key not in own]
        problems = []
        if strict and missing:
            problems.append("missing keys: " + ", ".join(missing))
        if strict and unexpected:
            problems.append("unexpected keys: " + ", ".join(unexpected))
        values = {key: _array_of(value) for key, value in state_dict.items() if key in own}
        for key, value in values.items():
            if value.shape != own[key].shape:
                problems.append(f"{key} has shape {value.shape} in the state dict, {own[key].shape} in the model")
            elif value.dtype.kind not in "fiub":
                problems.append(f"{key} has dtype {value.dtype}")
        if problems:
            raise RuntimeError(f"cannot load the state dict into {type(self).__name__}: " + "; ".join(problems))
        for key, value in values.items():
            own[key].detach().copy_(value)
        return IncompatibleKeys(missing, unexpected)

    def fingerprint(self) -> str:
        """SHA-256 (hex) over names, types, shapes and little-endian bytes of all parameters and buffers.

        Two models with one fingerprint hold the same bits.
        """
        import hashlib

        digest = hashlib.sha256()
        for name, tensor in self._state_tensors().items():
            array = tensor.detach().numpy()
            digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
            digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        return digest.hexdigest()

    # Switches

    def train(self: M, mode: bool = True) -> M:
        """Training mode (dropout drops, batch normalisation learns) for this module and all below it."""
        for module in self.modules():
            module.__dict__["training"] = mode
        return self

    def eval(self: M) -> M:
        """Evaluation mode: `train(False)`."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Freezes (False) or thaws all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forgets the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def apply(self: M, fn: Callable[[Module], Any]) -> M:
        """Calls `fn` with every sub-module, then with this one (for initialisation)."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _converted(self: M, dtype: type) -> M:
        for module in self.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    setattr(module, name, Parameter(parameter.detach().to(dtype), parameter.requires_grad))
            for name, buffer in module._buffers.items():
                if buffer is not None and buffer.dtype.kind == "f":
                    setattr(module, name, buffer.to(dtype))
        return self

    def double(self: M) -> M:
        """Makes all parameters and buffers float64 (new parameters: make the optimizer afterwards)."""
        return self._converted(np.float64)

    def float(self: M) -> M:
        """Makes all parameters and buffers float32 (new parameters: make the optimizer afterwards)."""
        return self._converted(np.float32)

    def extra_repr(self) -> str:
        """The settings shown in `repr`."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self.named_children()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


def _name_module(error: Exception, module: Module) -> None:
    """Adds to the message which module below `module` raised it; each outer module knows a longer name."""
    if type(error).__str__ not in (Exception.__str__, BaseException.__str__):  # its message is not its argument
        return
    innermost, message = error.__dict__.setdefault("_raised_in", (module, error.args))
    if innermost is module or len(message) != 1 or not isinstance(message[0], str):
        return
    for name, other in module.named_modules():
        if other is innermost:
            error.args = (f"{message[0]} (in module {name!r}, {type(innermost).__name__})",)


def _array_of(value: Any) -> Array:
    if isinstance(value, Tensor) or hasattr(value, "detach"):
        value = value.detach()
    return np.asarray(value)
