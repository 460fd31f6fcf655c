"""Tables of text: numeric columns standardised, categorical ones one-hot."""

import csv
import math
import warnings
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from reprlib import repr as short
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError

_MISSING = {"", "?", "NA", "N/A", "nan", "NaN", "NAN", "null", "NULL"}
_MOST_CLASSES = 20  # whole numbers with at most so many different values are classes, not a quantity
_MOST_CATEGORIES = 1000  # one-hot columns of more are names or numbers of rows, and would fill the memory


@dataclass(frozen=True)
class Table:
    """Named columns of text, all of one length."""

    columns: dict[str, list[str]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def column(self, name: str) -> list[str]:
        """A column's cells; ValueError that lists the columns there are."""
        if name not in self.columns:
            raise ValueError(f"there is no column {name!r}; the columns are {', '.join(self.columns)}")
        return self.columns[name]


def read_csv(path: str | Path) -> Table:
    """A CSV file (commas, UTF-8) whose first line names the columns; cells lose the spaces around them.

    Raises OSError where the file cannot be read, and ValueError for an empty file, one that is no text, a name that comes
    twice, or a row of another length, naming its line.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            return _parse(str(path), csv.reader(file, skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a CSV text file: {error}") from None


def _parse(path: str, reader: Any) -> Table:
    names = [name.strip() for name in next(reader, [])]
    if not any(names):
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
        number = _number(cell)
        if number is None:
            return None
        values[i] = number
    return values


def _number(cell: str) -> float | None:
    if cell in _MISSING:
        return math.nan
    try:
        return None if "_" in cell else float(cell)  # Python alone reads 1_2 as 12
    except ValueError:
        return None


def _numbers(name: str, cells: list[str]) -> NDArray[np.float64] | None:
    """As `numbers_of`; ValueError naming the column and row of an infinite one."""
    numbers = numbers_of(cells)
    if numbers is not None and np.isinf(numbers).any():
        row = int(np.isinf(numbers).argmax())
        raise ValueError(f"column {name!r} holds {cells[row]} in row {row}; numbers must be finite")
    return numbers


def _mean_and_scale(name: str, numbers: NDArray[np.float64]) -> tuple[float, float]:
    """Of the numbers that are there; the scale of a constant is 1."""
    present = numbers[~np.isnan(numbers)]
    if present.size == 0:
        raise ValueError(f"column {name!r} holds no number at all; leave it out")
    if present.min() == present.max():
        return float(present[0]), 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = float(present.mean()), float(present.std())
    if not (math.isfinite(mean) and math.isfinite(scale)):
        raise ValueError(f"column {name!r} holds numbers that are too large; its mean or deviation is not finite")
    return mean, scale or 1.0


@dataclass
class Column:
    """How one column becomes features: `categories` for a categorical one, else mean and scale."""

    name: str
    categories: list[str] | None = None
    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def learn(cls, name: str, cells: list[str], rows: Any = slice(None)) -> "Column":
        """From all cells, but mean and scale from `rows` alone."""
        numbers = _numbers(name, cells)
        if numbers is not None:
            return cls(name, None, *_mean_and_scale(name, numbers[rows]))
        categories = sorted({cell for cell in cells if cell not in _MISSING})
        if len(categories) > _MOST_CATEGORIES:
            raise ValueError(
                f"column {name!r} holds {len(categories)} different texts (such as {categories[0]!r}), too many for one-hot "
                f"columns, which may be {_MOST_CATEGORIES}; leave it out"
            )
        return cls(name, categories)

    @property
    def feature_names(self) -> list[str]:
        """One name a feature."""
        return [self.name] if self.categories is None else [f"{self.name}={value}" for value in self.categories]

    def encode(self, cells: list[str]) -> NDArray[np.float32]:
        """(rows, features); a missing number becomes the mean, an unknown category zeros (with a warning)."""
        if self.categories is None:
            return self._standardise(cells)
        position = {value: i for i, value in enumerate(self.categories)}
        unknown = sorted({cell for cell in cells if cell not in position and cell not in _MISSING})
        if unknown:
            warnings.warn(
                f"column {self.name!r} has categories not seen in training, read as none: {', '.join(unknown[:10])}"
                + (f" and {len(unknown) - 10} others" if len(unknown) > 10 else ""),
                stacklevel=3,
            )
        encoded = np.zeros((len(cells), len(self.categories)), np.float32)
        for row, cell in enumerate(cells):
            if cell in position:
                encoded[row, position[cell]] = 1
        return encoded

    def _standardise(self, cells: list[str]) -> NDArray[np.float32]:
        numbers = _numbers(self.name, cells)
        if numbers is None:
            wrong = next(i for i, cell in enumerate(cells) if _number(cell) is None)
            raise ValueError(f"column {self.name!r} was numeric in training, but row {wrong} holds {cells[wrong]!r}")
        numbers = np.where(np.isnan(numbers), self.mean, numbers)
        with np.errstate(over="ignore"):  # what comes out infinite is reported with all other inputs
            return ((numbers - self.mean) / self.scale).astype(np.float32)[:, None]


@dataclass
class Preprocessor:
    """How a table becomes arrays, learnt from the training data and kept in the model file.

    >>> from nnlite.data.tabular import Preprocessor, Table
    >>> table = Table({"size": ["1", "3"], "colour": ["red", "blue"], "sold": ["no", "yes"]})
    >>> preprocessor = Preprocessor.fit(table, "sold")
    >>> preprocessor.feature_names, preprocessor.class_names
    (['size', 'colour=blue', 'colour=red'], ['no', 'yes'])
    >>> preprocessor.inputs(table).tolist(), preprocessor.targets(table).tolist()
    ([[-1.0, 0.0, 1.0], [1.0, 1.0, 0.0]], [0, 1])
    """

    columns: list[Column]
    target: str
    class_names: list[str] | None
    target_mean: float = 0.0
    target_scale: float = 1.0

    @classmethod
    def fit(cls, table: Table, target: str, rows: Any = slice(None)) -> "Preprocessor":
        """Learns from a table; a target of text, or of at most 20 different whole numbers, is a class.

        Means and scales are learnt from `rows` (an index of arrays) alone, so that others can be held out.
        """
        cells = table.column(target)
        if all(cell in _MISSING for cell in cells):
            raise ValueError(f"the target column {target!r} is empty")
        columns = [Column.learn(name, values, rows) for name, values in table.columns.items() if name != target]
        if not any(column.feature_names for column in columns):
            raise ValueError(f"the table has no column besides the target {target!r}")
        numbers = _numbers(target, cells)
        names = _class_names(cells, numbers)
        if names is None and numbers is not None:
            return cls(columns, target, None, *_mean_and_scale(target, numbers[rows]))
        if names is not None and len(names) < 2:
            raise ValueError(f"the target column {target!r} holds {names[0]!r} in every row; there is nothing to learn")
        return cls(columns, target, names)

    @property
    def feature_names(self) -> list[str]:
        """One name a feature."""
        return [name for column in self.columns for name in column.feature_names]

    def inputs(self, table: Table) -> NDArray[np.float32]:
        """(rows, features); ValueError for a missing column."""
        return np.concatenate([column.encode(table.column(column.name)) for column in self.columns], axis=1)

    def targets(self, table: Table) -> NDArray[Any]:
        """Class indices (rows,) int64, or standardised values (rows,) float32."""
        cells = table.column(self.target)
        missing = [i for i, cell in enumerate(cells) if cell in _MISSING]
        if missing:
            others = f" (and {len(missing) - 1} others)" if len(missing) > 1 else ""
            raise ValueError(f"the target column {self.target!r} has no value in row {missing[0]}{others}")
        if self.class_names is None:
            numbers = _numbers(self.target, cells)
            if numbers is None:
                raise ValueError(f"the target column {self.target!r} was numeric in training and now holds text")
            return ((numbers - self.target_mean) / self.target_scale).astype(np.float32)
        position = {name: i for i, name in enumerate(self.class_names)}
        unknown = next((cell for cell in cells if _class_name(cell) not in position), None)
        if unknown is not None:
            raise ValueError(f"the target {unknown!r} is none of the classes {', '.join(self.class_names)}")
        return np.array([position[_class_name(cell)] for cell in cells], np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a model file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Any) -> "Preprocessor":
        """The inverse of `to_dict`; ModelFileError for what no `to_dict` made."""
        entries = state.get("columns") if isinstance(state, dict) else None
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
            raise ModelFileError("the file does not say how to read a table")
        result = _checked(cls, {**state, "columns": [_checked(Column, entry) for entry in entries]})
        assert isinstance(result, cls)
        return result


_FIELD_TYPES: dict[str, type | tuple[type, ...]] = {
    "name": str, "target": str, "columns": list, "mean": float, "scale": float, "target_mean": float, "target_scale": float,
}  # fmt: skip


def _checked(kind: type, state: dict[str, Any]) -> Any:
    """The dataclass `kind` with exactly these fields, each of its type."""
    if set(state) != {field.name for field in fields(kind)}:
        raise ModelFileError(f"the file describes a {kind.__name__} by {short(sorted(map(str, state)))}")
    for name, value in state.items():
        if name in _FIELD_TYPES:
            fits = isinstance(value, _FIELD_TYPES[name]) and not (isinstance(value, float) and not math.isfinite(value))
        else:  # categories, class_names
            fits = value is None or (isinstance(value, list) and all(isinstance(item, str) for item in value))
        if not fits or (name.endswith("scale") and not value > 0):
            raise ModelFileError(f"the file describes a {kind.__name__} with {name} = {short(value)}")
    return kind(**state)


def _class_name(cell: str) -> str:
    """A whole number in one way only: 1, 1.0 and 01 are one class."""
    number = _number(cell)
    if number is None or not abs(number) < 2**53 or number != round(number):
        return cell
    return str(int(number))


def _class_names(cells: list[str], numbers: NDArray[np.float64] | None) -> list[str] | None:
    """The classes of a target column, or None for a quantity."""
    names = {_class_name(cell) for cell in cells if cell not in _MISSING}
    if numbers is None:
        return sorted(names)
    present = numbers[~np.isnan(numbers)]
    if len(names) > _MOST_CLASSES or not np.all(present == np.round(present)):
        return None
    return sorted(names, key=float)
