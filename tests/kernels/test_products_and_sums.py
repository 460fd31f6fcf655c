"""The arithmetic contract, element by element: chains of fma in order, leaves of 128 rows, lanes, and their trees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnlite as nl
from nnlite import _core

LEAF = 128


def fma(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """float32 a*b + c with one rounding: the product is exact in 64 bits of mantissa, the sum rounds once more at 2^-64."""
    return (a.astype(np.longdouble) * b + c).astype(np.float32)


def chain(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a (m, k) b (k, n), each sum by fma over k = 0, 1, 2, ..."""
    sums = np.zeros((a.shape[0], b.shape[1]), np.float32)
    for k in range(a.shape[1]):
        sums = fma(a[:, k : k + 1], b[k : k + 1], sums)
    return sums


def tree(parts: list[np.ndarray]) -> np.ndarray:
    """Leaves 2i and 2i+1 first, then pairs of pairs."""
    while len(parts) > 1:
        parts = [parts[i] + parts[i + 1] if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)]
    return parts[0]


def leaves(rows: int) -> list[slice]:
    return [slice(i, min(i + LEAF, rows)) for i in range(0, rows, LEAF)]


def random32(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


SIZES = [(1, 1, 1), (3, 5, 17), (7, 16, 33), (13, 65, 64), (6, 64, 130), (50, 10, 128), (25, 81, 600), (1, 200, 3)]


@pytest.mark.parametrize(("m", "k", "n"), SIZES)
def test_forward_is_a_chain_of_fma(m: int, k: int, n: int) -> None:
    x, weight, bias = random32(m, k), random32(n, k, seed=1), random32(n, seed=2)
    expected = chain(x, np.ascontiguousarray(weight.T)) + bias
    got = _core.linear(x, nl.tensor(weight), nl.tensor(bias)).numpy()
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal((nl.tensor(x) @ np.ascontiguousarray(weight.T)).numpy(), chain(x, weight.T))


@given(st.integers(1, 6), st.integers(1, 50), st.integers(1, 50), st.integers(0, 9))
def test_few_rows_are_chains_of_fma_too(m: int, k: int, n: int, seed: int) -> None:
    # Batches of a few rows, and layers of a few inputs, have separate kernels.
    x, weight, bias, dy = (random32(*shape, seed=seed) for shape in ((m, k), (n, k), (n,), (m, n)))
    tensor, parameter = nl.tensor(x, requires_grad=True), nl.tensor(weight, requires_grad=True)
    output = _core.linear(tensor, parameter, nl.tensor(bias))
    output.backward(dy)
    np.testing.assert_array_equal(output.detach().numpy(), chain(x, np.ascontiguousarray(weight.T)) + bias)
    np.testing.assert_array_equal(parameter.grad.numpy(), chain(np.ascontiguousarray(dy.T), x))
    np.testing.assert_array_equal(tensor.grad.numpy(), chain(dy, weight))


@pytest.mark.parametrize("batch", [1, 2, 127, 128, 129, 256, 257, 300, 513, 1100])
def test_gradients_sum_the_batch_by_leaves(batch: int) -> None:
    x, dy = random32(batch, 19), random32(batch, 5, seed=1)
    weight, bias = (
        nl.tensor(random32(5, 19, seed=2), requires_grad=True),
        nl.tensor(random32(5, seed=3), requires_grad=True),
    )
    tensor = nl.tensor(x, requires_grad=True)
    _core.linear(tensor, weight, bias).backward(dy)
    parts = [chain(np.ascontiguousarray(dy[rows].T), x[rows]) for rows in leaves(batch)]
    np.testing.assert_array_equal(weight.grad.numpy(), tree(parts))
    np.testing.assert_array_equal(bias.grad.numpy(), tree([in_order(dy[rows]) for rows in leaves(batch)]))
    np.testing.assert_array_equal(tensor.grad.numpy(), chain(dy, weight.detach().numpy()))


def in_order(rows: np.ndarray) -> np.ndarray:
    total = np.zeros(rows.shape[1:], np.float32)
    for row in rows:
        total = total + row
    return total


def lanes_of(values: np.ndarray) -> np.ndarray:
    """Sixteen sums: lane j of elements j, j + 16, ..."""
    padded = np.zeros(-(-values.size // 16) * 16, np.float32)
    padded[: values.size] = values.ravel()
    return in_order(padded.reshape(-1, 16))


def fold(lanes: np.ndarray) -> np.float32:
    """Lane j with j + 8, then + 4, + 2, + 1."""
    while lanes.size > 1:
        lanes = lanes[: lanes.size // 2] + lanes[lanes.size // 2 :]
    return lanes[0]


@pytest.mark.parametrize("shape", [(1,), (15,), (128,), (129,), (1000,), (300, 3), (140, 33)])
def test_whole_sums_are_leaves_of_lanes(shape: tuple[int, ...]) -> None:
    x = random32(*shape)
    expected = fold(tree([lanes_of(x[rows]) for rows in leaves(len(x))]))
    assert nl.tensor(x).sum().item() == expected


@pytest.mark.parametrize("columns", [1, 7, 16, 33, 100])
def test_row_sums_are_lanes(columns: int) -> None:
    x = random32(9, columns)
    np.testing.assert_array_equal(nl.tensor(x).sum(1).numpy(), [fold(lanes_of(row)) for row in x])


@given(
    st.integers(1, 40),
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 9),
)
def test_products_are_within_the_error_bound(m: int, k: int, n: int, dtype: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.standard_normal(s).astype(dtype) for s in ((m, k), (k, n)))
    exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
    bound = 2 * k * np.finfo(dtype).eps / 2 * (np.abs(a) @ np.abs(b)).astype(np.float64)
    assert (np.abs((nl.tensor(a) @ nl.tensor(b)).numpy() - exact) <= bound).all()


@given(st.integers(1, 300), st.integers(1, 200), st.integers(1, 90))
def test_threads_do_not_change_bits(m: int, k: int, n: int) -> None:
    # Large products use the team; each element's chain is the same on any thread.
    a, b = random32(4 * m, k), random32(k, 4 * n, seed=1)
    results = []
    for threads in (1, 2, 5):
        nl.set_num_threads(threads)
        results.append((nl.tensor(a) @ nl.tensor(b)).numpy().copy())
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


def test_a_rows_prediction_does_not_depend_on_the_others() -> None:
    model = nl.nn.MLP([50, 70, 30, 7])
    x = random32(1000, 50)
    whole = model(x).detach().numpy()
    for rows in (slice(0, 1), slice(3, 10), slice(100, 165), slice(999, 1000)):
        np.testing.assert_array_equal(model(x[rows]).detach().numpy(), whole[rows])
