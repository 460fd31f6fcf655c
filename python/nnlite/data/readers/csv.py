"""Delimited text tables, quoted as spreadsheets quote them, read strictly.

Python's csv module does not report which cells were quoted, so NA and "NA" would be the same, nor where an unclosed quote
began.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from ..notation import Quoted
from ..table import Table
from .contents import STANDARD_INPUT, contents, shown_name, text_of
from .header import named_columns, require_header

DESCRIPTION = "a .csv, .tsv or .txt file (.gz too), - for standard input"
_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")
_DELIMITERS = ",;\t|"
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " ", "pipe": "|"}
_SAMPLE = 100  # rows that must agree on the delimiter
_LONGEST = 100_000  # characters of a cell
_BODY = re.compile(r'"([^"]*(?:""[^"]*)*)"')


@cache
def _cell_of(delimiter: str) -> re.Pattern[str]:
    """A cell, quoted or not, and its terminator."""
    ends, spaces = re.escape(delimiter), "" if delimiter == " " else " *"
    return re.compile(rf'{spaces}(?:{_BODY.pattern}{spaces}|((?!")[^{ends}\n]*))({ends}|\n|\Z)')


@dataclass(frozen=True)
class Format:
    """What the user says about a text file; None is detected from the file, or refused."""

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    comment: str | None = None


def matches(name: str) -> bool:
    """Whether `name` has the suffix of a text table."""
    return name == STANDARD_INPUT or _suffix(name) in _SUFFIXES


def _suffix(name: str) -> str:
    path = Path(name.lower())
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix


def load(name: str, seed: int = 0) -> Table:
    """The table in a file, every setting detected."""
    return read_csv(name)


inputs = load


def read_csv(
    path: str | Path,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    comment: str | None = None,
) -> Table:
    """Reads a text table: the first line names the columns, cells are stripped of spaces, "-" is standard input.

    `delimiter` is detected among comma, semicolon, tab and bar; `encoding` follows the byte order mark, else UTF-8; a first
    line of numbers is an error unless `header` says whether it holds names; lines that begin with `comment` are skipped.
    Raises OSError if the file cannot be read, and ValueError that names the line and column of anything ambiguous.

    >>> import nnlite as nl, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "table.csv")
    ...     _ = path.write_text("size;colour\\n1,5;red\\n2;blue\\n")
    ...     nl.data.read_csv(path).columns
    {'size': ['1,5', '2'], 'colour': ['red', 'blue']}
    """
    name = shown_name(str(path))
    text = text_of(name, contents(str(path)), encoding)
    first, _, rest = text.partition("\n")
    line = 1
    if delimiter is None and re.fullmatch(r'"?sep=(.)"?', first.strip(" ")):
        delimiter, text, line = first.strip(' "')[4], rest, 2
    rows = _Rows(name, text, line, comment)
    if delimiter is None:
        delimiter = "\t" if _suffix(str(path)) in (".tsv", ".tab") else rows.delimiter()
    elif len(_NAMES.get(delimiter, delimiter)) != 1 or delimiter in ('"', "\n"):
        raise ValueError(f"--delimiter must be one character, or tab, got {delimiter!r}")
    if _NAMES.get(delimiter, delimiter) == " " and "  " in first.strip(" "):
        raise ValueError(
            f"{name}, line 1: several spaces in a row; separate cells with one, for example with `tr -s ' '`"
        )
    return _table(name, rows.read(_NAMES.get(delimiter, delimiter)), header)


def _table(name: str, rows: Iterator[tuple[int, list[str]]], header: bool | None) -> Table:
    line, names = next(rows, (1, []))
    if not any(names):
        raise ValueError(f"{name} is empty; a CSV file starts with a line of column names")
    if header is False:
        body = [(line, names), *rows]
        names = [str(i) for i in range(len(names))]
    else:
        body = list(rows)
    if not body:
        raise ValueError(f"{name} has column names but no rows (--no-header, if line {line} is a row)")
    names = _trimmed(names, body)
    for number, cells in body:
        _require_width(name, number, cells, names)
    filled = [list(column) for column in zip(*(cells for _, cells in body), strict=True)]
    if header is None:
        require_header(name, line, names, filled, [number for number, _ in body])
    columns, left_out = named_columns(name, line, names, filled)
    return Table(columns, name, [number for number, _ in body], header is not False, left_out)


def _trimmed(names: list[str], body: list[tuple[int, list[str]]]) -> list[str]:
    """Drops the empty last column that a delimiter at the end of every line makes."""
    width = len(names)
    if (
        width > 1
        and names[-1] == ""
        and all(len(cells) in (width - 1, width) and not any(cells[width - 1 :]) for _, cells in body)
    ):
        width -= 1
    elif not all(len(cells) == width + 1 and cells[-1] == "" for _, cells in body):
        return names
    for _, cells in body:
        del cells[width:]
    return names[:width]


def _require_width(name: str, line: int, cells: list[str], names: list[str]) -> None:
    if len(cells) == len(names):
        return
    what = f"{name}, line {line}: {len(cells)} cell{'s' * (len(cells) != 1)}, but {len(names)} column{'s' * (len(names) != 1)}; "
    if len(cells) < len(names):
        raise ValueError(f"{what}column {len(cells) + 1} ({names[len(cells)]!r}) has none")
    fix = "quote cells that contain the delimiter, or choose another with --delimiter"
    if cells[0].startswith("#"):
        fix = "skip such lines with --comment '#'"
    raise ValueError(f"{what}cell {len(names) + 1} ({cells[len(names)]!r}) has no column: {fix}")


class _Rows:
    """The rows of a text, split at a delimiter."""

    def __init__(self, name: str, text: str, line: int, comment: str | None) -> None:
        self._name, self._text, self._line, self._comment = name, text, line, comment

    def delimiter(self) -> str:
        """The one character that splits the first rows into as many cells as the first line; ValueError if several do."""
        widths: dict[str, list[int]] = {}
        failed: list[ValueError] = []
        for candidate in _DELIMITERS:
            found: list[int] = []
            try:
                for _, cells in islice(self.read(candidate, True), _SAMPLE):
                    found.append(len(cells))
            except ValueError as error:  # this delimiter leaves a quote open
                if found and found[0] > 1:
                    failed.append(error)
                continue
            widths[candidate] = found
        cutting = [candidate for candidate, found in widths.items() if found and found[0] > 1]
        if failed and not cutting:  # else no delimiter would split even the names
            raise failed[0]
        even = [candidate for candidate in cutting if len(set(widths[candidate])) == 1]
        if len(cutting) > 1 and len(even) != 1:
            raise ValueError(
                f"{self._name}: the delimiter may be {' or '.join(map(repr, even or cutting))}: choose one with --delimiter"
            )
        return (even or cutting or [","])[0]

    def read(self, delimiter: str, sample: bool = False) -> Iterator[tuple[int, list[str]]]:
        """(line, cells) of each row; blank lines and comments are skipped."""
        text, position, line, width = self._text, 0, self._line, 0
        while position < len(text):
            end = text.find("\n", position)
            end = len(text) if end < 0 else end
            row = text[position:end]
            blank = not row.strip() if delimiter != "\t" else not row.strip(" ")
            if blank or (self._comment and row.startswith(self._comment)):
                if blank and width == 1 and not sample and text[end:].strip():
                    raise ValueError(
                        f"{self._name}, line {line}: a blank line, in a table of one column: NA is a missing value"
                    )
                position, line = end + 1, line + 1
                continue
            if '"' in row:
                cells, after = self._quoted(position, line, delimiter)
                self._require_one_row(text[position : after - 1], line, delimiter, width)
            else:
                cells, after = [cell.strip() for cell in row.split(delimiter)], end + 1
            width = width or len(cells)
            if row[:1] == "#" or after - position > _LONGEST:
                self._require_sound(cells, line, sample)
            yield line, cells
            line += text.count("\n", position, after)
            position = after

    def _require_sound(self, cells: list[str], line: int, sample: bool) -> None:
        if not self._comment and not sample and cells[0].startswith(("# ", "##")):
            raise ValueError(
                f"{self._name}, line {line}, column 1: {cells[0][:40]!r} looks like a comment: skip such lines with --comment '#'"
            )
        column = next((i for i, cell in enumerate(cells) if len(cell) > _LONGEST), None)
        if column is not None:
            raise ValueError(
                f"{self._name} is not a CSV text file: line {line}, column {column + 1} has {len(cells[column])} characters"
            )

    def _quoted(self, position: int, line: int, delimiter: str) -> tuple[list[str], int]:
        """(cells of a row that contains quotes, start of the next row)."""
        match, begin = _cell_of(delimiter).match, position
        cells: list[str] = []
        while True:
            found = match(self._text, position)
            if found is None:
                raise self._no_cell(position, line + self._text.count("\n", begin, position), len(cells) + 1)
            quoted, plain, end = found.groups()
            cells.append(plain.strip() if quoted is None else Quoted(quoted.replace('""', '"').strip()))
            position = found.end()
            if end != delimiter:
                return cells, position + (end == "")

    def _no_cell(self, position: int, line: int, column: int) -> ValueError:
        where = f"{self._name}, line {line}, column {column} is not a CSV cell:"
        start = self._text.index('"', position)
        body = _BODY.match(self._text, start)
        if body is None:
            begin = self._text[start + 1 : start + 21]
            return ValueError(f'{where} the quote before {begin!r} is never closed; remove it, or double it ("")')
        after = self._text[body.end() : body.end() + 20].partition("\n")[0]
        return ValueError(
            f'{where} {after!r} follows the closing quote of {_short(body[1])}; double a quote within a cell ("")'
        )

    def _require_one_row(self, row: str, line: int, delimiter: str, width: int) -> None:
        """ValueError if a quoted cell spans lines that look like rows: two stray quotes would swallow what lies between."""
        if "\n" not in row or not width:
            return
        whole = [len(part.split(delimiter)) == width for part in row.split("\n")]
        if any(whole[1:-1]) or (whole[0] and whole[-1]):
            last = line + len(whole) - 1
            raise ValueError(
                f"{self._name}, line {line}: a quoted cell extends to line {last} over lines that look like rows; "
                f"look for a stray quote in lines {line} and {last}"
            )


def _short(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:27] + "...")
