"""Every differentiable operation against PyTorch: values and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nnlite as nl
from comparison import compare, labels, normal, uniform
from nnlite import _core
from twins import BINARY, UNARY

DTYPES = [np.float32, np.float64]
SHAPES = [(), (1,), (5,), (3, 4), (2, 1, 3), (17, 33), (0,), (0, 3)]

# The power of a positive number; test_power has the others.
BINARY = {**BINARY, "pow": (lambda a, b: a.exp() ** b, lambda a, b: a.exp() ** b)}
BROADCASTS = [
    ((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)), ((3, 1), (1, 4)), ((2, 3, 4), (3, 1)), ((5,), ()), ((), (2, 2)),
    ((200, 3), (3,)), ((1, 1), (130, 2)), ((0, 3), (3,)), ((2, 1, 3, 1), (1, 4, 1, 5)),
]  # fmt: skip


def test_every_registered_function_has_a_twin() -> None:
    assert set(_core.unary_names()) == set(UNARY)
    assert set(_core.binary_names()) == set(BINARY)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str, dtype: type) -> None:
    row = UNARY[name]
    for shape in SHAPES:
        x = uniform(*shape, low=0.1, high=3.0) if row.positive else 2 * normal(*shape)
        compare(lambda t: _core.unary(name, t, *row.options), row.twin, [x], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shapes", BROADCASTS, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_binary(name: str, shapes: tuple, dtype: type) -> None:
    a, b = normal(*shapes[0]), np.abs(normal(*shapes[1], seed=1)) + 0.5
    compare(*BINARY[name], [a, b], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_maximum_and_minimum_share_ties(dtype: type) -> None:
    a, b = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 5.0]]), np.array([1.0, 3.0, 2.0])
    compare(nl.maximum, torch.maximum, [a, b], dtype)
    compare(nl.minimum, torch.minimum, [a, b], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_power(dtype: type) -> None:
    base, exponent = uniform(6, 5, low=0.1, high=3), 3 * normal(5)
    compare(lambda a, b: a**b, lambda a, b: a**b, [base, exponent], dtype)
    for fixed in (0, 1, 2, 3, -1, 0.5, 2.5):
        compare(lambda a, p=fixed: a**p, lambda a, p=fixed: a**p, [base], dtype)
    for fixed in (0, 1, 2, 3, -1, -2):
        compare(lambda a, p=fixed: a**p, lambda a, p=fixed: a**p, [normal(7)], dtype)
    compare(lambda b: 2.0**b, lambda b: 2.0**b, [normal(7)], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_power_of_special_values(dtype: type) -> None:
    values = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, np.inf, -np.inf, np.nan, 1e-300, 1e300]
    with np.errstate(all="ignore"):
        special = np.array(values).astype(dtype)
        a, b = (g.ravel() for g in np.meshgrid(special, special))
        expected = np.power(a.astype(np.float64), b.astype(np.float64)).astype(dtype)
        got = (nl.tensor(a) ** nl.tensor(b)).numpy()
    both = np.isfinite(expected) & (expected != 0)
    np.testing.assert_allclose(got[both], expected[both], rtol=1e-6 if dtype is np.float32 else 1e-11)
    np.testing.assert_array_equal(got[~both], expected[~both])


@pytest.mark.parametrize("dtype", DTYPES)
def test_where(dtype: type) -> None:
    mask = normal(4, 5) > 0
    compare(
        lambda a, b: nl.where(mask, a, b), lambda a, b: torch.where(torch.from_numpy(mask), a, b),
        [normal(4, 5), normal(5, seed=2)], dtype,
    )  # fmt: skip
    column = normal(4, 1) > 0
    compare(
        lambda a, b: nl.where(column, a, b), lambda a, b: torch.where(torch.from_numpy(column), a, b),
        [normal(4, 5), normal(1, seed=2)], dtype,
    )  # fmt: skip


MATMULS = [
    ((3, 4), (4, 5)), ((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (5, 4, 2)), ((130, 70), (70, 90)), ((1, 1), (1, 1)), ((3, 0), (0, 2)), ((0, 3), (3, 2)), ((7, 600), (600, 65)),
    ((2, 3, 4), (4,)), ((700, 3), (3, 2)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shapes", MATMULS, ids=str)
def test_matmul(shapes: tuple, dtype: type) -> None:
    compare(nl.Tensor.matmul, torch.matmul, [normal(*shapes[0]), normal(*shapes[1], seed=1)], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (200, 7), (1, 1000), (130, 3, 2)])
def test_sum_and_mean(shape: tuple, dtype: type) -> None:
    x = uniform(*shape)  # all positive: a sum that cancels has no correct digits in either library
    for name in ("sum", "mean"):
        compare(lambda x, n=name: getattr(x, n)(), lambda x, n=name: getattr(x, n)(), [x], dtype)
        for dim in range(-len(shape), len(shape)):
            for keep in (False, True):
                compare(
                    lambda x, n=name, d=dim, k=keep: getattr(x, n)(d, k), lambda x, n=name, d=dim, k=keep: getattr(x, n)(d, k),
                    [x], dtype,
                )  # fmt: skip


@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes(name: str) -> None:
    x = np.round(normal(6, 5, 4))  # with ties
    compare(lambda t: getattr(t, name)(), lambda t: getattr(t, name)(), [x])
    for dim in (0, 1, 2, -1):
        values, indices = getattr(nl.tensor(x), name)(dim)
        expected = getattr(torch.tensor(x), name)(dim)
        np.testing.assert_array_equal(values.numpy(), expected.values.numpy())
        assert indices.shape == tuple(expected.indices.shape)
    distinct = normal(6, 5, 4)
    for dim in (0, 1, 2):
        for keep in (False, True):
            compare(
                lambda t, d=dim, k=keep: getattr(t, name)(d, k).values,
                lambda t, d=dim, k=keep: getattr(t, name)(d, k).values,
                [distinct],
            )


RESHAPES = {
    "reshape": lambda x: x.reshape(4, 6), "unknown": lambda x: x.reshape(-1, 3), "flatten": lambda x: x.flatten(1),
    "transpose": lambda x: x.transpose(0, 2), "permute": lambda x: x.permute(2, 0, 1), "squeeze": lambda x: x.unsqueeze(1).squeeze(1),
    "unsqueeze": lambda x: x.unsqueeze(-1), "view": lambda x: x.view(2, 12),
}  # fmt: skip


@pytest.mark.parametrize("name", RESHAPES)
def test_shaping(name: str) -> None:
    compare(lambda x: RESHAPES[name](x) * 1, lambda x: RESHAPES[name](x) * 1, [normal(2, 3, 4)])


INDICES = {
    "integer": np.s_[1], "negative": np.s_[-1], "slice": np.s_[1:3], "step": np.s_[::2], "backwards": np.s_[3:0], "columns": np.s_[:, 1],
    "both": np.s_[1:, :2], "ellipsis": np.s_[..., 0], "none": np.s_[None, :, 1], "list": np.s_[[0, 2, 2]], "array": np.s_[:, np.array([1, 0, 1])],
    "matrix": np.s_[np.array([[0, 1], [2, 3]])], "pairs": np.s_[np.array([0, 1, 2]), np.array([2, 0, 1])],
    "apart": np.s_[np.array([0, 1]), :, np.array([1, 0])], "mixed": np.s_[1:, np.array([2, 0])], "all": np.s_[...],
    "last pair": np.s_[:, np.array([0, 1]), np.array([1, 1])], "empty": np.s_[1:1],
}  # fmt: skip


@pytest.mark.parametrize("name", INDICES)
def test_indexing(name: str) -> None:
    key = INDICES[name]
    theirs = (
        tuple(torch.from_numpy(k) if isinstance(k, np.ndarray) else k for k in key) if isinstance(key, tuple) else key
    )
    compare(lambda x: x[key], lambda x: x[theirs], [normal(4, 3, 2)])


def test_boolean_indexing() -> None:
    x = normal(4, 3)
    compare(lambda t: t[x > 0], lambda t: t[torch.from_numpy(x > 0)], [x])
    rows = np.array([True, False, True, True])
    compare(lambda t: t[rows], lambda t: t[torch.from_numpy(rows)], [x])


def test_joining() -> None:
    parts = [normal(2, 3), normal(4, 3, seed=1), normal(1, 3, seed=2)]
    compare(lambda *t: nl.concatenate(t), lambda *t: torch.cat(t), parts)
    equal = [normal(2, 3), normal(2, 3, seed=1)]
    for dim in (0, 1, 2, -1):
        compare(lambda *t, d=dim: nl.stack(t, d), lambda *t, d=dim: torch.stack(t, d), equal)
    compare(lambda *t: nl.cat(t, 1), lambda *t: torch.cat(t, 1), [normal(2, 3), normal(2, 5)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_and_log_softmax(dtype: type) -> None:
    for shape, dim in [((5,), 0), ((3, 4), 1), ((3, 4), 0), ((2, 3, 40), 1), ((2, 3, 40), -1), ((1,), 0)]:
        for scale in (1, 50):
            x = scale * normal(*shape)
            compare(lambda t, d=dim: t.softmax(d), lambda t, d=dim: t.softmax(d), [x], dtype)
            compare(lambda t, d=dim: t.log_softmax(d), lambda t, d=dim: t.log_softmax(d), [x], dtype)


def test_softmax_keeps_tiny_probabilities() -> None:
    y = nl.nn.functional.softmax(np.array([0.2, 1.3, 25.7, -11.0, 102.0]), 0).numpy()
    np.testing.assert_allclose(y, [6.15e-45, 1.85e-44, 7.3e-34, 8.41e-50, 1.0], rtol=5e-3)


def test_a_gradient_used_twice_adds_up() -> None:
    compare(lambda x: x * x + x.exp() * x, lambda x: x * x + x.exp() * x, [normal(3, 4)])
    compare(lambda x: (x + x).sum() * x, lambda x: (x + x).sum() * x, [normal(5)])


@given(st.lists(st.integers(0, 4), min_size=0, max_size=3), st.integers(0, 2**16))
def test_gradients_match_differences(shape: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = nl.tensor(rng.uniform(0.3, 2.0, tuple(shape)), requires_grad=True)
    w = nl.tensor(rng.standard_normal(tuple(shape[-1:])), requires_grad=True)
    if x.numel() == 0:
        return
    assert nl.gradcheck(lambda a, b: ((a * b).tanh() / (a.sqrt() + 1)).sum() + (a.log() * b.exp()).mean(), [x, w])


def test_embedding_gradient_adds_over_repeats() -> None:
    index = labels(7, 3, classes=5)
    compare(
        lambda w: nl.nn.functional.embedding(index, w, 2), lambda w: torch.nn.functional.embedding(torch.from_numpy(index), w, padding_idx=2),
        [normal(5, 4)],
    )  # fmt: skip


def test_deep_tapes_do_not_overflow_the_stack() -> None:
    x = nl.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(200_000):
        y = y + 0.0
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 1.0
