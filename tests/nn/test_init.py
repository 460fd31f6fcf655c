"""Initialisers that draw matrices with structure; generators of one's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (2, 3, 4), (60, 40), (1, 7)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_orthogonal(shape: tuple[int, ...], dtype: type) -> None:
    q = nn.init.orthogonal_(nl.zeros(*shape, dtype=dtype), gain=2.0).numpy().reshape(shape[0], -1) / 2
    fewer = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(fewer, np.eye(len(fewer)), atol=10 * np.finfo(dtype).eps)


def test_orthogonal_is_the_factor_that_pytorch_takes() -> None:
    """Q of the drawn matrix with a positive diagonal of R."""
    draw = nl.Generator(3).normal((6, 4), 0.0, 1.0, np.float64, "init")
    q, r = np.linalg.qr(draw)
    ours = nn.init.orthogonal_(nl.zeros(6, 4, dtype=np.float64), generator=nl.Generator(3)).numpy()
    np.testing.assert_allclose(ours, q * np.sign(np.diag(r)), atol=1e-14)


def test_sparse() -> None:
    values = nn.init.sparse_(nl.ones(50, 30), 0.25).numpy()
    assert ((values == 0).sum(0) == 13).all()
    assert abs(values[values != 0].std() - 0.01) < 0.001


@pytest.mark.parametrize(("shape", "groups"), [((4, 3, 3), 1), ((4, 2, 3, 5), 2), ((2, 3, 1, 2, 3), 1)])
def test_dirac(shape: tuple[int, ...], groups: int) -> None:
    ours, theirs = nn.init.dirac_(nl.ones(*shape), groups), torch.nn.init.dirac_(torch.ones(*shape), groups)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    "name",
    ["uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_"],
)  # fmt: skip
def test_a_generator_decides_and_no_other_is_touched(name: str) -> None:
    before = nl.rand(1).numpy()
    nl.manual_seed(0)
    draws = [getattr(nn.init, name)(nl.zeros(4, 3), generator=nl.Generator(5)).numpy().copy() for _ in range(2)]
    np.testing.assert_array_equal(*draws)
    assert (draws[0] != getattr(nn.init, name)(nl.zeros(4, 3), generator=nl.Generator(6)).numpy()).any()
    np.testing.assert_array_equal(nl.rand(1).numpy(), before)


@pytest.mark.parametrize("name", ["conv1d", "conv_transpose2d"])
def test_gains_of_convolutions(name: str) -> None:
    assert nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [("orthogonal_", (), r"\(3,\)"), ("sparse_", (0.5,), r"\(3,\)"), ("dirac_", (), r"\(3,\)")],
)
def test_wrong_shapes_are_named(name: str, arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(nn.init, name)(nl.zeros(3), *arguments)
