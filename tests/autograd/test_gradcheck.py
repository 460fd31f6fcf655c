"""gradcheck accepts correct gradients, names wrong ones and refuses functions it cannot check."""

from __future__ import annotations

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn


def test_correct_gradients_pass() -> None:
    x = nl.tensor(np.random.default_rng(0).standard_normal((3, 4)), requires_grad=True)
    layer = nn.Linear(4, 2, dtype=np.float64)
    assert nl.gradcheck(lambda x, w, b: nn.functional.linear(x, w, b).tanh(), [x, layer.weight, layer.bias])
    constant = nl.tensor(np.ones(4))
    assert nl.gradcheck(lambda a, c: (a * c).sum(), [x, constant])


def test_a_wrong_gradient_is_named() -> None:
    x = nl.tensor(np.array([1.0, 2.0]), requires_grad=True)
    with pytest.raises(RuntimeError, match=r"input 0: d output\[0\] / d input\[0\] is 2 by backward and 4"):
        nl.gradcheck(lambda t: t * t.detach() * 2, x)


def test_functions_that_cannot_be_checked() -> None:
    with pytest.raises(TypeError, match="input 0 is float32"):
        nl.gradcheck(lambda t: t, nl.ones(2, requires_grad=True))
    with pytest.raises(ValueError, match="requires a gradient"):
        nl.gradcheck(lambda t: t, nl.tensor(np.ones(2)))
