"""Named columns, from a text file or from Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np

from .notation import Quoted

Array = np.ndarray[Any, Any]
Cells = list[str]


@dataclass(frozen=True)
class Table:
    """Named columns of equal length: text cells, or arrays of numbers (NaN if missing).

    `name` and `lines` (one per row) locate a cell in messages. `named` is false if the columns are known only by their
    positions, named "0", "1", .... `left_out` holds the columns that the reader left out, with the reason.
    """

    columns: dict[str, Cells | Array]
    name: str = ""
    lines: list[int] | None = None
    named: bool = True
    left_out: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def column(self, name: str) -> Cells | Array:
        """A column's cells; ValueError that lists the columns if it is missing."""
        if name not in self.columns:
            raise ValueError(f"no column {name!r}; the columns are {', '.join(self.columns)}")
        return self.columns[name]

    def where(self, column: str, row: int) -> str:
        """A cell's location for messages."""
        place = f"row {row}" if self.lines is None else f"line {self.lines[row]}"
        return f"{self.name}{', ' if self.name else ''}{place}, column {column!r}"


def table_of(rows: Any, names: Sequence[str] | None = None) -> Table:
    """A table from a DataFrame, an array (N, columns), a list of rows, a list of dictionaries or a dictionary of columns.

    `names` are the column names of rows that have none. Raises ValueError or TypeError that says what is wrong.
    """
    if isinstance(rows, Table):
        return rows
    if hasattr(rows, "columns") and hasattr(rows, "__getitem__"):
        return _of_frame(rows)
    if isinstance(rows, Mapping):
        return _of_columns({str(name): list(np.atleast_1d(_cells(name, values))) for name, values in rows.items()})
    listed = _listed(rows)
    if len(listed) and isinstance(listed[0], Mapping):
        return _of_dictionaries(listed)
    return _of_rows(rows, listed, names)


def _cells(name: Any, values: Any) -> list[Any]:
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise TypeError(
            f"column {name!r} is {values!r}; it must be a list of values; for a single row write {{{name!r}: [{values!r}], ...}}"
        )
    return list(values)


def _listed(rows: Any) -> list[Any]:
    if isinstance(rows, str | PathLike):
        raise TypeError(f"rows are {rows!r}; read a file with nl.data.read_csv({str(rows)!r})")
    if isinstance(rows, str) or not (hasattr(rows, "__len__") or hasattr(rows, "__array__")):
        raise TypeError(
            f"rows must be an array, a DataFrame, or a list of rows or dictionaries, got {type(rows).__name__}"
        )
    return list(rows)


def _of_frame(frame: Any) -> Table:
    names = [str(name) for name in frame.columns]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"the DataFrame has duplicate column names: {', '.join(sorted(twice))}")
    columns = {name: _column(_values(frame[column])) for name, column in zip(names, list(frame.columns), strict=True)}
    numbered = list(frame.columns) == list(range(len(names)))
    return _checked(Table(columns, "the DataFrame", None, not numbered))


def _values(series: Any) -> Array:
    """A column's values; nullable and categorical ones as objects in which None, NaN and NA are missing."""
    kind = getattr(series.dtype, "kind", "O")
    return np.asarray(series) if isinstance(series.dtype, np.dtype) and kind in "biuf" else np.asarray(series, object)


def _of_columns(columns: dict[str, list[Any]]) -> Table:
    return _checked(Table({name: _column(_objects(values)) for name, values in columns.items()}))


def _of_dictionaries(rows: list[Any]) -> Table:
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    for number, row in enumerate(rows):
        missing = [name for name in names if name not in row]
        if missing:
            raise ValueError(f"row {number} has no {missing[0]!r}; use None for a missing value")
    return _of_columns({name: [row[name] for row in rows] for name in names})


def _of_rows(rows: Any, listed: list[Any], names: Sequence[str] | None) -> Table:
    if isinstance(rows, np.ndarray) and rows.dtype.kind in "biuf":
        array: Any = rows.reshape(len(rows), -1) if rows.size else rows
        if array.ndim != 2:
            raise ValueError(f"rows have shape {array.shape}; they must be (N, columns)")
        columns = {str(i): array[:, i] for i in range(array.shape[1])}
    else:
        for number, row in enumerate(listed):
            if isinstance(row, str) or not hasattr(row, "__len__"):
                raise ValueError(f"row {number} is {row!r}; each row must be a list with one value per column")
            if len(row) != len(listed[0]):
                raise ValueError(f"row {number} has {len(row)} values, row 0 has {len(listed[0])}")
        columns = {str(i): _objects([row[i] for row in listed]) for i in range(len(listed[0]) if listed else 0)}
    if names is not None and len(names) == len(columns):
        columns = dict(zip(names, columns.values(), strict=True))
    return _checked(Table({name: _column(values) for name, values in columns.items()}, named=names is not None))


def _checked(table: Table) -> Table:
    lengths = {len(column) for column in table.columns.values()}
    if lengths <= {0}:
        raise ValueError("the table has no rows")
    if len(lengths) > 1:
        raise ValueError(
            "columns must have equal lengths: " + ", ".join(f"{name} has {len(c)}" for name, c in table.columns.items())
        )
    return table


def _objects(values: Sequence[Any]) -> Array:
    result = np.empty(len(values), object)
    result[:] = values
    return result


def _column(values: Array) -> Cells | Array:
    """Numbers if all values are numbers (None is missing), else text cells."""
    if values.dtype.kind in "biu":
        return values.astype(np.float64) if values.dtype.kind != "b" else [str(value) for value in values]
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    present = [value for value in values if not is_absent(value)]
    if present and all(_is_number(value) for value in present):
        return np.array([np.nan if is_absent(value) else float(value) for value in values])
    return ["" if is_absent(value) else Quoted(_text(value)) for value in values]


def is_absent(value: Any) -> bool:
    """Whether a value is None, NaN, or pandas's NA or NaT."""
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value).strip()


def text_of(number: float) -> str:
    """A number as a text cell: 3 for 3.0."""
    return "" if number != number else str(int(number)) if number == round(number) else repr(float(number))
