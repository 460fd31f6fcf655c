"""One table column: whether it holds numbers or categories, and how it becomes features."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .moments import mean_and_deviation
from .notation import Notation, is_padded
from .reading import Told, counts_rows, known_numbers, numbers_in
from .table import Array, Cells, Table, text_of

_MOST_CATEGORIES = 1000  # more are names or row numbers, and one-hot columns of them would fill the memory
_FEW = 20  # in this many rows each may well hold a different category
_SHOWN = 5


def mean_and_scale(table: Table, name: str, numbers: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation of the numbers present; a constant has scale 1."""
    present = numbers[~np.isnan(numbers)]
    if present.size == 0:
        raise ValueError(f"column {name!r} holds no numbers; leave it out with --drop {name!r}")
    if present.min() == present.max():
        return float(present[0]), 1.0
    mean, scale = map(float, mean_and_deviation(present))
    if not (math.isfinite(mean) and math.isfinite(scale)):
        row = int(np.nanargmax(np.abs(numbers)))
        raise ValueError(
            f"column {name!r} holds numbers that are too large, such as {numbers[row]:g}: its mean or deviation is not finite; "
            f"--drop {name!r} leaves it out"
        )
    return mean, scale or 1.0


def texts_of(cells: Cells | Array) -> Cells:
    """Text cells, with numbers as they would be written."""
    return cells if isinstance(cells, list) else [text_of(float(value)) for value in cells]


def shown(values: list[str]) -> str:
    """The first few of many values."""
    more = f", and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    short = (value if len(value) <= 30 else value[:27] + "..." for value in values[:_SHOWN])
    return ", ".join(repr(value) if "," in value else value for value in short) + more


@dataclass
class Column:
    """How one column becomes features: `categories`, or mean and scale; `told` is whether the user said which."""

    name: str
    categories: list[str] | None = None
    mean: float = 0.0
    scale: float = 1.0
    told: bool = False

    @classmethod
    def learn(
        cls, table: Table, name: str, notation: Notation, told: Told, rows: Any = slice(None)
    ) -> tuple["Column", str]:
        """(the column, how it was read) from all cells; mean and scale from `rows` only."""
        found = numbers_in(table, name, notation, told)
        if found is not None:
            numbers, lost = found
            column = cls(name, None, *mean_and_scale(table, name, numbers[rows]), name in told.number)
            return column, _number_story(name, numbers, lost)
        column = cls(name, told=name in told.text)
        texts = texts_of(table.column(name))
        column.categories = sorted(column._present(texts, notation))
        _require_categories(table, name, column)
        padded = not column.told and any(is_padded(cell) for cell in column.categories)
        zeros = ", kept as text because of leading zeros" if padded else ""
        count = len(column.categories)
        return column, f"category with {count} value{'s' * (count != 1)} ({shown(column.categories)}{zeros})"

    def _present(self, cells: Cells, notation: Notation) -> set[str]:
        marks = {cell for cell in cells if cell in notation.missing and not self._is_missing(cell, notation)}
        return {str(cell) for cell in (set(cells) - notation.missing) | marks}

    def _is_missing(self, cell: str, notation: Notation) -> bool:
        """In a column given to --text, NA and the like are text."""
        return cell == "" or (notation.is_missing(cell) and not (self.told and cell in Notation().missing))

    @property
    def feature_names(self) -> list[str]:
        """One name per feature."""
        return [self.name] if self.categories is None else [f"{self.name}={value}" for value in self.categories]

    def encode(self, table: Table, notation: Notation) -> NDArray[np.float32]:
        """(rows, features); a missing number becomes the mean, an unknown category zeros (with a warning)."""
        if self.categories is None:
            return self._standardise(table, notation)
        cells = texts_of(table.column(self.name))
        position = {value: i for i, value in enumerate(self.categories)}
        for value, i in list(position.items()):  # pandas reads TRUE and true as True
            if value.lower() in ("true", "false"):
                position.setdefault(value.capitalize(), i)
        unknown = self._present(cells, notation) - position.keys()
        marks = notation.missing
        found = [-1 if cell in marks and self._is_missing(cell, notation) else position.get(cell, -1) for cell in cells]
        encoded = np.zeros((len(cells), len(self.categories) + 1), np.float32)
        encoded[np.arange(len(cells)), found] = 1
        if unknown:
            warnings.warn(
                f"column {self.name!r} has categories not seen in training, encoded as zeros: {shown(sorted(unknown))}",
                stacklevel=3,
            )
        return encoded[:, :-1]

    def _standardise(self, table: Table, notation: Notation) -> NDArray[np.float32]:
        numbers = known_numbers(table, self.name, notation, self.told)
        numbers = np.where(np.isnan(numbers), self.mean, numbers)
        with np.errstate(over="ignore"):  # infinities are reported with all other inputs
            return ((numbers - self.mean) / self.scale).astype(np.float32)[:, None]


def _number_story(name: str, numbers: NDArray[np.float64], lost: int) -> str:
    missing = int(np.isnan(numbers).sum()) - lost
    notes = [f"{missing} missing"] * bool(missing) + [f"{lost} cells that are not numbers, read as missing"] * bool(
        lost
    )
    story = "number" + (f" ({', '.join(notes)})" if notes else "")
    return story + (f"; it only counts rows: --drop {name!r} leaves it out" if counts_rows(numbers) else "")


def _require_categories(table: Table, name: str, column: Column) -> None:
    categories = column.categories or []
    if not categories:
        raise ValueError(f"column {name!r} is empty; leave it out with --drop {name!r}")
    first = texts_of(table.column(name)).index(categories[0])
    what = f"{table.where(name, first)}: the column holds {len(categories)} distinct texts (such as {categories[0]!r})"
    if len(categories) > _MOST_CATEGORIES:
        raise ValueError(
            f"{what}; at most {_MOST_CATEGORIES} become one-hot columns: leave it out with --drop {name!r}"
        )
    if not column.told and len(table) >= _FEW and len(categories) * 2 > len(table):
        raise ValueError(
            f"{what} in {len(table)} rows, so it identifies rows rather than describes them: --drop {name!r} leaves it out, "
            f"--text {name!r} makes each a category"
        )
