"""One column of a table: whether it holds numbers or categories, and how it becomes features."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .notation import Notation, Quoted, is_date, is_padded, is_rounded, unit_of
from .table import Array, Cells, Table, text_of

MOST_CLASSES = 20  # whole numbers with at most so many different values are classes, not a quantity
_MOST_CATEGORIES = 1000  # one-hot columns of more are names or numbers of rows, and would fill the memory
_FEW = 20  # rows, of which each may well hold a category of its own
_SHOWN = 5


@dataclass(frozen=True)
class Told:
    """What the user says about columns, by name."""

    text: frozenset[str] = frozenset()
    number: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()

    def require_known(self, table: Table) -> None:
        """ValueError for a name that the table lacks or that is told to be two things."""
        for option, names in (("text", self.text), ("number", self.number), ("drop", self.drop)):
            for name in sorted(names - table.columns.keys()):
                raise ValueError(
                    f"--{option} {name!r}: there is no such column; the columns are {', '.join(table.columns)}"
                )
        for name in sorted((self.text & self.number) | (self.text & self.drop) | (self.number & self.drop)):
            raise ValueError(f"column {name!r} is told to be two of --text, --number and --drop; choose one")


def numbers_in(table: Table, name: str, notation: Notation, told: Told) -> tuple[NDArray[np.float64], int] | None:
    """(a column's numbers, NaN for missing ones; how many cells are read as missing as told), or None for a text column.

    Raises ValueError naming line, column and cell where neither is certain.
    """
    cells = table.column(name)
    if name in told.text:
        return None
    if not isinstance(cells, list):
        return _finite(table, name, notation.without_marks(np.asarray(cells, np.float64))), 0
    values, odd = notation.numbers(cells)
    if name in told.number:
        return _loosely(table, name, cells, values, odd, notation)
    plain = int(np.count_nonzero(~np.isnan(values)))
    if odd:
        _require_text(table, name, cells, values, odd, notation)
        return None
    if plain == 0 and any(isinstance(cell, Quoted) and not notation.is_missing(cell) for cell in cells):
        return None  # "NA" and the like, in quotes
    if plain and _holds_codes(table, name, cells, values):
        return None
    return _finite(table, name, values), 0


def _loosely(
    table: Table, name: str, cells: Cells, values: NDArray[np.float64], odd: list[int], notation: Notation
) -> tuple[NDArray[np.float64], int]:
    lost = 0
    for row in odd:
        number = notation.loosely(cells[row])
        lost += number is None
        values[row] = math.nan if number is None else number
    return _finite(table, name, notation.without_marks(values)), lost


def _finite(table: Table, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """ValueError naming an infinite number."""
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        cell = table.column(name)[row]
        raise ValueError(
            f"{table.where(name, row)} holds {cell}; numbers must be finite (--missing {cell} takes it for a missing value)"
        )
    return values


def _require_text(
    table: Table, name: str, cells: Cells, values: NDArray[np.float64], odd: list[int], notation: Notation
) -> None:
    """ValueError for a column that is numbers but for some cells, or that someone meant to be numbers or dates."""
    numbers = values[~np.isnan(values)]
    among = numbers.size and (numbers.size >= len(odd) or len(np.unique(numbers)) > _SHOWN)
    like = [row for row in odd if notation.looks_like_a_number(cells[row])]
    if not among and not (numbers.size + len(like)) * 2 > numbers.size + len(odd):
        _require_no_dates(table, name, cells, odd)
        _require_no_units(table, name, cells, odd)
        return
    row = odd[0] if among else like[0]
    others = f" (and {len(odd) - 1} other cells)" if len(odd) > 1 else ""
    message = f"{table.where(name, row)} holds {cells[row]!r}{others}, which is not a number, in a column of numbers: "
    if all(notation.has_other_decimal(cells[r]) for r in odd):
        mark = "," if notation.decimal == "." else "."
        message += f"--decimal {mark} if {mark!r} is the decimal mark, "
    if notation.loosely(cells[row]) is not None:
        message += f"--number {name!r} reads it as {notation.loosely(cells[row])!r:}, "
    else:
        message += f"--missing {cells[row]!r} takes it for a missing value, --number {name!r} all such cells, "
    raise ValueError(message + f"--text {name!r} takes each cell as a category, --drop {name!r} leaves the column out")


def _require_no_dates(table: Table, name: str, cells: Cells, odd: list[int]) -> None:
    dates = [row for row in odd if is_date(cells[row])]
    if len(dates) * 2 > len(odd):
        raise ValueError(
            f"{table.where(name, dates[0])} holds {cells[dates[0]]!r}, a date or time, which no network can use as it is: "
            f"--drop {name!r} leaves the column out, --text {name!r} takes each as a category; or write numbers in the file, "
            "such as days since a date, the month or the weekday"
        )


def _require_no_units(table: Table, name: str, cells: Cells, odd: list[int]) -> None:
    """ValueError for numbers that all have one unit behind them."""
    units = {unit_of(cells[row]) for row in odd}
    if len(units) == 1 and None not in units and len({cells[row] for row in odd}) > MOST_CLASSES:
        raise ValueError(
            f"{table.where(name, odd[0])} holds {cells[odd[0]]!r}, a number with the unit {units.pop()!r}: write the unit into the "
            f"column's name and leave it out of the cells; --text {name!r} takes each cell as a category, --drop {name!r} leaves the "
            "column out"
        )


def _holds_codes(table: Table, name: str, cells: Cells, values: NDArray[np.float64]) -> bool:
    """Whether leading zeros make numbers codes; ValueError for digits that a number would lose."""
    long = next((row for row, cell in enumerate(cells) if is_rounded(cell) and not np.isnan(values[row])), None)
    if long is not None:
        raise ValueError(
            f"{table.where(name, long)} holds {cells[long]}, a whole number of more digits than a number can hold: --text "
            f"{name!r} keeps them all, --number {name!r} rounds, --drop {name!r} leaves the column out"
        )
    padded = next((row for row, cell in enumerate(cells) if is_padded(cell)), None)
    present = {cell for cell, value in zip(cells, values, strict=True) if value == value}
    if padded is None or not all(cell.lstrip("+-").isdigit() for cell in present):
        return False
    if len(present) > MOST_CLASSES:
        raise ValueError(
            f"{table.where(name, padded)} holds {cells[padded]!r}, whose leading zero a number would lose: --text {name!r} takes "
            f"each cell as a category, as it stands, --number {name!r} reads numbers, --drop {name!r} leaves the column out"
        )
    return True


def counts_rows(values: NDArray[np.float64]) -> bool:
    """Whether numbers are those of the rows, in any order."""
    if len(values) < 10 or np.isnan(values).any() or not np.all(values == np.round(values)):
        return False
    return bool(values.max() - values.min() == len(values) - 1) and len(np.unique(values)) == len(values)


def mean_and_scale(table: Table, name: str, numbers: NDArray[np.float64]) -> tuple[float, float]:
    """Of the numbers that are there; the scale of a constant is 1."""
    present = numbers[~np.isnan(numbers)]
    if present.size == 0:
        raise ValueError(f"column {name!r} holds no number at all; leave it out: --drop {name!r}")
    if present.min() == present.max():
        return float(present[0]), 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = float(present.mean()), float(present.std())
    if not (math.isfinite(mean) and math.isfinite(scale)):
        row = int(np.nanargmax(np.abs(numbers)))
        raise ValueError(
            f"column {name!r} holds numbers that are too large, such as {numbers[row]:g}; its mean or deviation is not finite: "
            f"--drop {name!r} leaves it out"
        )
    return mean, scale or 1.0


def texts_of(cells: Cells | Array) -> Cells:
    """Cells of text, numbers as they would be written."""
    return cells if isinstance(cells, list) else [text_of(float(value)) for value in cells]


def shown(values: list[str]) -> str:
    """The first few of many values."""
    more = f", and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return ", ".join(value if len(value) <= 30 else value[:27] + "..." for value in values[:_SHOWN]) + more


@dataclass
class Column:
    """How one column becomes features: `categories` for a categorical one, else mean and scale; `told` by the user or not."""

    name: str
    categories: list[str] | None = None
    mean: float = 0.0
    scale: float = 1.0
    told: bool = False

    @classmethod
    def learn(
        cls, table: Table, name: str, notation: Notation, told: Told, rows: Any = slice(None)
    ) -> tuple["Column", str]:
        """(the column, how it was read) from all cells, but mean and scale from `rows` alone."""
        found = numbers_in(table, name, notation, told)
        if found is not None:
            numbers, lost = found
            column = cls(name, None, *mean_and_scale(table, name, numbers[rows]), name in told.number)
            return column, _number_story(name, numbers, lost)
        column = cls(name, told=name in told.text)
        texts = texts_of(table.column(name))
        column.categories = sorted({str(cell) for cell in texts if not column._is_missing(cell, notation)})
        _require_categories(table, name, column)
        padded = not column.told and any(is_padded(cell) for cell in texts)
        zeros = ", kept as texts for a leading zero" if padded else ""
        count = len(column.categories)
        return column, f"category with {count} value{'s' * (count != 1)} ({shown(column.categories)}{zeros})"

    def _is_missing(self, cell: str, notation: Notation) -> bool:
        """In a column that is told to be text, NA and the like are texts too."""
        return cell == "" or (notation.is_missing(cell) and not (self.told and cell in Notation().missing))

    @property
    def feature_names(self) -> list[str]:
        """One name a feature."""
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
        encoded = np.zeros((len(cells), len(self.categories)), np.float32)
        unknown = set()
        for row, cell in enumerate(cells):
            if self._is_missing(cell, notation):
                continue
            if cell in position:
                encoded[row, position[cell]] = 1
            else:
                unknown.add(str(cell))
        if unknown:
            warnings.warn(
                f"column {self.name!r} has categories not seen in training, read as none: {shown(sorted(unknown))}",
                stacklevel=3,
            )
        return encoded

    def _standardise(self, table: Table, notation: Notation) -> NDArray[np.float32]:
        numbers = known_numbers(table, self.name, notation, self.told)
        numbers = np.where(np.isnan(numbers), self.mean, numbers)
        with np.errstate(over="ignore"):  # what comes out infinite is reported with all other inputs
            return ((numbers - self.mean) / self.scale).astype(np.float32)[:, None]


def known_numbers(table: Table, name: str, notation: Notation, told: bool) -> NDArray[np.float64]:
    """The numbers of a column that held numbers in training; ValueError naming the first cell that is none."""
    cells = table.column(name)
    if not isinstance(cells, list):
        return _finite(table, name, notation.without_marks(np.asarray(cells, np.float64)))
    values, odd = notation.numbers(cells)
    if told:
        return _loosely(table, name, cells, values, odd, notation)[0]
    if odd:
        cell = cells[odd[0]]
        fix = f"--missing {cell!r} takes it for a missing value"
        if notation.has_other_decimal(cell):
            mark = "," if notation.decimal == "." else "."
            fix = f"--decimal {mark} if {mark!r} is the decimal mark"
        raise ValueError(f"{table.where(name, odd[0])} holds {cell!r}, but the column was numeric in training: {fix}")
    return _finite(table, name, values)


def _number_story(name: str, numbers: NDArray[np.float64], lost: int) -> str:
    missing = int(np.isnan(numbers).sum()) - lost
    notes = [f"{missing} missing"] * bool(missing) + [f"{lost} cells that are no number, read as missing"] * bool(lost)
    story = "number" + (f" ({', '.join(notes)})" if notes else "")
    return story + (f"; it only counts rows: --drop {name!r} leaves it out" if counts_rows(numbers) else "")


def _require_categories(table: Table, name: str, column: Column) -> None:
    categories = column.categories or []
    if not categories:
        raise ValueError(f"column {name!r} holds nothing at all; leave it out: --drop {name!r}")
    first = texts_of(table.column(name)).index(categories[0])
    what = f"{table.where(name, first)}: the column holds {len(categories)} different texts (such as {categories[0]!r})"
    if len(categories) > _MOST_CATEGORIES:
        raise ValueError(
            f"{what}, too many for one-hot columns, which may be {_MOST_CATEGORIES}; leave it out: --drop {name!r}"
        )
    if not column.told and len(table) >= _FEW and len(categories) * 2 > len(table):
        raise ValueError(
            f"{what} in {len(table)} rows, so it names rows rather than says what they are: --drop {name!r} leaves it out, "
            f"--text {name!r} takes each as a category, --number {name!r} as a number where it is one"
        )
