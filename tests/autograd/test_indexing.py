"""tensor[key] against PyTorch, or NumPy for keys that PyTorch does not accept: values, shapes, gradients or the error."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl

SHAPES = [(), (1,), (5,), (0,), (3, 4), (4, 1), (2, 3, 2), (3, 0, 2), (2, 1, 3, 2)]
ERRORS = (IndexError, ValueError, TypeError, RuntimeError)


class One:
    """An index that is not an integer."""

    def __index__(self) -> int:
        return 1


def random_item(rng: np.random.Generator, size: int) -> Any:
    """A random part of a key for a dimension of `size`; sometimes it does not fit."""
    low, high = -size - (rng.random() < 0.1), size + (rng.random() < 0.1)
    high = max(high, low + 1)
    bound = lambda: None if rng.random() < 0.3 else int(rng.integers(-size - 2, size + 3))  # noqa: E731
    kind = rng.choice(20, p=np.array([6, 6, 4, 2, 3, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]) / 42)
    if kind == 0:
        return int(rng.integers(low, high))
    if kind in (1, 2):
        step = None if kind == 1 else int(rng.choice([-2, -1, 1, 2, 3]))
        return slice(bound(), bound(), step)
    if kind == 3:
        return None
    if kind == 4:
        return rng.integers(low, high, int(rng.integers(0, 4)))
    if kind == 5:
        return rng.integers(low, high, (2, int(rng.integers(1, 3)))).astype(rng.choice(["int32", "int64"]))
    if kind == 6:
        return rng.integers(low, high, int(rng.integers(1, 4))).tolist()
    if kind == 7:
        return rng.integers(low, high, (int(rng.integers(1, 3)), 2)).tolist()
    if kind == 8:
        return rng.random(size + int(rng.random() < 0.1) - int(rng.random() < 0.1 and size > 0)) < 0.5
    if kind == 9:
        return rng.random((size, int(rng.integers(1, 4)))) < 0.5
    others = [
        bool(rng.random() < 0.5), np.array(rng.random() < 0.5), np.bool_(rng.random() < 0.5), np.array(rng.integers(low, high)),
        [], One(), range(min(size, 2)), 10**30, 0.5, slice(0, 2, 0),
    ]  # fmt: skip
    return others[kind - 10]


def random_key(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    items: list[Any] = []
    sizes = iter(shape)
    for _ in range(int(rng.integers(1, len(shape) + 2))):
        item = random_item(rng, next(sizes, 2))
        items.append(item)
    if rng.random() < 0.25:
        items.insert(int(rng.integers(0, len(items) + 1)), ...)
    if rng.random() < 0.03:
        items.append(...)
    return items[0] if len(items) == 1 and rng.random() < 0.5 else tuple(items)


def with_items(key: Any, change: Any) -> Any:
    return tuple(change(item) for item in key) if isinstance(key, tuple) else change(key)


def for_torch(item: Any) -> Any:
    """Arrays as tensors. A lone nested list is not converted: PyTorch's reading of it as a tuple is deprecated."""
    if isinstance(item, np.ndarray | np.bool_):
        return torch.from_numpy(np.asarray(item))
    return torch.tensor(item) if isinstance(item, list) and item and isinstance(item[0], list) else item


