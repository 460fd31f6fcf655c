"""Normalisation layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._core import Tensor
from .module import Module
from .parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["BatchNorm1d", "LayerNorm"]


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

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        shape = input.shape if isinstance(input, Tensor) else np.shape(input)
        if tuple(shape[-len(self.normalized_shape) :]) != self.normalized_shape:
            raise ValueError(f"LayerNorm of shape {self.normalized_shape} got an input of shape {tuple(shape)}")
        return _core.layer_norm(input, len(self.normalized_shape), self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


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
