"""How attributes of a module become its parameters, buffers and sub-modules."""

from __future__ import annotations

from typing import Any

from .._core import Tensor
from .parameter import Parameter, without_tapes

_KINDS = {"parameter": "_parameters", "module": "_modules", "buffer": "_buffers"}  # and their registries


class Registering:
    """Keeps attributes by kind, with PyTorch's rules for names and types."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]  # a Module or None
    _unsaved: set[str]  # buffers that are not part of the state dict

    def __init__(self) -> None:
        # Registered tensors and modules are ordinary attributes too, so that reading one costs no more than any other.
        for registry in _KINDS.values():
            self.__dict__[registry] = {}
        self.__dict__["_unsaved"] = set()

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter | Registering):
            self._assign(name, value)
            return
        for kind in _KINDS:
            registry = self.__dict__.get(_KINDS[kind], ())
            if name not in registry:
                continue
            if value is not None and not (kind == "buffer" and isinstance(value, Tensor)):
                raise TypeError(_cannot_assign(self, kind, name, value))
            registry[name] = value
        object.__setattr__(self, name, value)

    def _assign(self, name: str, value: Parameter | Registering) -> None:
        """Replaces whatever had the name, except a parameter by a module."""
        kind = "parameter" if isinstance(value, Parameter) else "module"
        self._require_initialized(name)
        if kind == "module" and name in self._parameters:
            raise TypeError(_cannot_assign(self, "parameter", name, value))
        own = self.__dict__[_KINDS[kind]]
        if name not in own:
            for other in _KINDS.values():
                self.__dict__[other].pop(name, None)
            self._unsaved.discard(name)
            self.__dict__.pop(name, None)
        # A class may have a default for a module, as PyTorch allows, but not for a parameter.
        self._check_name(kind, name, clashing=kind == "parameter")
        own[name] = value
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        for registry in (self._parameters, self._buffers, self._modules):
            registry.pop(name, None)
        self._unsaved.discard(name)
        object.__delattr__(self, name)

    def _require_initialized(self, name: Any) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"call super().__init__() before assigning {name!r} to a {type(self).__name__}")

    def _check_name(self, kind: str, name: Any, clashing: bool = True) -> None:
        self._require_initialized(name)
        if not isinstance(name, str):
            raise TypeError(f"the name of a {kind} must be a str, got {name!r}")
        if not name or "." in name:
            raise KeyError(f"the name of a {kind} must not be empty or contain a dot, got {name!r}")
        if clashing and name not in self.__dict__[_KINDS[kind]] and hasattr(self, name):
            raise KeyError(f"{type(self).__name__} already has an attribute {name!r}")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter under `name`; None keeps the name without one (as `bias=False` does).

        Raises KeyError for a name that is empty, has a dot or is taken, TypeError for anything but a Parameter or None.
        """
        self._check_name("parameter", name)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(_cannot_assign(self, "parameter", name, param))
        self._parameters[name] = param
        self.__dict__[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that belongs to the model but is not trained, and is saved with it if `persistent`.

        Raises as `register_parameter`, for anything but a Tensor or None.
        """
        self._check_name("buffer", name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(_cannot_assign(self, "buffer", name, tensor))
        self._buffers[name] = tensor
        self.__dict__[name] = tensor
        (self._unsaved.discard if persistent else self._unsaved.add)(name)

    def add_module(self, name: str, module: Registering | None) -> None:
        """Adds a sub-module under `name`; raises as `register_parameter`, for anything but a Module or None."""
        self._check_name("module", name)
        if module is not None and not isinstance(module, Registering):
            raise TypeError(_cannot_assign(self, "module", name, module))
        self._modules[name] = module
        self.__dict__[name] = module

    register_module = add_module

    # Copies

    def __getstate__(self) -> dict[str, Any]:
        known: dict[int, Tensor] = {}
        return {name: without_tapes(value, known) for name, value in self.__dict__.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def _cannot_assign(module: Registering, kind: str, name: str, value: Any) -> str:
    wanted = {"parameter": "an nn.Parameter", "module": "a Module", "buffer": "a Tensor"}[kind]
    advice = ""
    if kind == "parameter" and isinstance(value, Tensor):
        advice = f": to change its values, assign to {name}.data"
    return (
        f"cannot assign a {type(value).__name__} as {kind} {name!r} of a {type(module).__name__}, "
        f"only {wanted} or None{advice}"
    )
