"""What a table column holds: numbers, text, or something only the user can decide."""

import math
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from .notation import Notation, Quoted, has_thousands, is_date, is_padded, is_rounded, unit_of
from .table import Cells, Table

MOST_CLASSES = 20  # integers with at most this many distinct values are classes, not a quantity
_DIGITS = 15  # a double holds every number of this many digits exactly
_FEW = 5  # numbers that may appear in a text column


@dataclass(frozen=True)
class Told:
    """What the user says about columns, by name."""

    text: frozenset[str] = frozenset()
    number: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()
    target: str | None = None

    def require_known(self, table: Table) -> None:
        """ValueError for a name that the table lacks or that was given to two options."""
        for option, names in (("text", self.text), ("number", self.number), ("drop", self.drop)):
            for name in sorted(names - table.columns.keys()):
                raise ValueError(f"--{option} {name!r}: no such column; the columns are {', '.join(table.columns)}")
        for name in sorted((self.text & self.number) | (self.text & self.drop) | (self.number & self.drop)):
            raise ValueError(f"column {name!r} is given to two of --text, --number and --drop; choose one")

    def ways_out(self, name: str) -> str:
        """The options that settle any column."""
        if name == self.target:
            return f"--text {name!r} makes each cell a class, --target chooses another column"
        return f"--text {name!r} makes each cell a category, --drop {name!r} leaves the column out"


def numbers_in(table: Table, name: str, notation: Notation, told: Told) -> tuple[NDArray[np.float64], int] | None:
    """(a column's numbers, NaN if missing; how many cells the user's options made missing), or None for a text column.

    Raises ValueError that names line, column and cell if the column is ambiguous.
    """
    cells = table.column(name)
    if name in told.text:
        return None
    if not isinstance(cells, list):
        return finite(table, name, notation.without_marks(np.asarray(cells, np.float64))), 0
    values, odd = notation.numbers(cells)
    if name in told.number:
        return loosely(table, name, values, odd, notation)
    reading = _Reading(table, name, cells, values, odd, notation, told)
    if odd:
        reading.require_text()
        return None
    if not reading.present.size and any(isinstance(cell, Quoted) and not notation.is_missing(cell) for cell in cells):
        return None  # quoted "NA" and the like
    reading.require_no_thousands()
    if reading.holds_codes():
        return None
    return finite(table, name, values), 0


def loosely(
    table: Table, name: str, values: NDArray[np.float64], odd: list[int], notation: Notation
) -> tuple[NDArray[np.float64], int]:
    """(numbers, other notations included; how many cells are not numbers and became missing)."""
    cells, lost = table.column(name), 0
    for row in odd:
        number = notation.loosely(str(cells[row]))
        lost += number is None
        values[row] = math.nan if number is None else number
    return finite(table, name, notation.without_marks(values)), lost