def outcome(select: Any) -> Any:
    """What `select` returns, or the exception that it raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return select()
    except ERRORS as error:
        return error


def expected(x: np.ndarray, key: Any) -> Any:
    """(value, gradient of the sum of squares), or an exception."""
    dots = [item for item in key if item is ...] if isinstance(key, tuple) else []
    if len(dots) > 1:  # only PyTorch accepts several
        return IndexError("ellipsis")
    theirs = torch.tensor(x, requires_grad=True)
    value = outcome(lambda: theirs[with_items(key, for_torch)])
    if not isinstance(value, Exception):
        (value**2).sum().backward()
        return value.detach().numpy(), np.zeros_like(x) if theirs.grad is None else theirs.grad.numpy()
    picked = outcome(lambda: x[key])
    if isinstance(picked, Exception):
        return picked
    gradient = np.zeros_like(x)
    np.add.at(gradient, key, 2 * picked)
    return picked, gradient


def is_integer(item: Any) -> bool:
    return isinstance(item, One) or (isinstance(item, int | np.ndarray) and np.ndim(item) == 0)


def is_reversed(item: Any) -> bool:
    return isinstance(item, slice) and item.step is not None and item.step < 0


def check(x: np.ndarray, key: Any, as_tensors: bool) -> None:
    wanted = expected(x, key)
    ours = nl.tensor(x, requires_grad=True)
    if as_tensors:
        key = with_items(
            key, lambda item: nl.tensor(item) if isinstance(item, np.ndarray) and item.dtype == np.int64 else item
        )
    got = outcome(lambda: ours[key])
    if isinstance(wanted, Exception):
        if isinstance(got, nl.Tensor) and got.numel() == 0 and "out of bounds" in str(wanted):
            return  # if nothing is selected, PyTorch does not check the indices; NumPy does
        assert isinstance(got, Exception), f"{x.shape}[{key!r}] must raise {wanted!r}, it gave shape {got.shape}"
        kinds = (IndexError, ValueError) if "slice(0, 2, 0)" in repr(key) else IndexError
        assert isinstance(got, kinds), f"{x.shape}[{key!r}] raises {got!r}, expected {wanted!r}"
        return
    if isinstance(key, tuple) and any(is_integer(i) for i in key) and any(is_reversed(i) for i in key):
        return  # PyTorch cannot tell, and NumPy treats an integer beside arrays as an array
    if isinstance(got, IndexError) and "does not fit" in str(got) and wanted[0].size == 0:
        return  # an empty mask that does not fit is still an error
    assert not isinstance(got, Exception), f"{x.shape}[{key!r}] raises {got!r}"
    assert got.shape == wanted[0].shape, f"{x.shape}[{key!r}] has shape {got.shape}, not {wanted[0].shape}"
    np.testing.assert_array_equal(got.detach().numpy(), wanted[0], err_msg=f"{x.shape}[{key!r}]")
    (got * got).sum().backward()
    assert ours.grad is not None
    np.testing.assert_allclose(ours.grad.numpy(), wanted[1], rtol=1e-14, err_msg=f"gradient of {x.shape}[{key!r}]")


def fuzz(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        shape = SHAPES[rng.integers(len(SHAPES))]
        check(rng.normal(size=shape), random_key(rng, shape), bool(rng.random() < 0.3))


def test_random_keys() -> None:
    fuzz(0, 800)


@pytest.mark.stress
@pytest.mark.parametrize("seed", range(1, 11))
def test_many_random_keys(seed: int) -> None:
    fuzz(seed, 3000)


X = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    "key",
    [
        (0, ..., ...), (..., ...), (0, ..., 0, ...), (0, 0, 0), np.ones(2, bool), np.ones(4, bool), np.ones((3, 1), bool), np.ones((3, 5), bool),
        np.ones((3, 4, 1), bool), (slice(None), np.ones(3, bool)), ([0, 1], [0, 1, 2]), ([True, False, True], [0, 1, 2]), 10**30, -(10**30), [10**30], 3, -4,
        [3], np.array([-4]), 0.5, np.float32(1), "a", b"a", ["a"], [0.5], np.array([]), np.array([0.0]), {0: 1}, {1}, 1j, [None], [slice(1)], object(),
        np.array([2**64 - 1], np.uint64), (False, [0, 1]), nl.tensor([0.0]), np.array([0], object),
    ],
    ids=repr,
)  # fmt: skip
def test_an_invalid_index_is_an_index_error(key: Any) -> None:
    with pytest.raises(IndexError):
        nl.tensor(X)[key]


def test_booleans_add_a_dimension() -> None:
    for true in (True, np.True_, np.array(True)):
        np.testing.assert_array_equal(nl.tensor(X)[true].numpy(), X[None])
        np.testing.assert_array_equal(nl.tensor(X)[1, true].numpy(), X[1][None])
    for false in (False, np.False_, np.array(False)):
        assert nl.tensor(X)[false].shape == (0, 3, 4)


def test_errors_raised_by_an_index_propagate() -> None:
    class Broken:
        def __index__(self) -> int:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        nl.tensor(X)[Broken()]
