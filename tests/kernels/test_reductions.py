"""Sums over a long axis, whichever it is, keep their digits: no chain of additions grows with the length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import nnlite as nl
from nnlite.nn import functional

LONG = 1_000_000
SUMS: dict[str, Callable[[nl.Tensor], nl.Tensor]] = {
    "sum": lambda x: x.sum(),
    "mean": lambda x: x.mean() * x.numel(),
    "sum of each dimension": lambda x: x.sum(0).sum(),
    "sum of the last dimension": lambda x: x.sum(-1).sum(),
    "l1": lambda x: functional.l1_loss(x, np.zeros(x.shape, np.float32), reduction="sum"),
    "mse": lambda x: functional.mse_loss(x, np.zeros(x.shape, np.float32), reduction="mean") * (x.numel() * 10),
    "softmax": lambda x: 1e5 / (functional.softmax(x, int(np.argmax(x.shape))).reshape(-1)[0] * max(x.shape)),
    "nll": lambda x: 1e5 * functional.cross_entropy(x.reshape(-1, 1) * 0 + np.zeros((1, 2), np.float32), np.zeros(x.numel(), int)) / np.log(2),
}  # fmt: skip


@pytest.mark.parametrize("shape", [(LONG, 1), (1, LONG), (LONG,), (1000, 1000), (100, 10_000), (2, LONG // 2)], ids=str)
@pytest.mark.parametrize("name", SUMS)
def test_long_sums(name: str, shape: tuple[int, ...]) -> None:
    # Equal numbers are the worst case: all roundings go the same way.
    x = nl.tensor(np.full(shape, 0.1, np.float32))
    assert SUMS[name](x).item() == pytest.approx(1e5, rel=3e-6), (
        "the sum lost digits: PyTorch's error is 1e-6, that of one chain 6e-4"
    )


@pytest.mark.parametrize("shape", [(LONG, 1), (1, LONG)], ids=str)
def test_gradients_of_what_was_broadcast_along_a_long_axis(shape: tuple[int, ...]) -> None:
    for narrow in [(), (1,), (1, 1)]:
        b = nl.tensor(np.zeros(narrow, np.float32), requires_grad=True)
        (b + np.zeros(shape, np.float32)).backward(np.full(shape, 0.1, np.float32))
        assert b.grad.item() == pytest.approx(1e5, rel=3e-6)


def test_a_layer_with_one_output_sums_its_batch_by_leaves() -> None:
    bias = nl.tensor(np.zeros(1, np.float32), requires_grad=True)
    weight = nl.tensor(np.zeros((1, 1), np.float32), requires_grad=True)
    y = functional.linear(np.full((LONG, 1), 0.1, np.float32), weight, bias)
    y.backward(np.full((LONG, 1), 0.1, np.float32))
    assert bias.grad.item() == pytest.approx(1e5, rel=3e-6)
    assert weight.grad.item() == pytest.approx(1e4, rel=3e-6)


def test_the_sum_over_a_batch_of_one_column_is_the_sum_of_all() -> None:
    x = nl.tensor(np.random.default_rng(0).standard_normal((3001, 1)).astype(np.float32))
    assert x.sum(0).item() == x.sum().item() == x.reshape(-1).sum(0).item()


def test_a_row_sum_does_not_depend_on_other_rows() -> None:
    x = np.random.default_rng(0).standard_normal((3, 100_003)).astype(np.float32)
    whole = nl.tensor(x).sum(1).numpy()
    np.testing.assert_array_equal(whole, [nl.tensor(x[i : i + 1]).sum(1).item() for i in range(3)])
