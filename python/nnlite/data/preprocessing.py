"""Tables as arrays: numeric columns standardised, categorical ones one-hot, the target as classes or a quantity."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from reprlib import repr as short
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from .columns import Column
from .notation import MISSING, Notation, names_in
from .reading import Told
from .table import Table, table_of
from .target import Target

# What files of 0.1.0 treat as missing: their models must read tables as before.
_ONCE_MISSING = ["", "?", "NA", "N/A", "nan", "NaN", "NAN", "null", "NULL"]
TASKS = ("classification", "regression")


@dataclass
class Preprocessor:
    """How a table becomes arrays; learnt from the training data and stored in the model file.

    >>> from nnlite.data import Preprocessor
    >>> rows = {"size": [1, 3], "colour": ["red", "blue"], "sold": ["no", "yes"]}
    >>> preprocessor = Preprocessor.fit(rows, "sold")
    >>> preprocessor.feature_names, preprocessor.class_names
    (['size', 'colour=blue', 'colour=red'], ['no', 'yes'])
    >>> preprocessor.inputs(rows).tolist(), preprocessor.targets(rows).tolist()
    ([[-1.0, 0.0, 1.0], [1.0, 1.0, 0.0]], [0, 1])
    """

    columns: list[Column]
    target: str
    class_names: list[str] | None
    target_mean: float = 0.0
    target_scale: float = 1.0
    decimal: str = "."
    missing: list[str] = field(default_factory=lambda: sorted(MISSING))
    order: list[str] = field(default_factory=list)  # of all columns of the training table, for unnamed rows
    target_told: bool = False
    report: list[str] = field(default_factory=list, compare=False)  # how each column was read, for display

    @classmethod
    def fit(
        cls,
        table: Any,
        target: str,
        rows: Any = slice(None),
        *,
        text: Iterable[str] | str = (),
        number: Iterable[str] | str = (),
        drop: Iterable[str] | str = (),
        task: str | None = None,
        decimal: str = ".",
        missing: Iterable[str | float] | str | float = (),
    ) -> "Preprocessor":
        """Learns from a table (a `Table`, a DataFrame, a dictionary of columns, a list of dictionaries).

        Numeric columns are standardised, text columns one-hot encoded. A column that could be either is an error that
        names line, column and cell, unless `text` or `number` lists it; `drop` lists columns to leave out. A target of
        text, or of at most 20 distinct integers, holds classes, unless `task` ("classification", "regression")
        says otherwise. `decimal` is the decimal mark, `missing` holds further markers of missing values.

        Means and scales are learnt only from `rows` (an array index), so that other rows can be held out.
        """
        table = table_of(table)
        target = str(target)  # DataFrames may have integer column names
        texts, numbers, dropped = (frozenset(names_in(names)) for names in (text, number, drop))
        told = Told(texts, numbers, dropped, target)
        told.require_known(table)
        if task not in (None, *TASKS):
            raise ValueError(f"task must be one of {', '.join(TASKS)}, got {task!r}")
        if target in told.drop:
            raise ValueError(f"--drop {target!r} would leave out the target; choose another target or keep it")
        if set(table.columns) - told.drop == {target}:
            raise ValueError(
                f"the table has no column besides the target {target!r}; set --delimiter if cells are not separated by "
                "commas"
            )
        notation = Notation.of(decimal, missing)
        learnt = Target.learn(table, target, notation, told, task, rows)
        columns, report = [], [f"{name}: dropped, {reason}" for name, reason in table.left_out.items()]
        for name in table.columns:
            if name == target:
                report.append(f"{name}: {learnt.story}")
            elif name in told.drop:
                report.append(f"{name}: dropped, as requested")
            else:
                column, story = Column.learn(table, name, notation, told, rows)
                columns.append(column)
                report.append(f"{name}: {story}")
        if not any(column.feature_names for column in columns):
            raise ValueError(f"the table has no column besides the target {target!r}")
        return cls(
            columns, target, learnt.class_names, learnt.mean, learnt.scale, decimal, sorted(notation.missing), list(table.columns),
            learnt.told, report,
        )  # fmt: skip

    @property
    def feature_names(self) -> list[str]:
        """One name per feature."""
        return [name for column in self.columns for name in column.feature_names]

    @property
    def _notation(self) -> Notation:
        return Notation(self.decimal, frozenset(self.missing))

    def inputs(
        self, table: Any, missing: Iterable[str | float] | str | float = (), decimal: str | None = None
    ) -> NDArray[np.float32]:
        """Features (rows, features), columns by name, or by position if they have none; ValueError for a missing column.

        `missing` and `decimal` say what differs from the training table.
        """
        names = [column.name for column in self.columns]
        table = self._arranged(table_of(table), names)
        notation = Notation.of(decimal or self.decimal, missing, self.missing)
        absent = [name for name in names if name not in table.columns]
        if absent:
            raise ValueError(
                f"no column {absent[0]!r}; the columns are {', '.join(table.columns)}; the model takes {', '.join(names)}"
            )
        encoded = np.concatenate([column.encode(table, notation) for column in self.columns], axis=1)
        return _finite(table, encoded)

    def unused(self, table: Table) -> list[str]:
        """Columns that the training table did not have."""
        return [name for name in table.columns if name not in self.order] if table.named and self.order else []

    def _arranged(self, table: Table, names: list[str]) -> Table:
        """Unnamed columns take the training table's names, by position."""
        if table.named:
            return table
        for known in (names, self.order):
            if len(table.columns) == len(known):
                columns = dict(zip(known, table.columns.values(), strict=True))
                return Table(columns, table.name, table.lines)
        raise ValueError(
            f"{table.name or 'each row'} has {len(table.columns)} unnamed columns; the model takes {len(names)}: "
            f"{', '.join(names)}"
        )

    def targets(self, table: Any) -> NDArray[Any]:
        """Class indices (rows,) int64, or standardised values (rows,) float32."""
        target = Target(self.target, self.class_names, self.target_mean, self.target_scale, self.target_told)
        table = table_of(table)
        return target.encode(table if table.named else self._arranged(table, self.order), self._notation)

    def metadata(self) -> dict[str, Any]:
        """Metadata for `nl.save`, so that `nl.load_model` and `nnlite predict` take raw rows."""
        return {
            "class_names": self.class_names,
            "scaling": {"preprocessor": self.to_dict()},
            "target_mean": self.target_mean,
            "target_scale": self.target_scale,
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a model file."""
        return {name: value for name, value in asdict(self).items() if name != "report"}

    @classmethod
    def from_dict(cls, state: Any) -> "Preprocessor":
        """The inverse of `to_dict`, earlier versions included; ModelFileError for anything else."""
        entries = state.get("columns") if isinstance(state, dict) else None
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
            raise ModelFileError("the file does not say how to read a table")
        if not state.keys() & _SINCE.keys():
            state = {**_SINCE, **state}
            entries = [{"told": False, **entry} for entry in entries]
        result = _checked(cls, {**state, "columns": [_checked(Column, entry) for entry in entries]})
        assert isinstance(result, cls)
        return result


def _finite(table: Table, encoded: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(encoded).all():
        row = int((~np.isfinite(encoded)).any(1).argmax())
        place = f"row {row}" if table.lines is None else f"line {table.lines[row]}"
        raise ValueError(f"{table.name}{', ' if table.name else ''}{place} holds a number too large for float32")
    return encoded


# Fields that files of 0.1.0 lack.
_SINCE: dict[str, Any] = {"decimal": ".", "missing": _ONCE_MISSING, "order": [], "target_told": False}
_FIELD_TYPES: dict[str, type | tuple[type, ...]] = {
    "name": str, "target": str, "columns": list, "mean": float, "scale": float, "target_mean": float, "target_scale": float,
    "told": bool, "target_told": bool, "decimal": str,
}  # fmt: skip


def _checked(kind: type, state: dict[str, Any]) -> Any:
    """The dataclass `kind` from exactly these fields, types checked."""
    if set(state) != {entry.name for entry in fields(kind)} - {"report"}:
        raise ModelFileError(f"the file describes a {kind.__name__} by {short(sorted(map(str, state)))}")
    for name, value in state.items():
        if name in _FIELD_TYPES:
            fits = isinstance(value, _FIELD_TYPES[name]) and not (isinstance(value, float) and not math.isfinite(value))
            fits = fits and (name != "decimal" or value in (".", ","))
        else:  # categories, class_names, missing, order
            optional = name in ("categories", "class_names")
            fits = (value is None and optional) or (
                isinstance(value, list) and all(isinstance(item, str) for item in value)
            )
        if not fits or (name.endswith("scale") and not value > 0):
            raise ModelFileError(f"the file describes a {kind.__name__} with {name} = {short(value)}")
    return kind(**state)