def finite(table: Table, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """ValueError that names an infinite number."""
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        cell = table.column(name)[row]
        raise ValueError(
            f"{table.where(name, row)} holds {cell}; numbers must be finite (--missing {cell} treats it as missing)"
        )
    return values


def known_numbers(table: Table, name: str, notation: Notation, told: bool) -> NDArray[np.float64]:
    """The numbers of a column that was numeric in training; ValueError that names the first cell that is not a number."""
    cells = table.column(name)
    if not isinstance(cells, list):
        return finite(table, name, notation.without_marks(np.asarray(cells, np.float64)))
    values, odd = notation.numbers(cells)
    if told:
        return loosely(table, name, values, odd, notation)[0]
    if odd:
        cell = cells[odd[0]]
        fix = f"--missing {cell!r} treats it as missing"
        if notation.has_other_decimal(cell):
            mark = "," if notation.decimal == "." else "."
            fix = f"--decimal {mark} if {mark!r} is the decimal mark"
        elif notation.loosely(cell) is not None:
            fix = f"write it with digits and a decimal mark only, as in training (--number {name!r} in training accepts it as it is)"
        raise ValueError(f"{table.where(name, odd[0])} holds {cell!r}, but the column was numeric in training: {fix}")
    return finite(table, name, values)


@dataclass(frozen=True)
class _Reading:
    """A text column under examination: its numbers (NaN elsewhere), and the rows of cells that are neither numbers nor missing."""

    table: Table
    name: str
    cells: Cells
    values: NDArray[np.float64]
    odd: list[int]
    notation: Notation
    told: Told

    @property
    def present(self) -> NDArray[np.float64]:
        return self.values[~np.isnan(self.values)]

    def refuse(self, row: int, problem: str, fix: str) -> NoReturn:
        """Raises ValueError that names the cell and the ways out."""
        where = f"{self.table.where(self.name, row)} holds {self.cells[row]!r}"
        raise ValueError(f"{where}, {problem}: {fix}{', ' if fix else ''}{self.told.ways_out(self.name)}")

    def require_text(self) -> None:
        """ValueError for a column that is numeric except for some cells, or that is meant as numbers or dates."""
        count = self.present.size
        among = count and (count >= len(self.odd) or len(np.unique(self.present)) > _FEW)
        alike = {cell for cell in {self.cells[row] for row in self.odd} if self.notation.looks_like_a_number(cell)}
        like = [row for row in self.odd if self.cells[row] in alike]
        if among or (count + len(like)) * 2 > count + len(self.odd):
            others = f" (and {len(self.odd) - 1} other cells)" if len(self.odd) > 1 else ""
            row = self.odd[0] if among else like[0]
            self.refuse(row, f"which is not a number, in a column of numbers{others}", ", ".join(self._ways(row)))
        self._require_no_dates()
        self._require_no_units()

    def _ways(self, row: int) -> list[str]:
        cell, number = self.cells[row], self.notation.loosely(self.cells[row])
        ways = []
        if all(self.notation.has_other_decimal(self.cells[r]) for r in self.odd):
            mark = "," if self.notation.decimal == "." else "."
            ways.append(f"--decimal {mark} if {mark!r} is the decimal mark")
        if number is not None:
            ways.append(f"--number {self.name!r} reads it as {number!r}")
        elif self.present.size:
            ways.append(f"--missing {cell!r} treats it as missing, --number {self.name!r} all such cells")
        return ways

    def _require_no_dates(self) -> None:
        known = {cell for cell in {self.cells[row] for row in self.odd} if is_date(cell)}
        dates = [row for row in self.odd if self.cells[row] in known]
        if len(dates) * 2 > len(self.odd):
            numbers = "write numbers instead, such as days since a date, the month or the weekday"
            self.refuse(dates[0], "a date or time, which a network cannot use as it is", numbers)

    def _require_no_units(self) -> None:
        """ValueError if all numbers carry the same unit or sign."""
        different = {self.cells[row] for row in self.odd}
        units = {unit_of(cell) for cell in different}
        if len(units) == 1 and None not in units and len(different) > MOST_CLASSES:
            fix = "move it from the cells to the column's name"
            self.refuse(self.odd[0], f"a number with {units.pop()!r}", fix)

    def require_no_thousands(self) -> None:
        """ValueError for 950 beside 1.234, which may be 1234."""
        found = None
        whole = False
        for row, cell in enumerate(self.cells):
            if self.values[row] != self.values[row]:
                continue
            if cell.lstrip("+-").isdigit():
                whole = True
            elif not has_thousands(cell):
                return
            elif found is None:
                found = row
        if whole and found is not None:
            fix = f"--number {self.name!r} reads it as {self.values[found]:g}, together with --decimal , as a thousand times that"
            self.refuse(found, "where three digits after each point may mean thousands", fix)

    def holds_codes(self) -> bool:
        """Whether leading zeros mark codes; ValueError for digits that a number would lose."""
        number = f"--number {self.name!r} reads"
        for row, cell in enumerate(self.cells):
            if len(cell) > _DIGITS and is_rounded(cell) and self.values[row] == self.values[row]:
                self.refuse(row, "an integer with more digits than a float64 can hold", f"{number} it rounded")
        present = set(self.cells) - self.notation.missing
        if not all(cell.isdigit() or cell.lstrip("+-").isdigit() for cell in present):
            return False
        padded = next((row for row, cell in enumerate(self.cells) if is_padded(cell)), None)
        if padded is not None and len(present) > MOST_CLASSES:
            self.refuse(padded, "whose leading zero would be lost as a number", f"{number} numbers")
        return padded is not None


def counts_rows(values: NDArray[np.float64]) -> bool:
    """Whether integers merely count, in equal steps and any order."""
    if len(values) < 10 or np.isnan(values).any() or not np.all(values == np.round(values)):
        return False
    steps = np.diff(np.sort(values))
    return bool(steps[0] > 0 and steps.min() == steps.max())
