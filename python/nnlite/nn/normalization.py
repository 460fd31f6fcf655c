"""Normalisation layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._core import Tensor
from . import functional
from .module import Module
from .parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["BatchNorm1d", "GroupNorm", "InstanceNorm1d", "LayerNorm", "RMSNorm"]


class LayerNorm(Module):
    """y = (x - mean) / sqrt(variance + eps) * weight + bias over the last dimensions (Ba, Kiros, Hinton 2016).

    Shapes: x (..., *normalized_shape), weight and bias of normalized_shape. The variance is the biased one.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        shape = self.normalized_shape
        self.register_parameter("weight", Parameter(np.ones(shape, np.float32)) if elementwise_affine else None)
        self.register_parameter("bias", Parameter(np.zeros(shape, np.float32)) if elementwise_affine and bias else None)

    @staticmethod
    def largest_parameter(settings: Mapping[str, Any]) -> int:
        return math.prod(np.atleast_1d(settings["normalized_shape"]).tolist())

    def reset_parameters(self) -> None:
        """Sets the weight to 1 and the bias to 0."""
        _reset(self)

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        shape = input.shape if isinstance(input, Tensor) else np.shape(input)
        if tuple(shape[-len(self.normalized_shape) :]) != self.normalized_shape:
            raise ValueError(f"LayerNorm of shape {self.normalized_shape} got an input of shape {tuple(shape)}")
        return _core.layer_norm(input, len(self.normalized_shape), self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """y = x / sqrt(mean(x^2) + eps) * weight over the last dimensions (Zhang, Sennrich 2019).

    Shapes: x (..., *normalized_shape), weight of normalized_shape. `eps` defaults to machine epsilon.
    """

    weight: Parameter | None

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float | None = None, elementwise_affine: bool = True
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        weight = Parameter(np.ones(self.normalized_shape, np.float32)) if elementwise_affine else None
        self.register_parameter("weight", weight)

    @staticmethod
    def largest_parameter(settings: Mapping[str, Any]) -> int:
        return LayerNorm.largest_parameter(settings)

    def reset_parameters(self) -> None:
        """Sets the weight to 1."""
        _reset(self)

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        return functional.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """Normalises x (N, C, ...) within each row's groups of C / num_groups channels (Wu, He 2018).

    Weight and bias have shape (num_channels). The variance is the biased one.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: {num_groups} groups do not divide {num_channels} channels")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.register_parameter("weight", Parameter(np.ones(num_channels, np.float32)) if affine else None)
        self.register_parameter("bias", Parameter(np.zeros(num_channels, np.float32)) if affine else None)

    @staticmethod
    def largest_parameter(settings: Mapping[str, Any]) -> int:
        return int(settings["num_channels"])

    def reset_parameters(self) -> None:
        """Sets the weight to 1 and the bias to 0."""
        _reset(self)

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class BatchNorm1d(Module):
    """Normalises each channel over the batch (Ioffe, Szegedy 2015).

    Shapes: x (N, C) or (N, C, L). Training uses the batch's mean and biased variance, and moves the running statistics by
    `momentum` (None: cumulative average) towards its mean and unbiased variance; evaluation uses the running statistics.
    """

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.register_parameter("weight", Parameter(np.ones(num_features, np.float32)) if affine else None)
        self.register_parameter("bias", Parameter(np.zeros(num_features, np.float32)) if affine else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", Tensor(np.zeros(num_features, np.float32)) if tracked else None)
        self.register_buffer("running_var", Tensor(np.ones(num_features, np.float32)) if tracked else None)
        self.register_buffer("num_batches_tracked", Tensor(np.array(0)) if tracked else None)

    @staticmethod
    def largest_parameter(settings: Mapping[str, Any]) -> int:
        return int(settings["num_features"])

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        shape = input.shape if isinstance(input, Tensor) else np.shape(input)
        if len(shape) not in (2, 3) or shape[1] != self.num_features:
            raise ValueError(
                f"BatchNorm1d({self.num_features}) needs an input of shape (N, {self.num_features}) or "
                f"(N, {self.num_features}, L), got {tuple(shape)}"
            )
        training = self.training or self.running_mean is None
        momentum = -1.0 if self.momentum is None else self.momentum  # negative: the cumulative average
        state = (self.running_mean, self.running_var, self.num_batches_tracked)
        return _core.batch_norm(input, *state, self.weight, self.bias, training, momentum, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def reset_running_stats(self) -> None:
        """Sets the running mean to 0, the variance to 1 and the count of batches to 0."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1.0)
            self.num_batches_tracked.detach().numpy()[...] = 0

    def reset_parameters(self) -> None:
        """Sets the weight to 1, the bias to 0, and resets the running statistics."""
        self.reset_running_stats()
        _reset(self)


class InstanceNorm1d(BatchNorm1d):
    """Normalises each channel of each row of x (N, C, L) or (C, L) over L.

    Running statistics, if tracked, move by `momentum` towards the rows' means in training and are used in evaluation.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        x = input if isinstance(input, Tensor) else Tensor(input)
        if x.ndim == 2:
            return self.forward(x.unsqueeze(0)).squeeze(0)
        if x.ndim != 3 or x.shape[1] != self.num_features:
            raise ValueError(f"InstanceNorm1d({self.num_features}) needs an input (N, C, L) or (C, L), got {x.shape}")
        by_input = self.training or self.running_mean is None
        momentum = 0.0 if self.momentum is None else self.momentum
        state = (self.running_mean, self.running_var, self.weight, self.bias)
        return functional.instance_norm(x, *state, by_input, momentum, self.eps)


def _reset(layer: Module) -> None:
    for name, parameter in layer.named_parameters(recurse=False):
        parameter.detach().fill_(float(name == "weight"))
