"""Means and standard deviations for scaling data. They decide the weights of a training, so their bits must not depend on
the order in which NumPy adds on a given processor.
"""

from typing import Any

import numpy as np

from .. import _core
from ..autograd.grad_mode import no_grad

Array = np.ndarray[Any, Any]


def mean_and_deviation(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation over the rows of values (N, ...), float64 of shape (...), in the order of docs/arithmetic.md.

    Infinite or NaN if the numbers are too large to be added.
    """
    with no_grad(), np.errstate(over="ignore", invalid="ignore"):
        x = _core.Tensor(values, np.float64)
        mean = x.mean(0)
        centred = x - mean
        return mean.numpy(), np.sqrt((centred * centred).mean(0).numpy())
