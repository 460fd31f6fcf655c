"""Which memory a tensor shares; read-only memory is copied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import nnlite as nl


def frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


class Immutable:
    """An array of another library that shares its memory for reading only, as JAX does."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = frozen(values.copy())

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self.values


def memory_map(path: Path, mode: str) -> np.ndarray:
    np.ones((3, 4), np.float32).tofile(path)
    return np.memmap(path, np.float32, mode, shape=(3, 4))


READ_ONLY: dict[str, Callable[[Path], object]] = {
    "memory map": lambda path: memory_map(path, "r"),
    "rows of a memory map": lambda path: memory_map(path, "r")[1:],
    "frozen": lambda path: frozen(np.ones((3, 4), np.float32)),
    "frozen, float64": lambda path: frozen(np.ones((3, 4))),
    "frozen, int64": lambda path: frozen(np.ones((3, 4), np.int64)),
    "view of a frozen one": lambda path: frozen(np.ones((3, 4), np.float32))[1:],
    "frozen view": lambda path: frozen(np.ones((3, 4), np.float32)[:]),
    "bytes": lambda path: np.frombuffer(bytes(np.ones(4, np.float32)), np.float32),
    "memoryview": lambda path: memoryview(frozen(np.ones(4, np.float32))),
    "broadcast": lambda path: np.broadcast_to(np.float32(1), (1, 1)),
    "single value": lambda path: frozen(np.array(1, np.float32)),
    "nothing": lambda path: frozen(np.ones((0, 3), np.float32)),
    "another library": lambda path: Immutable(np.ones((3, 4), np.float32)),
}


@pytest.mark.parametrize("kind", READ_ONLY)
def test_read_only_memory_is_copied(kind: str, tmp_path: Path) -> None:
    given = READ_ONLY[kind](tmp_path / "values")
    x = nl.as_tensor(given)
    with nl.no_grad():
        x.fill_(2.0)
    x.numpy()[...] = 3
    assert (np.asarray(given) == 1).all()
    assert (x.numpy() == 3).all()
    if isinstance(given, np.ndarray):
        nl.from_numpy(given).zero_()
        assert (given == 1).all()


def test_a_private_memory_map_is_shared_and_its_file_stays(tmp_path: Path) -> None:
    array = memory_map(tmp_path / "values", "c")
    nl.as_tensor(array).zero_()
    assert (array == 0).all()
    assert (np.fromfile(tmp_path / "values", np.float32) == 1).all()


def test_writeable_memory_is_shared() -> None:
    array = np.ones((3, 4), np.float32)
    nl.as_tensor(array).zero_()
    assert (array == 0).all()
    theirs = torch.ones(3)
    nl.as_tensor(theirs).zero_()
    assert (theirs == 0).all()


def test_overlapping_and_reversed_arrays_are_copied() -> None:
    base = np.arange(6.0)
    windows = np.lib.stride_tricks.as_strided(base, (3, 4), (8, 8), writeable=True)
    for array in (windows, base[::-1], base[::2]):
        x = nl.as_tensor(array)
        np.testing.assert_array_equal(x.numpy(), array)
        x.fill_(-1)
    assert (base == np.arange(6.0)).all()
