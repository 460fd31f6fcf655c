"""Tables of text: numeric columns standardised, categorical ones one-hot."""

import csv
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MISSING = {"", "?", "NA", "N/A", "nan", "NaN", "null"}
_MAX_CLASSES = 20  # whole numbers with at most so many different values are classes, not a quantity


@dataclass(frozen=True)
class Table:
    """Named columns of text, all of one length."""

    columns: dict[str, list[str]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def column(self, name: str) -> list[str]:
        """A column's cells; ValueError that lists the columns there are."""
        if name not in self.columns:
            raise ValueError(f"there is no column {name!r}; the columns are {', '.join(self.columns)}")
        return self.columns[name]


def read_csv(path: str | Path) -> Table:
    """A CSV file with a line of names. ValueError naming the line for a row of another length, or for an empty file."""
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            return _parse(str(path), csv.reader(file, skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a CSV text file: {error}") from None


def _parse(path: str, reader: Any) -> Table:
    names = [name.strip() for name in next(reader, [])]
    if not names:
        raise ValueError(f"{path} is empty; a CSV file starts with a line of column names")
    if len(set(names)) != len(names):
        raise ValueError(f"{path} names a column twice: {', '.join(names)}")
    rows = []
    for row in reader:
        if not row:
            continue
        if len(row) != len(names):
            raise ValueError(f"{path}, line {reader.line_num}: {len(row)} cells, but {len(names)} columns")
        rows.append([cell.strip() for cell in row])
    if not rows:
        raise ValueError(f"{path} has column names but no rows")
    return Table({name: list(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)})


def numbers_of(cells: list[str]) -> NDArray[np.float64] | None:
    """The cells as numbers, missing ones NaN; None where a cell is neither."""
    values = np.empty(len(cells))
    for i, cell in enumerate(cells):
        try:
            values[i] = math.nan if cell in _MISSING else float(cell)
        except ValueError:
            return None
    return values


@dataclass
class Column:
    """How one column becomes features: `categories` for a categorical one, else mean and scale."""

    name: str
    categories: list[str] | None = None
    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def learn(cls, name: str, cells: list[str]) -> "Column":
        """From the cells of the training data."""
        numbers = numbers_of(cells)
        if numbers is None:
            return cls(name, sorted({cell for cell in cells if cell not in _MISSING}))
        finite = numbers[np.isfinite(numbers)]
        if finite.size == 0:
            raise ValueError(f"column {name!r} holds no number at all; leave it out")
        deviation = float(finite.std())
        return cls(name, None, float(finite.mean()), deviation if deviation > 0 else 1.0)

    @property
    def feature_names(self) -> list[str]:
        """One name a feature."""
        return [self.name] if self.categories is None else [f"{self.name}={value}" for value in self.categories]

    def encode(self, cells: list[str]) -> NDArray[np.float32]:
        """(rows, features); a missing number becomes the mean, an unknown category zeros (with a warning)."""
        if self.categories is None:
            return self._standardise(cells)
        position = {value: i for i, value in enumerate(self.categories)}
        unknown = {cell for cell in cells if cell not in position and cell not in _MISSING}
        if unknown:
            warnings.warn(f"column {self.name!r} has categories not seen in training: {', '.join(sorted(unknown))}", stacklevel=3)
        encoded = np.zeros((len(cells), len(self.categories)), np.float32)
        for row, cell in enumerate(cells):
            if cell in position:
                encoded[row, position[cell]] = 1
        return encoded

    def _standardise(self, cells: list[str]) -> NDArray[np.float32]:
        numbers = numbers_of(cells)
        if numbers is None:
            wrong = next(i for i, cell in enumerate(cells) if numbers_of([cell]) is None)
            raise ValueError(f"column {self.name!r} was numeric in training, but row {wrong} holds {cells[wrong]!r}")
        numbers = np.where(np.isfinite(numbers), numbers, self.mean)
        return ((numbers - self.mean) / self.scale).astype(np.float32)[:, None]


@dataclass
class Preprocessor:
    """How a table becomes arrays, learnt from the training data and kept in the model file."""

    columns: list[Column]
    target: str
    class_names: list[str] | None
    target_mean: float = 0.0
    target_scale: float = 1.0

    @classmethod
    def fit(cls, table: Table, target: str) -> "Preprocessor":
        """Learns from a table; a target of text, or of few whole numbers, is a class."""
        cells = table.column(target)
        if all(cell in _MISSING for cell in cells):
            raise ValueError(f"the target column {target!r} is empty")
        columns = [Column.learn(name, values) for name, values in table.columns.items() if name != target]
        if not columns:
            raise ValueError(f"the table has no column besides the target {target!r}")
        names = _class_names(cells)
        if names is not None:
            return cls(columns, target, names)
        numbers = numbers_of(cells)
        assert numbers is not None
        present = numbers[np.isfinite(numbers)]
        return cls(columns, target, None, float(present.mean()), float(present.std()) or 1.0)

    @property
    def feature_names(self) -> list[str]:
        """One name a feature."""
        return [name for column in self.columns for name in column.feature_names]

    def inputs(self, table: Table) -> NDArray[np.float32]:
        """(rows, features); ValueError for a missing column."""
        return np.concatenate([column.encode(table.column(column.name)) for column in self.columns], axis=1)

    def targets(self, table: Table) -> NDArray[Any]:
        """Class indices (int64), or standardised values (float32)."""
        cells = table.column(self.target)
        missing = [i for i, cell in enumerate(cells) if cell in _MISSING]
        if missing:
            raise ValueError(f"the target column {self.target!r} has no value in row {missing[0]} (and {len(missing) - 1} others)")
        if self.class_names is None:
            numbers = numbers_of(cells)
            if numbers is None:
                raise ValueError(f"the target column {self.target!r} was numeric in training and now holds text")
            return ((numbers - self.target_mean) / self.target_scale).astype(np.float32)
        position = {name: i for i, name in enumerate(self.class_names)}
        unknown = next((cell for cell in cells if cell not in position), None)
        if unknown is not None:
            raise ValueError(f"the target {unknown!r} is none of the classes {', '.join(self.class_names)}")
        return np.array([position[cell] for cell in cells], np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a model file."""
        return {
            "columns": [vars(column) for column in self.columns],
            "target": self.target,
            "class_names": self.class_names,
            "target_mean": self.target_mean,
            "target_scale": self.target_scale,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> "Preprocessor":
        """The inverse of `to_dict`."""
        return cls(**{**state, "columns": [Column(**column) for column in state["columns"]]})


def _class_names(cells: list[str]) -> list[str] | None:
    """The classes of a target column, or None for a quantity."""
    distinct = {cell for cell in cells if cell not in _MISSING}
    numbers = numbers_of(sorted(distinct))
    if numbers is None:
        return sorted(distinct)
    if len(distinct) > _MAX_CLASSES or not np.all(numbers == np.round(numbers)):
        return None
    return sorted(distinct, key=float)
