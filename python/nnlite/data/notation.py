"""How a text cell is read: which are missing, which are numbers, and which only look like numbers."""

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What pandas treats as missing, plus "?", the rest of Excel's errors and PostgreSQL's marker.
_NOTHING = frozenset({
    "", "?", "NA", "N/A", "n/a", "<NA>", "#NA", "#N/A", "#N/A N/A", "#NV", "NaN", "nan", "NAN", "-NaN", "-nan", "NaT", "None", "NULL",
    "null", "\\N", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
})  # fmt: skip
_SIGNS = frozenset({"-", "--", "–", "—", "."})  # missing among numbers; among texts "-" may be the opposite of "+"
MISSING = _NOTHING | _SIGNS

_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE | re.ASCII)
_PADDED = re.compile(r"[+-]?0\d+", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_LARGEST_EXACT = 2**53
_OTHER_NUMBERS = re.compile(
    r"[+-]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|\d+(_\d+)+(\.\d*)?|\d+\.?\d*[dD][+-]?\d+)", re.ASCII
)
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})( .*)?|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?"
    r"|\d{1,2}[ -]?[A-Za-z]{3,9}\.?,?[ -]\d{2,4}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}",
    re.ASCII,
)
_WITH_UNIT = re.compile(r"[+-]?\d+(?:[.,]\d+)? *([^\d\s.,:/-].*)", re.ASCII)
_WITH_SIGN = re.compile(r"([^\w\s.,+-]+) *[+-]?\d+(?:[.,]\d+)?[^\w\s]*", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:[.,]\d{3})+", re.ASCII)
_CODE = re.compile(r"^[A-Z]{3}(?=[ \d(+-])|(?<=[\d )])[A-Z]{3}$")  # EUR, USD
_MINUS = str.maketrans("−‒–—﹣－", "------")


def names_in(given: Any) -> list[str]:
    """Column names or markers as strings; a single value is one name, not a sequence of characters.

    >>> names_in("age"), names_in(-999), names_in(["age", 2])
    (['age'], ['-999'], ['age', '2'])
    """
    single = isinstance(given, str) or not isinstance(given, Iterable)
    return [str(name) for name in ([given] if single else given)]


class Quoted(str):
    """A quoted cell: "NA" is text, NA is missing."""

    __slots__ = ()


@cache
def _plain(decimal: str) -> re.Pattern[str]:
    point = re.escape(decimal)
    return re.compile(rf"[+-]?(?:\d+{point}?\d*|{point}\d+)(?:[eE][+-]?\d+)?", re.ASCII)


@cache
def _grouped(decimal: str) -> re.Pattern[str]:
    """Digit groups with one separator throughout; the last group has three digits."""
    separator = "[,' ’]" if decimal == "." else "[.' ’]"
    return re.compile(rf"[+-]?\d{{1,3}}({separator})(?:\d{{2,3}}\1)*\d{{3}}(?:{re.escape(decimal)}\d*)?", re.ASCII)


