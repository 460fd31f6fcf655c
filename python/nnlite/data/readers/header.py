"""The first line of a text file: column names, or already a row."""

from ..notation import Notation
from ..table import Array, Cells

FIRST = "(no name)"


def require_header(name: str, line: int, names: list[str], columns: list[list[str]], lines: list[int]) -> None:
    """ValueError if the first line looks like a row, or if a later line repeats it."""
    told = "use --no-header if it is a row, --header if it holds names"
    for column, cell in enumerate(names):
        if any(Notation(mark).number(cell) is not None for mark in ".,"):
            raise ValueError(
                f"{name}, line {line}, column {column + 1}: {cell!r} is a number, but the first line names the columns: {told}"
            )
    for row, cells in enumerate(zip(*columns, strict=True)):
        if list(cells) == names and any(names):
            raise ValueError(
                f"{name}, line {lines[row]} repeats the names of line {line}: remove it, or use --no-header if line {line} is a row too"
            )
    for column, cell in enumerate(names):
        if cell and cell in columns[column]:
            row = columns[column].index(cell)
            raise ValueError(
                f"{name}, line {line}, column {column + 1}: {cell!r} also appears in line {lines[row]}, so the first line may be a row: "
                f"{told}"
            )


def named_columns(
    name: str, line: int, names: list[str], columns: list[list[str]]
) -> tuple[dict[str, Cells | Array], dict[str, str]]:
    """(columns by name, columns left out with the reason); ValueError for a duplicate or missing name.

    An unnamed first column holds row names, as R and pandas write them.
    """
    left_out = {}
    if names[0] == "" and len(names) > 1:
        left_out[FIRST] = "it has no name, so it holds row names"
        names, columns = names[1:], columns[1:]
    first = len(left_out) + 1
    for column, cell in enumerate(names):
        if cell == "":
            raise ValueError(f"{name}, line {line}, column {column + first} has no name: add one")
        if cell in names[:column]:
            raise ValueError(
                f"{name} has a duplicate column name: line {line}, columns {names.index(cell) + first} and {column + first}: {cell!r}"
            )
    return dict(zip(names, columns, strict=True)), left_out
