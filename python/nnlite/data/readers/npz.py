"""NumPy's files: `.npz` with arrays x and y, `.npy` with one table."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..scaling import Arrays
from ..table import Table

Array = np.ndarray[Any, Any]
DESCRIPTION = "a .npz or .npy file"


def matches(name: str) -> bool:
    """Whether `name` has one of the suffixes."""
    return Path(name).suffix.lower() in (".npz", ".npy")


def load(name: str, seed: int = 0) -> Arrays | Table:
    """x (or X, x_train, data), y (or Y, y_train, target) and, if both exist, x_test and y_test; a `.npy` is read as a table."""
    found = _read(name)
    if not isinstance(found, dict):
        return _table(name, found)
    x, y = _inputs_of(name, found), _one_column(_first(found, ("y", "Y", "y_train", "target")))
    if y is None or y.ndim != 1 or len(y) != len(x):
        raise ValueError(f"{name} needs arrays x (N, features) and y (N,), one target a row; it has {_shapes(found)}")
    pixels = 255.0 if x.dtype == np.uint8 and x.size and x.max() > 1 else 0.0
    arrays = Arrays(Path(name).name, x, y, pixels=pixels)
    test_x, test_y = _first(found, ("x_test", "X_test")), _one_column(found.get("y_test"))
    if test_x is not None and test_y is not None:
        if test_x.ndim < 2 or test_y.ndim != 1:
            raise ValueError(f"{name} needs arrays x_test (N, features) and y_test (N,); it has {_shapes(found)}")
        arrays.test = (test_x, test_y)
    return arrays


def inputs(name: str, seed: int = 0) -> Array | Table:
    """Only x."""
    found = _read(name)
    return _inputs_of(name, found) if isinstance(found, dict) else _table(name, found)


def _read(name: str) -> dict[str, Array] | Array:
    data = Path(name).read_bytes()  # outside the try: a file that cannot be opened stays an OSError
    kind = Path(name).suffix.lower()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = np.load(BytesIO(data), allow_pickle=False)
            if kind == ".npy":
                return np.asarray(found)
            return dict(found)
    except Exception as error:  # a damaged archive raises almost any type: zlib's, zipfile's, the header parser's
        raise ValueError(
            f"{name} is not a readable {kind} file of plain arrays: {error or type(error).__name__}"
        ) from None


def _table(name: str, array: Array) -> Table:
    """The columns of a two-dimensional array, by number, or the fields of a structured one."""
    fields = array.dtype.names
    if array.size == 0 or (array.ndim != 1 if fields else array.ndim != 2):
        raise ValueError(
            f"{name} holds an array of shape {array.shape}; it must be a table (N, columns) that includes the targets, or name its "
            "arrays in a .npz: numpy.savez(file, x=x, y=y)"
        )
    columns: dict[str, Array] = {}
    for i, key in enumerate(fields or map(str, range(array.shape[1]))):
        columns[key] = array[key] if fields else array[:, i]
    for key, column in columns.items():
        if column.dtype.kind not in "biufUS" or column.ndim != 1:
            raise ValueError(f"{name}: column {key!r} has dtype {column.dtype}, which is neither number nor text")
    cells = {k: c.astype(np.float64) if c.dtype.kind in "biuf" else _texts(c) for k, c in columns.items()}
    return Table(cells, Path(name).name, None, fields is not None)


def _texts(column: Array) -> list[str]:
    return [str(cell.decode(errors="replace") if isinstance(cell, bytes) else cell).strip() for cell in column]


def _first(arrays: dict[str, Array], names: tuple[str, ...]) -> Array | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _shapes(arrays: dict[str, Array]) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "none"


def _inputs_of(name: str, arrays: dict[str, Array]) -> Array:
    x = _first(arrays, ("x", "X", "x_train", "X_train", "data"))
    if x is None or x.ndim < 2:
        raise ValueError(f"{name} needs an array x (N, features); it has {_shapes(arrays)}")
    return x


def _one_column(y: Array | None) -> Array | None:
    return y[:, 0] if y is not None and y.ndim == 2 and y.shape[1] == 1 else y
