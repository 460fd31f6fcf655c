"""Data by name: toy data, scikit-learn's small sets, folders of IDX files, NumPy's files, and tables of text."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelFileError
from .notation import Notation
from .preprocessing import Preprocessor
from .readers import csv, idx, npz, sklearn, toy
from .readers.contents import STANDARD_INPUT
from .scaling import Source, scaled, split_rows, standardised
from .table import Table

Array = np.ndarray[Any, Any]

_READERS = (toy, sklearn, idx, npz, csv)


def describe_readers() -> str:
    """The data that can be read."""
    return "; ".join(reader.DESCRIPTION for reader in _READERS)


def is_table(name: str) -> bool:
    """Whether `name` is a text table or a `.npy`, which have columns."""
    return csv.matches(name) or name.lower().endswith(".npy")


def load_source(
    name: str,
    target: str | None = None,
    seed: int = 0,
    held_out: float = 0.0,
    *,
    text_format: csv.Format | None = None,
    task: str | None = None,
    **columns: Any,
) -> Source:
    """Loads data by name or path; `target` is the column of a table to predict (default: the last).

    `held_out` is the share of rows that becomes the test set if the data has none. They do not contribute to the means and
    deviations that scale all rows.
    Integer and text targets are classes, and so are integral floats with at most 20 distinct values, unless `task` says
    otherwise. `columns` are `Preprocessor.fit`'s text, number, drop, missing and decimal, for tables.
    Raises ValueError that lists what can be read, ImportError that names the extra if scikit-learn is missing.
    """
    split = partial(split_rows, held_out, seed)
    found = _read(name, seed, text_format, False)
    if not isinstance(found, Table):
        return standardised(found, split, task)
    train, held = split(len(found))
    chosen = list(found.columns)[-1] if target is None else target
    preprocessor = Preprocessor.fit(found, chosen, train, task=task, **columns)
    inputs, targets = preprocessor.inputs(found), preprocessor.targets(found)
    return Source(
        Path(found.name).name,
        inputs[train],
        targets[train],
        preprocessor.class_names,
        None if held is None else (inputs[held], targets[held]),
        {"preprocessor": preprocessor.to_dict()},
        preprocessor.target_mean,
        preprocessor.target_scale,
        preprocessor.report,
    )


def read_rows(name: str, seed: int = 0, text_format: csv.Format | None = None) -> Array | Table:
    """The raw inputs of data by name, for `Preprocessor.inputs` or `scaling.scaled`."""
    found: Array | Table = _read(name, seed, text_format, True)
    return found


def _read(name: str, seed: int, text_format: csv.Format | None, inputs: bool) -> Any:
    known = next((reader for reader in (toy, sklearn) if reader.matches(name)), None)
    if known is None:
        _require_existing(name)
        known = next((reader for reader in _READERS if reader.matches(name)), None)
    if known is None:
        raise ValueError(
            f"{name} is neither a .csv nor a .npz file nor a folder of IDX files: save a table as CSV. Data may be "
            f"{describe_readers()}"
        )
    if known is csv:
        text_format = text_format or csv.Format()
        return csv.read_csv(name, **vars(text_format))
    return (known.inputs if inputs else known.load)(name, seed)


def _require_existing(name: str) -> None:
    if name != STANDARD_INPUT and not Path(name).exists():
        names = ", ".join([*toy.TOYS, *sklearn.SKLEARN])
        raise ValueError(f"no data {name!r}: give a .csv or .npz file, a folder of IDX files, or one of {names}")


def read_inputs(
    name: str, scaling: Any, seed: int = 0, *, text_format: csv.Format | None = None, **notation: Any
) -> Array:
    """Inputs (N, features) float32 for a trained model, scaled as in training (`Source.scaling`).

    `notation` (decimal, missing) says what differs from the training table.
    """
    if not isinstance(scaling, dict):
        raise ModelFileError("the file does not say how the model's inputs were scaled")
    preprocessor = Preprocessor.from_dict(scaling["preprocessor"]) if "preprocessor" in scaling else None
    if preprocessor is not None and not is_table(name):
        raise ValueError(f"this model was trained on a CSV file; {name} is not one")
    return inputs_of(name, read_rows(name, seed, text_format), scaling, preprocessor, **notation)


def inputs_of(
    name: str, rows: Array | Table, scaling: Any, preprocessor: Preprocessor | None, **notation: Any
) -> Array:
    """Rows as a model's inputs."""
    if preprocessor is not None:
        return preprocessor.inputs(rows, **notation)
    return scaled(name, numeric(rows, **notation) if isinstance(rows, Table) else rows, scaling)


def numeric(table: Table, decimal: str | None = None, missing: Any = ()) -> Array:
    """A table's columns as one array; ValueError that names a cell that is not a number."""
    notation = Notation.of(decimal or ".", missing)
    columns = []
    for name, cells in table.columns.items():
        values, odd = notation.numbers(cells) if isinstance(cells, list) else (cells, [])
        if odd:
            raise ValueError(
                f"{table.where(name, odd[0])} holds text, {cells[odd[0]]!r}, and this model was not trained on a table with categories"
            )
        missing = np.isnan(values)
        if missing.any():
            row = int(missing.argmax())
            raise ValueError(
                f"{table.where(name, row)} holds no number, and this model was not trained on a table that says how to "
                "replace missing values: fill it in, or remove the row"
            )
        columns.append(values)
    return np.stack(columns, axis=1)
