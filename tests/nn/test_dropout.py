"""Probabilities of dropout."""

from __future__ import annotations

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn
from nnlite.nn import functional as F


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), float("inf"), -float("inf"), 2])
@pytest.mark.parametrize("training", [True, False])
def test_invalid_probabilities(p: float, training: bool) -> None:
    with pytest.raises(ValueError, match="between 0 and 1, but got"):
        F.dropout(np.ones(3), p, training)
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.Dropout(p)
    layer = nn.Dropout(0.5).train(training)
    layer.p = p
    with pytest.raises(ValueError, match="between 0 and 1"):
        layer(np.ones(3))


@pytest.mark.parametrize("p", ["half", None, [0.5, 0.5]])
def test_values_that_are_not_numbers_are_named(p) -> None:
    for use in (lambda: F.dropout(np.ones(3), p), lambda: nn.Dropout(p)):
        with pytest.raises((TypeError, ValueError), match="dropout probability must be a (single )?number, got"):
            use()


@pytest.mark.parametrize("p", [0, 1, 0.0, 1.0, np.float32(0.5), True])
def test_0_and_1_are_probabilities(p: float) -> None:
    x = nl.tensor(np.ones(100))
    assert F.dropout(x, p, training=False).tolist() == [1] * 100
    kept = F.dropout(x, p).numpy()
    assert set(kept) <= {0.0, 1 / (1 - p) if p < 1 else 0.0}
