"""DataFrames and object columns as numeric arrays, or an error whose advice works."""

from typing import Any

import numpy as np

from .table import is_absent

Array = np.ndarray[Any, Any]


def column_names(value: Any) -> list[str] | None:
    """A DataFrame's column names; None for anything else, or if they are only numbered."""
    if not is_frame(value):
        return None
    names = list(value.columns)
    return None if names == list(range(len(names))) else [str(name) for name in names]


def names_of(x: Any) -> list[list[str] | None] | None:
    """The column names of each of a model's inputs; None if no input has any."""
    names = [column_names(value) for value in (x if _is_several(x) else (x,))]
    return names if any(names) else None


def in_order(x: Any, names: list[list[str] | None] | None, what: str = "x") -> Any:
    """A model's inputs, with the columns of DataFrames in the order of `names`, on which it was trained.

    Raises ValueError that names missing or unknown columns.
    """
    if names is None:
        return x
    if not _is_several(x):
        return _in_order(x, names[0], what) if len(names) == 1 else x
    if len(x) != len(names):  # the model reports how many it takes
        return x
    return tuple(_in_order(v, known, f"{what}[{i}]") for i, (v, known) in enumerate(zip(x, names, strict=True)))


def _is_several(x: Any) -> bool:
    """Whether `x` holds several inputs: a tuple does, and a list with a DataFrame, which is not a row."""
    return isinstance(x, tuple) or (isinstance(x, list) and any(map(is_frame, x)))


def pair_in_order(pair: Any, names: list[list[str] | None] | None) -> Any:
    """Like `in_order` for (x, y); anything else unchanged."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        return pair
    return in_order(pair[0], names, "validation x"), pair[1]


def _in_order(value: Any, names: list[str] | None, what: str) -> Any:
    found = column_names(value)
    if found is None or names is None or found == names:
        return value
    for problem, columns in (
        ("lacks", [name for name in names if name not in found]),
        ("also has", [name for name in found if name not in names]),
    ):
        if columns:
            raise ValueError(
                f"{what} {problem} the column{'s' * (len(columns) > 1)} {', '.join(map(repr, columns))}; the model was trained on "
                f"{', '.join(map(repr, names))}"
            )
    by_name = {str(name): name for name in value.columns}
    return value[[by_name[name] for name in names]]


def is_frame(value: Any) -> bool:
    """Whether `value` has named columns, like a pandas DataFrame."""
    return hasattr(value, "columns") and hasattr(value, "dtypes") and hasattr(value, "__getitem__")


def frame_of(name: str, value: Any) -> Array:
    """`value` as an array; DataFrame columns and objects become numbers if they are numbers.

    Integers, floats and booleans may mix; nullable columns must have no missing value. Raises TypeError or ValueError that
    names the column and the conversion.
    """
    return _of_frame(name, value) if is_frame(value) else numbers_of(name, np.asarray(value), value)


def numbers_of(name: str, array: Array, value: Any) -> Array:
    """An object array as a numeric one; any other array unchanged. `value` is what it was made from."""
    if array.dtype != object or not array.ndim:
        return array
    return _numbers(name, array, "values" if hasattr(value, "fillna") else "")


def _of_frame(name: str, frame: Any) -> Array:
    names = list(frame.columns)
    if len(set(names)) != len(names):
        twice = next(column for column in names if names.count(column) > 1)
        raise ValueError(f"{name} has two columns {twice!r}: use {name}.loc[:, ~{name}.columns.duplicated()]")
    columns = [_column(name, column, frame[column]) for column in names]
    if not columns:
        raise ValueError(f"{name} is a DataFrame without columns")
    return np.stack(columns, axis=1)


def _column(name: str, column: Any, series: Any) -> Array:
    where = f"{name}[{column!r}]"
    kind = str(getattr(series, "dtype", ""))
    if kind.startswith("period"):
        raise TypeError(f"{where} holds dates; convert them first, for example {where} = {where}.dt.year")
    if "datetime" in kind:
        day = f"({where} - {where}.min()) / pandas.Timedelta('1D')"
        raise TypeError(f"{where} holds dates; convert them first, for example {where} = {day}")
    if "timedelta" in kind:
        raise TypeError(
            f"{where} holds durations; convert them first, for example {where} = {where} / pandas.Timedelta('1D')"
        )
    array = np.asarray(series)
    return _numbers(where, array, "column", name, column) if array.dtype.kind not in "biuf" else array


def _numbers(where: str, array: Array, what: str, name: str = "", column: Any = None) -> Array:
    """Objects that are all numbers as int64 or float64; TypeError that names the first that is not."""
    flat = array.reshape(-1)
    for index, cell in enumerate(flat):
        if is_absent(cell):
            place = f"row {index}" if array.ndim == 1 else f"index {np.unravel_index(index, array.shape)}"
            fix = f"{where}.fillna(0)" if what else f"numpy.nan_to_num({where}.astype('float64'))"
            raise ValueError(f"{where} holds {cell!r} in {place}; fill or drop missing values first, for example {fix}")
        if not isinstance(cell, int | float | np.number | np.bool_) and type(cell).__name__ not in (
            "Decimal",
            "Fraction",
        ):
            raise _no_number(where, array, index, cell, what, name, column)
    kind = np.float64 if any(not isinstance(cell, int | np.integer | np.bool_) for cell in flat) else np.int64
    try:
        result: Array = flat.astype(kind)
    except OverflowError:  # beyond 64 bits
        result = flat.astype(np.float64)
    result.shape = array.shape
    return result


def _no_number(where: str, array: Array, index: int, cell: Any, what: str, name: str, column: Any) -> TypeError:
    at = tuple(int(i) for i in np.unravel_index(index, array.shape))
    fix = f"convert it first, for example {where}.astype('float32')"
    if isinstance(cell, str):
        if what == "column":
            fix = f"use {name} = pandas.get_dummies({name}, columns=[{column!r}], dtype=float)"
        elif array.ndim == 1:
            fix = f"number them: numpy.unique({where}, return_inverse=True)[1]"
        try:
            float(cell)
            fix = f"use {where}.astype('float32')"
        except ValueError:
            pass
    return TypeError(
        f"{where} has dtype {array.dtype}, which is not numeric (the first such value is {cell!r} at index "
        f"{at[0] if len(at) == 1 else at}); {fix}"
    )
