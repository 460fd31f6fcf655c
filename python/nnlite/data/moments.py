"""Means and standard deviations by which data is scaled: they decide the weights of a training, so their bits may not
depend on how NumPy adds on a processor."""

from typing import Any

import numpy as np

from .. import _core
from ..autograd.grad_mode import no_grad

Array = np.ndarray[Any, Any]


def mean_and_deviation(values: Array) -> tuple[Array, Array]:
    """Over the rows of values (N, ...), as float64 of shape (...), added in the order of docs/arithmetic.md.

    Infinite or NaN where numbers are too large to be added.
    """
    with no_grad(), np.errstate(over="ignore", invalid="ignore"):
        x = _core.Tensor(values, np.float64)
        mean = x.mean(0)
        centred = x - mean
        return mean.numpy(), np.sqrt((centred * centred).mean(0).numpy())