@dataclass(frozen=True)
class Notation:
    """The decimal mark of a table's numbers, and the cells that mean a missing value."""

    decimal: str = "."
    missing: frozenset[str] = MISSING

    @classmethod
    def of(cls, decimal: str = ".", missing: Any = (), known: Iterable[str] = MISSING) -> "Notation":
        """Adds missing-value markers to the `known` ones; ValueError for another decimal mark than "." or ","."""
        if decimal not in (".", ","):
            raise ValueError(f"the decimal mark must be '.' or ',', got {decimal!r}")
        return cls(decimal, frozenset(known) | {mark.strip() for mark in names_in(missing)})

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return _plain(self.decimal)

    @cached_property
    def _missing_numbers(self) -> NDArray[np.float64]:
        """A marker such as -999 also matches -999.0."""
        marks = [self.number(mark) for mark in self.missing - MISSING]
        return np.array([mark for mark in marks if mark is not None])

    def is_missing(self, cell: str) -> bool:
        """Whether a cell of a text column is missing."""
        return cell == "" or (cell in self.missing and cell not in _SIGNS and not isinstance(cell, Quoted))

    def number(self, cell: str) -> float | None:
        """The number that a cell is in the notation of programs, infinities included; else None."""
        if self._pattern.fullmatch(cell):
            return float(cell.replace(",", ".") if self.decimal == "," else cell)
        return float(cell) if _INFINITE.fullmatch(cell) else None

    def numbers(self, cells: list[str]) -> tuple[NDArray[np.float64], list[int]]:
        """(cells as numbers, NaN if missing; rows of the cells that are neither)."""
        known: dict[str, float | None] = {}
        for cell in set(cells):  # categories repeat
            known[cell] = math.nan if cell in self.missing else self.number(cell)
        found = [known[cell] for cell in cells]
        odd = [row for row, number in enumerate(found) if number is None] if None in known.values() else []
        return self.without_marks(np.array(found, np.float64)), odd  # None becomes NaN

    def without_marks(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The numbers, with NaN for those that mean a missing value."""
        if self._missing_numbers.size:
            values = np.where(np.isin(values, self._missing_numbers), math.nan, values)
        return values

    def loosely(self, cell: str) -> float | None:
        """Like `number`, and also accepts digit groups, a currency or percent sign, another minus, and full-width digits.

        >>> from nnlite.data.notation import Notation
        >>> [Notation().loosely(cell) for cell in ("1,234.5", "12%", "€ 5", "(3)", "−4", "abc")]
        [1234.5, 0.12, 5.0, -3.0, -4.0, None]
        """
        text = unicodedata.normalize("NFKC", cell).translate(_MINUS).strip()
        factor = 1.0
        if text.startswith("(") and text.endswith(")"):  # accounting notation
            text, factor = text[1:-1], -1.0
        if text.endswith("%"):
            text, factor = text[:-1].strip(), factor / 100
        sign = text[:1] if text[:1] in ("+", "-") else ""
        text = sign + _without_currency(text[len(sign) :].strip())
        if _grouped(self.decimal).fullmatch(text):
            text = re.sub("[,' ’]" if self.decimal == "." else "[.' ’]", "", text)
        number = self.number(text)
        return None if number is None else number * factor if factor != 0.01 else number / 100

    def looks_like_a_number(self, cell: str) -> bool:
        """Whether a cell is meant as a number but not written as programs write them."""
        return self.loosely(cell) is not None or self.has_other_decimal(cell) or bool(_OTHER_NUMBERS.fullmatch(cell))

    def has_other_decimal(self, cell: str) -> bool:
        """Whether a cell is a number under the other decimal mark."""
        other = "," if self.decimal == "." else "."
        written = _plain(other).fullmatch(cell) or _grouped(other).fullmatch(cell)
        return written is not None and self.number(cell) is None


def _without_currency(text: str) -> str:
    while text and unicodedata.category(text[0]) == "Sc":
        text = text[1:].strip()
    while text and unicodedata.category(text[-1]) == "Sc":
        text = text[:-1].strip()
    return _CODE.sub("", text).strip()


def is_padded(cell: str) -> bool:
    """Whether an integer has leading zeros, as codes have and quantities have not."""
    return _PADDED.fullmatch(cell) is not None


def is_rounded(cell: str) -> bool:
    """Whether an integer has more digits than a double can hold."""
    if len(cell) < 16 or _WHOLE.fullmatch(cell) is None:
        return False
    digits = cell.lstrip("+-").lstrip("0")
    if len(digits) > 309:
        return True
    return int(digits or "0") > _LARGEST_EXACT and int(float(digits)) != int(digits)


def is_date(cell: str) -> bool:
    """Whether a cell looks like a date or a time of day."""
    return _DATE.fullmatch(cell) is not None


def has_thousands(cell: str) -> bool:
    """Whether each point or comma precedes three digits, as a thousands separator does."""
    return _THOUSANDS.fullmatch(cell) is not None


def unit_of(cell: str) -> str | None:
    """What follows a number, or the sign before it: kg in "5 kg", ~ in "~5"."""
    found = _WITH_UNIT.fullmatch(cell) or _WITH_SIGN.fullmatch(cell)
    return None if found is None else found[1]
