"""An input of any type, layout and shape: the bits of its contiguous float32 copy, or an error that names the fault."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim

COLUMNS = 3
TYPES = [
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint64",
    "float16",
    "float32",
    ">f8",
    "complex64",
    "object",
]
SHAPES: dict[str, tuple[int, ...]] = {
    "rows": (12, COLUMNS), "one row": (1, COLUMNS), "no rows": (0, COLUMNS), "a vector": (12,), "a number": (),
    "a column": (12, 1), "too wide": (12, COLUMNS + 1), "three dimensions": (2, 6, COLUMNS),
}  # fmt: skip
REFUSED_TYPES = {"complex64", "object"}
TAKEN_SHAPES = {"rows", "one row", "three dimensions"}
WORDS = ("x", "shape", "dtype", "row", "dimension", "empty", "element")


def c_order(array: np.ndarray, folder: Path) -> Any:
    return array


def fortran_order(array: np.ndarray, folder: Path) -> Any:
    return np.asfortranarray(array)


def transposed(array: np.ndarray, folder: Path) -> Any:
    return np.ascontiguousarray(array.T).T


def strided(array: np.ndarray, folder: Path) -> Any:
    wide = np.zeros((*array.shape, 2), array.dtype)
    wide[..., 0] = array
    return wide[..., 0]


def backwards(array: np.ndarray, folder: Path) -> Any:
    reverse = tuple(slice(None, None, -1) for _ in array.shape)
    return np.ascontiguousarray(array[reverse])[reverse]


def unaligned(array: np.ndarray, folder: Path) -> Any:
    if array.dtype == object:
        return array
    memory = np.empty(array.nbytes + 1, np.uint8)
    memory[1:] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return memory[1:].view(array.dtype).reshape(array.shape)


def read_only(array: np.ndarray, folder: Path) -> Any:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def broadcast(array: np.ndarray, folder: Path) -> Any:
    """One row repeated, without allocating the copies."""
    return np.broadcast_to(array[:1], array.shape) if array.ndim else np.broadcast_to(array, array.shape)


def memory_mapped(array: np.ndarray, folder: Path) -> Any:
    if array.dtype == object or array.size == 0:
        return array
    path = folder / "mapped"
    path.write_bytes(array.tobytes())
    return np.memmap(path, array.dtype, "r", shape=array.shape or (1,)).reshape(array.shape)


def masked(array: np.ndarray, folder: Path) -> Any:
    return np.ma.masked_array(array, mask=False)


LAYOUTS: list[Callable[[np.ndarray, Path], Any]] = [
    c_order, fortran_order, transposed, strided, backwards, unaligned, read_only, broadcast, memory_mapped, masked,
]  # fmt: skip


def make_trainer() -> nl.Trainer:
    nl.manual_seed(1)
    model = nn.Sequential(nn.Linear(COLUMNS, 5), nn.Tanh(), nn.Linear(5, 2))
    return nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01))


def fit(x: Any, rows: int) -> Any:
    trainer = make_trainer()
    trainer.fit(x, np.ones((*np.shape(x)[:-1], 2), np.float32), batch_size=5, progress=False)
    return trainer.model.fingerprint()


def predict(x: Any, rows: int) -> Any:
    return make_trainer().predict(x).tobytes()


def evaluate(x: Any, rows: int) -> Any:
    return make_trainer().evaluate(x, np.ones((*np.shape(x)[:-1], 2), np.float32))


def outcome(call: Callable[[Any, int], Any], x: Any) -> Any:
    """The result of the call, or the error it raises."""
    try:
        return call(x, len(x) if np.ndim(x) else 0)
    except (TypeError, ValueError) as error:
        return error


def values(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    numbers = (nl.Generator(7).uniform((int(np.prod(shape)),), 0, 50).reshape(shape) // 1).astype(np.float64)
    return np.array(numbers % 2 == 0 if dtype == "bool" else numbers).astype(dtype)


def bytes_of(x: Any) -> Any:
    array = np.asarray(x)
    return array.tolist() if array.dtype == object else array.tobytes()


CALLS: list[Callable[[Any, int], Any]] = [fit, predict, evaluate]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_inputs(call, layout, tmp_path, proof):
    cases = list(itertools.product(TYPES, SHAPES))
    for dtype, kind in cases:
        case = f"{call.__name__} of {kind}, {dtype}, {layout.__name__}"
        x = layout(values(SHAPES[kind], dtype), tmp_path)
        before = bytes_of(x)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = outcome(call, x)
        assert bytes_of(x) == before, f"{case}: the input was changed"
        if dtype in REFUSED_TYPES or kind not in TAKEN_SHAPES:
            assert isinstance(found, TypeError | ValueError), f"{case} was accepted"
            assert any(word in str(found) for word in WORDS), f"{case}: {found} does not name the fault"
        else:
            plain = np.ascontiguousarray(np.asarray(x), np.float32)
            expected = outcome(call, plain)
            assert not isinstance(expected, Exception), f"{case}: {expected}"
            assert found == expected, f"{case}: not the result of its float32 copy, but {found}"
    proof.report(f"input matrix, {call.__name__}, {layout.__name__}", len(cases))
