"""Helpers around parameters, with PyTorch's names.

Norms for clipping use the library's own sums, in float64 and the fixed order of docs/arithmetic.md: NumPy's BLAS sums in an order that
depends on the processor, and the last bit of the norm affects every weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from .. import _core
from .._core import Tensor
from ..autograd.grad_mode import no_grad
from ..autograd.hooks import RemovableHandle
from ..naming import publish
from .functional.layers import normalize
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


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales all gradients so that their total norm is at most `max_norm`; returns the norm before, 0 without gradients.

    Pascanu, Mikolov, Bengio, ICML 2013. `norm_type` is the p of the norm: 2, 1, math.inf, or any other number. A norm that
    is not finite raises RuntimeError with `error_if_nonfinite`, else reaches every gradient, as in PyTorch. `foreach` has no effect.
    """
    del foreach
    gradients = gradients_of(parameters)
    norm = clip_to_norm(gradients, float(max_norm), float(norm_type), error_if_nonfinite)
    return _core.as_tensor(np.asarray(norm, np.result_type(*(g.numpy() for g in gradients), np.float32)))


def clip_to_norm(
    gradients: Sequence[Tensor], max_norm: float, order: float = 2.0, error_if_nonfinite: bool = False
) -> float:
    """Scales the gradients to a total norm of at most `max_norm`; returns the norm before."""
    if not gradients:
        return 0.0
    total = _core.gradient_norm(gradients) if order == 2 else _total(gradients, order)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm of order {order:g} of the gradients is {total}, so they cannot be clipped")
    _core.clip_to_norm(gradients, total, max_norm)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Clips every gradient element to [-clip_value, clip_value]. `foreach` has no effect."""
    del foreach
    _core.clip_to_value(gradients_of(parameters), float(clip_value))


def _total(gradients: Sequence[Tensor], order: float) -> float:
    """The norm of the gradients' norms."""
    with no_grad():
        return _norm(Tensor(np.array([_norm(gradient, order) for gradient in gradients])), order)


def _norm(x: Tensor, order: float) -> float:
    """The vector norm of all elements."""
    values = x.double().reshape(-1)
    if values.numel() == 0:
        return 0.0
    if math.isinf(order):
        size = values.abs()
        return float(size.max() if order > 0 else size.min())
    if order == 0:
        return float(np.count_nonzero(values.numpy()))
    if order == 1:
        return float(values.abs().sum())
    return float((values.abs() ** order).sum() ** (1 / order))


def gradients_of(parameters: Tensor | Iterable[Tensor]) -> Sequence[Tensor]:
    """The gradients of those that have one."""
    tensors = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in tensors if p.grad is not None]


class _Computed:
    """A forward pre-hook that computes a module's parameter `name` from others."""

    parts: tuple[str, ...]
    handle: RemovableHandle

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, dim

    def compute(self, module: Module) -> Tensor:
        """The parameter."""
        raise NotImplementedError

    def __call__(self, module: Module, args: Any) -> None:
        setattr(module, self.name, self.compute(module))

    def install(self, module: M) -> M:
        """Computes it now and before each forward; returns the module."""
        self(module, ())
        self.handle = module.register_forward_pre_hook(self)
        return module


class _WeightNorm(_Computed):
    parts = ("_g", "_v")

    def norm(self, v: Tensor) -> Tensor:
        """The norm over all dimensions but `dim`, which keeps its place."""
        if self.dim is None:
            return (v * v).sum().sqrt()
        at = self.dim % v.ndim
        rows = v.transpose(0, at).reshape(v.shape[at], v.numel() // v.shape[at])
        return (rows * rows).sum(1).sqrt().reshape(*(size if i == at else 1 for i, size in enumerate(v.shape)))

    def compute(self, module: Module) -> Tensor:
        g, v = (getattr(module, self.name + part) for part in self.parts)
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
    return hook.install(module)


class _SpectralNorm(_Computed):
    parts = ("_orig", "_u", "_v")
    dim: int

    def __init__(self, name: str, dim: int, iterations: int, eps: float) -> None:
        super().__init__(name, dim)
        self.iterations, self.eps = iterations, eps

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight with the dimension `dim` first and the others flattened."""
        rows = weight.permute(self.dim, *(i for i in range(weight.ndim) if i != self.dim))
        return rows.reshape(weight.shape[self.dim], weight.numel() // weight.shape[self.dim])

    def compute(self, module: Module) -> Tensor:
        weight, u, v = (getattr(module, self.name + part) for part in self.parts)
        with no_grad():
            matrix = self.matrix(weight.detach())
            for _ in range(self.iterations if module.training else 0):
                v.copy_(normalize(matrix.transpose(0, 1).matmul(u), dim=0, eps=self.eps))
                u.copy_(normalize(matrix.matmul(v), dim=0, eps=self.eps))
        return weight / u.clone().matmul(self.matrix(weight).matmul(v.clone()))  # type: ignore[no-any-return]


def spectral_norm(
    module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> M:
    """Divides a parameter by its largest singular value, found by power iteration in training (Miyato et al. 2018).

    It becomes `name`_orig; the buffers `name`_u and `name`_v are the singular vectors so far. `dim` (0) counts the rows. A
    training step with it cannot be captured (`fit(compile=False)`). Returns the module.
    """
    if n_power_iterations < 1:
        raise ValueError(f"spectral_norm needs n_power_iterations >= 1, got {n_power_iterations}")
    hook = _SpectralNorm(name, dim or 0, n_power_iterations, eps)
    weight = _replaced(module, name)
    module.register_parameter(name + "_orig", weight)
    for part, size in zip(("_u", "_v"), hook.matrix(weight.detach()).shape, strict=True):
        draw = _core.default_generator().normal((size,), 0.0, 1.0, weight.dtype, "init")
        module.register_buffer(name + part, normalize(Tensor(draw), dim=0, eps=eps))
    return hook.install(module)


def _replaced(module: Module, name: str) -> Parameter:
    """Takes the parameter `name` out of the module."""
    parameter = module.get_parameter(name)
    delattr(module, name)
    return parameter


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Makes the computed parameter an ordinary one; ValueError where `weight_norm` did not make it. Returns the module."""
    return _restored(module, name, _WeightNorm)


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """As `remove_weight_norm`, for `spectral_norm`."""
    return _restored(module, name, _SpectralNorm)


def _restored(module: M, name: str, kind: type[_Computed]) -> M:
    for hook in module.hooks_of("forward_pre"):
        if isinstance(hook, kind) and hook.name == name:
            with no_grad():
                value = hook.compute(module)
            hook.handle.remove()
            for part in (*(name + part for part in hook.parts), name):
                delattr(module, part)
            module.register_parameter(name, Parameter(value))
            return module
    raise ValueError(f"{name!r} of the {type(module).__name__} was not made by {kind.__name__}")


publish(__name__)
