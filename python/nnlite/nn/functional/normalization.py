"""Normalisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ... import _core
from ..._core import Tensor
from ...autograd.grad_mode import no_grad
from ..options import floating

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"]


def layer_norm(
    input: Operand,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Layer normalisation over the last dimensions, which must be `normalized_shape`."""
    return _core.layer_norm(input, len(normalized_shape), weight, bias, eps)


def rms_norm(
    input: Operand, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """See `nn.RMSNorm`."""
    x = floating(input)
    shape = tuple(normalized_shape)
    if x.shape[-len(shape) :] != shape:
        raise ValueError(f"rms_norm over {shape} got an input of shape {x.shape}")
    rows = x.reshape(*x.shape[: -len(shape)], math.prod(shape))
    scale = ((rows * rows).mean(-1, True) + float(np.finfo(x.dtype).eps if eps is None else eps)).sqrt()
    y = (rows / scale).reshape(x.shape)
    return y if weight is None else y * weight


def batch_norm(
    input: Operand,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """See `nn.BatchNorm1d`."""
    return _core.batch_norm(input, running_mean, running_var, None, weight, bias, training, momentum, eps)


def group_norm(
    input: Operand, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """See `nn.GroupNorm`."""
    x = floating(input)
    if x.ndim < 2 or num_groups < 1 or x.shape[1] % num_groups:
        raise ValueError(
            f"group_norm needs an input (N, C, ...) whose C {num_groups} groups divide, got shape {x.shape}"
        )
    y = _core.layer_norm(
        x.reshape(x.shape[0], num_groups, math.prod(x.shape[1:]) // num_groups), 1, None, None, eps
    ).reshape(x.shape)
    channels = (x.shape[1], *(1,) * (x.ndim - 2))
    y = y if weight is None else y * weight.reshape(channels)
    return y if bias is None else y + bias.reshape(channels)


def instance_norm(
    input: Operand,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """See `nn.InstanceNorm1d`; without `use_input_stats` it normalises by the running statistics."""
    x = floating(input)
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    size = x.numel() // max(x.shape[0] * x.shape[1], 1)
    if size < 2:
        raise ValueError(f"instance_norm needs more than one value per channel, got shape {x.shape}")
    if running_mean is not None and running_var is not None:
        with no_grad():
            rows = x.detach().reshape(x.shape[0], x.shape[1], size)
            mean = rows.mean(2, True)
            var = ((rows - mean) ** 2.0).sum(2) / (size - 1.0)
            running_mean.copy_(running_mean * (1 - momentum) + mean.squeeze(2).mean(0) * momentum)
            running_var.copy_(running_var * (1 - momentum) + var.mean(0) * momentum)
    return group_norm(x, x.shape[1], weight, bias, eps)
