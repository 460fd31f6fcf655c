"""The first line of a text file: names, or already a row."""

from ..notation import Notation
from ..table import Array, Cells

FIRST = "(no name)"


def require_header(name: str, line: int, names: list[str], columns: list[list[str]], lines: list[int]) -> None:
    """ValueError for a first line that looks like a row, and for a later line that repeats it."""
    told = "--no-header if it is a row, --header if it holds names"
    for column, cell in enumerate(names):
        if any(Notation(mark).number(cell) is not None for mark in ".,"):
            raise ValueError(
                f"{name}, line {line}, column {column + 1}: {cell!r} is a number, but the first line names the columns: {told}"
            )
    for row, cells in enumerate(zip(*columns, strict=True)):
        if list(cells) == names and any(names):
            raise ValueError(
                f"{name}, line {lines[row]} repeats the names of line {line}: remove it, or --no-header if line {line} is a row too"
            )
    for column, cell in enumerate(names):
        if cell and cell in columns[column]:
            row = columns[column].index(cell)
            raise ValueError(
                f"{name}, line {line}, column {column + 1}: {cell!r} stands in line {lines[row]} too, so the first line may be a row: "
                f"{told}"
            )


def named_columns(
    name: str, line: int, names: list[str], columns: list[list[str]]
) -> tuple[dict[str, Cells | Array], dict[str, str]]:
    """(columns by name, those left out with the reason); ValueError for a name that comes twice or is missing.

    A first column without a name holds the names of the rows, as R and pandas write them.
    """
    left_out = {}
    if names[0] == "" and len(names) > 1:
        left_out[FIRST] = "for the first column has no name, and so holds the names of the rows"
        names, columns = names[1:], columns[1:]
    first = len(left_out) + 1
    for column, cell in enumerate(names):
        if cell == "":
            raise ValueError(f"{name}, line {line}, column {column + first} has no name: write one")
        if cell in names[:column]:
            raise ValueError(
                f"{name} names a column twice: line {line}, columns {names.index(cell) + first} and {column + first} are both {cell!r}"
            )
    return dict(zip(names, columns, strict=True)), left_out
