"""The target column of a table: classes, or a quantity."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import mean_and_scale, shown, texts_of
from .notation import Notation
from .reading import MOST_CLASSES, Told, counts_rows, known_numbers, numbers_in
from .table import Cells, Table, text_of

_FEW_CLASSES = 3  # this many are classes in a table of any length


def require_few(column: str, classes: int, rows: int, fix: str) -> None:
    """ValueError for so many classes that they may be a quantity."""
    if classes > _FEW_CLASSES and classes * 10 > rows:
        raise ValueError(
            f"{column} has {classes} distinct values in {rows} rows, more than one per ten rows: --task classification makes "
            f"each a class{fix}"
        )


@dataclass
class Target:
    """The class names, or the mean and scale of a quantity; `told` is whether the user said text or number."""

    name: str
    class_names: list[str] | None
    mean: float = 0.0
    scale: float = 1.0
    told: bool = False
    story: str = field(default="", compare=False)  # how it was read, for display

    @classmethod
    def learn(
        cls, table: Table, name: str, notation: Notation, told: Told, task: str | None, rows: Any = slice(None)
    ) -> "Target":
        """Learns from all of a table's targets; mean and scale from `rows` only."""
        cells = table.column(name)
        if all(_is_missing(cell, notation, name in told.text) for cell in texts_of(cells)):
            raise ValueError(f"the target column {name!r} is empty")
        found = numbers_in(table, name, notation, told)
        is_told = name in told.text or name in told.number
        if found is None:
            names = sorted({str(c) for c in texts_of(cells) if not _is_missing(c, notation, name in told.text)})
            _require_text_classes(table, name, names, task)
        else:
            numbers = found[0]
            names = _numeric_classes(numbers)
            if not names:
                raise ValueError(f"the target column {name!r} holds no numbers; --target chooses another column")
            if task == "regression" or (task is None and _is_quantity(names)):
                scaling = mean_and_scale(table, name, numbers[rows])
                return cls(name, None, *scaling, is_told, _quantity_story(numbers))
            if task is None:
                fix = f", --task regression makes the column {name!r} a quantity"
                require_few(f"the target column {name!r}", len(names), len(table), fix)
        if len(names) < 2:
            raise ValueError(f"the target column {name!r} holds {names[0]!r} in every row: nothing to learn")
        story = f"target, {len(names)} classes ({shown(names)})"
        return cls(name, names, told=is_told and found is None, story=story)

    def encode(self, table: Table, notation: Notation) -> NDArray[Any]:
        """Class indices (rows,) int64, or standardised values (rows,) float32."""
        cells = table.column(self.name)
        if self.class_names is None:
            return self._quantities(table, notation)
        texts = texts_of(cells)
        position = {name: i for i, name in enumerate(self.class_names)}
        _require_all(table, self.name, [_is_missing(cell, notation, self.told) for cell in texts], texts)
        known = {
            cell: position.get(cell, position.get(_whole(cell, notation))) for cell in {str(cell) for cell in texts}
        }
        found = [known[str(cell)] for cell in texts]
        if None in found:
            row = found.index(None)
            raise ValueError(
                f"{table.where(self.name, row)}: the target {str(texts[row])!r} is not one of the classes {', '.join(self.class_names)}"
            )
        return np.array(found, np.int64)

    def _quantities(self, table: Table, notation: Notation) -> NDArray[np.float32]:
        numbers = known_numbers(table, self.name, notation, self.told)
        _require_all(table, self.name, np.isnan(numbers).tolist(), texts_of(table.column(self.name)))
        return ((numbers - self.mean) / self.scale).astype(np.float32)


def _is_missing(cell: str, notation: Notation, told: bool) -> bool:
    return cell == "" or (notation.is_missing(cell) and not (told and cell in Notation().missing))


def _require_all(table: Table, name: str, missing: list[bool], cells: Cells) -> None:
    if any(missing):
        row, count = missing.index(True), sum(missing)
        others = f" (and {count - 1} others)" if count > 1 else ""
        fix = (
            f"; --text {name!r} makes {cells[row]!r} a class, otherwise remove such rows"
            if cells[row]
            else "; remove such rows"
        )
        raise ValueError(f"{table.where(name, row)}: the target has no value in row {row}{others}{fix}")


def _whole(cell: str, notation: Notation) -> str:
    """One spelling for each integer: 1 and 1.0 are the same class of a numeric column."""
    number = notation.loosely(cell)
    return cell if number is None or not abs(number) < 2**53 else text_of(number)


def _numeric_classes(numbers: NDArray[np.float64]) -> list[str]:
    return [text_of(float(value)) for value in np.unique(numbers[~np.isnan(numbers)])]


def _is_quantity(names: list[str]) -> bool:
    return len(names) > MOST_CLASSES or not all(name.lstrip("-").isdigit() for name in names)


def _quantity_story(numbers: NDArray[np.float64]) -> str:
    return "target, a number" + ("; it only counts rows" if counts_rows(numbers) else "")


def _require_text_classes(table: Table, name: str, names: list[str], task: str | None) -> None:
    if task == "regression":
        raise ValueError(
            f"--task regression needs numbers, and the target column {name!r} holds texts such as {names[0]!r}; --target chooses "
            "another column"
        )
    if task is None:
        fix = ", --target chooses another column"
        require_few(f"the target column {name!r} (texts such as {names[0]!r})", len(names), len(table), fix)
