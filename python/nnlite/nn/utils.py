"""Helpers around parameters, with PyTorch's names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from .. import _core
from .._core import Tensor
from ..autograd.grad_mode import no_grad
from ..naming import publish
from .clip_grad import clip_grad_norm_, clip_grad_value_
from .functional.distances import normalize
from .hooks import RemovableHandle
from .module import Module
from .parameter import Parameter

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "parameters_to_vector", "remove_spectral_norm", "remove_weight_norm", "spectral_norm",
    "vector_to_parameters", "weight_norm",
]  # fmt: skip

M = TypeVar("M", bound=Module)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of the parameters as one tensor (N)."""
    return _core.concatenate([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copies the elements of `vec` (N) into the parameters, in the order of `parameters_to_vector`."""
    tensors = list(parameters)
    size = sum(parameter.numel() for parameter in tensors)
    if vec.shape != (size,):
        raise ValueError(
            f"the parameters have {size} elements, so the vector must have shape ({size},), got {vec.shape}"
        )
    begin = 0
    for parameter in tensors:
        end = begin + parameter.numel()
        parameter.detach().copy_(vec.detach()[begin:end].reshape(parameter.shape))
        begin = end


class _Reparametrized:
    """A forward pre-hook that computes a module's parameter `name` of others."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.handle: RemovableHandle | None = None

    def compute(self, module: Module) -> Tensor:
        """The parameter."""
        raise NotImplementedError

    def __call__(self, module: Module, args: Any) -> None:
        setattr(module, self.name, self.compute(module))

    def install(self, module: Module) -> None:
        """Computes it now, and before each forward."""
        self(module, ())
        self.handle = module.register_forward_pre_hook(self)


class _WeightNorm(_Reparametrized):
    def __init__(self, name: str, dim: int | None) -> None:
        super().__init__(name)
        self.dim = dim

    def norm(self, v: Tensor) -> Tensor:
        """The norm over all dimensions but `dim`, which keeps its place."""
        if self.dim is None:
            return (v * v).sum().sqrt()
        at = self.dim % v.ndim
        rows = v.transpose(0, at).reshape(v.shape[at], v.numel() // v.shape[at])
        return (rows * rows).sum(1).sqrt().reshape(*(size if i == at else 1 for i, size in enumerate(v.shape)))

    def compute(self, module: Module) -> Tensor:
        g, v = (getattr(module, self.name + part) for part in ("_g", "_v"))
        return v * (g / self.norm(v))  # type: ignore[no-any-return]


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Makes a parameter w = g v / |v|, of the new parameters `name`_g and `name`_v (Salimans, Kingma 2016).

    |v| is over all dimensions but `dim`, over all for None. Returns the module.

    >>> from nnlite import nn
    >>> list(nn.utils.weight_norm(nn.Linear(3, 2)).state_dict())
    ['bias', 'weight_g', 'weight_v']
    """
    hook = _WeightNorm(name, dim)
    weight = _replaced(module, name)
    module.register_parameter(name + "_g", Parameter(hook.norm(weight.detach())))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    hook.install(module)
    return module


class _SpectralNorm(_Reparametrized):
    def __init__(self, name: str, iterations: int, eps: float, dim: int) -> None:
        super().__init__(name)
        self.iterations, self.eps, self.dim = iterations, eps, dim

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight with the dimension `dim` first and the others flattened."""
        rows = weight.permute(self.dim, *(i for i in range(weight.ndim) if i != self.dim))
        return rows.reshape(weight.shape[self.dim], weight.numel() // weight.shape[self.dim])

    def iterate(self, module: Module, count: int) -> None:
        """Steps of the power iteration for the first singular vectors."""
        u, v = (getattr(module, self.name + part) for part in ("_u", "_v"))
        with no_grad():
            matrix = self.matrix(getattr(module, self.name + "_orig").detach())
            for _ in range(count):
                v.copy_(normalize(matrix.transpose(0, 1).matmul(u), dim=0, eps=self.eps))
                u.copy_(normalize(matrix.matmul(v), dim=0, eps=self.eps))

    def compute(self, module: Module) -> Tensor:
        if module.training:
            self.iterate(module, self.iterations)
        weight = getattr(module, self.name + "_orig")
        u, v = (getattr(module, self.name + part).clone() for part in ("_u", "_v"))
        return weight / u.matmul(self.matrix(weight).matmul(v))  # type: ignore[no-any-return]


def spectral_norm(
    module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> M:
    """Divides a parameter by its largest singular value, found by power iteration in training (Miyato et al. 2018).

    It becomes `name`_orig; the buffers `name`_u and `name`_v are the singular vectors so far. `dim` (0) counts the rows. A
    training step with it cannot be captured (`fit(compile=False)`). Returns the module.
    """
    if n_power_iterations < 1:
        raise ValueError(f"spectral_norm needs n_power_iterations >= 1, got {n_power_iterations}")
    hook = _SpectralNorm(name, n_power_iterations, eps, dim or 0)
    weight = _replaced(module, name)
    module.register_parameter(name + "_orig", weight)
    for part, size in zip(("_u", "_v"), hook.matrix(weight.detach()).shape, strict=True):
        draw = _core.default_generator().normal((size,), 0.0, 1.0, weight.dtype, "init")
        module.register_buffer(name + part, normalize(Tensor(draw), dim=0, eps=eps))
    hook.install(module)
    return module


def _replaced(module: Module, name: str) -> Parameter:
    """Takes the parameter `name` out of the module."""
    parameter = module.get_parameter(name)
    delattr(module, name)
    return parameter


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Makes the computed parameter an ordinary one; ValueError where `weight_norm` did not make it. Returns the module."""
    return _restored(module, name, _WeightNorm, ("_g", "_v"))


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Makes the computed parameter an ordinary one; ValueError where `spectral_norm` did not make it. Returns the module."""
    return _restored(module, name, _SpectralNorm, ("_orig", "_u", "_v"))


def _restored(module: M, name: str, kind: type[_Reparametrized], parts: tuple[str, ...]) -> M:
    for hook in module.hooks_of("forward_pre"):
        if isinstance(hook, kind) and hook.name == name and hook.handle is not None:
            with no_grad():
                value = hook.compute(module)
            hook.handle.remove()
            for part in (*(name + part for part in parts), name):
                delattr(module, part)
            module.register_parameter(name, Parameter(value))
            return module
    raise ValueError(f"{name!r} of the {type(module).__name__} was not made by {kind.__name__}")


publish(__name__)
