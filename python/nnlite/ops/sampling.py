"""Random numbers of given distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Generator, Tensor
from ..devices import require_cpu
from ..tensors import generator_or_default
from .calling import array_of


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that `input` gives for each element, else 0."""
    chances = array_of(input)
    if not ((chances >= 0) & (chances <= 1)).all():
        raise RuntimeError("bernoulli(): probabilities must be in [0, 1]")
    return Tensor(
        (generator_or_default(generator).uniform(chances.shape, dtype=chances.dtype) < chances).astype(chances.dtype)
    )


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """`num_samples` indices (n) or (rows, n), drawn by weights (k) or (rows, k) that need not add up to 1."""
    weights = array_of(input).astype(np.float64)
    if weights.ndim not in (1, 2) or not (np.isfinite(weights) & (weights >= 0)).all() or not weights.sum(-1).all():
        raise RuntimeError("multinomial(): weights must be one or two-dimensional, finite, not negative, and not all 0")
    if not replacement and num_samples > np.count_nonzero(weights, -1).min():
        raise RuntimeError(f"multinomial(): {num_samples} samples without replacement need as many weights above 0")
    if not replacement:  # the first of exponential clocks with these rates
        times = -np.log1p(-generator_or_default(generator).uniform(weights.shape, dtype=np.float64))
        times = np.divide(times, weights, out=np.full_like(weights, np.inf), where=weights > 0)
        return Tensor(times.argsort(-1)[..., :num_samples])
    bounds = weights.cumsum(-1)
    points = (
        generator_or_default(generator).uniform((*weights.shape[:-1], num_samples), dtype=np.float64) * bounds[..., -1:]
    )
    return Tensor((points[..., None] >= bounds[..., None, :]).sum(-1))


def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """Normal numbers of the means and standard deviations given for each element, or of one for all of `size`."""
    require_cpu(device)
    given = [x.dtype for x in (mean, std) if isinstance(x, Tensor)]
    mean, std = array_of(mean), array_of(std)
    if (std < 0).any():
        raise RuntimeError("normal(): std must not be negative")
    shape = np.broadcast_shapes(mean.shape, std.shape) if size is None else tuple(size)
    dtype = dtype or (given[0] if given else np.float32)
    return Tensor((mean + std * generator_or_default(generator).normal(shape, dtype=dtype)).astype(dtype))
