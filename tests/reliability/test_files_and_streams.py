"""Generated tables with one fault each: read correctly, or refused with line and column; never misread."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite.data.readers.csv import Format
from nnlite.data.sources import load_source

PLACE = re.compile(r"(line|lines) \d+")
MARKS = [
    "-",
    "None",
    "<NA>",
    "n/a",
    "#N/A",
    "NaT",
    "\\N",
    ".",
    "#DIV/0!",
    "?",
    "NA",
    "nan",
    "NULL",
    '""',
    "  ",
    "#VALUE!",
]
ODD = ["12%", '"1,234.5"', "−1.5", "１２", "1_000", "0x1F", "$5", "(3)", "5 kg", "abc", "infinity", "-inf", "1d5", "1 234", "1e999",
       "two", "1.2.3", "12345678901234567891", "2020-01-05", "+-3", "1,5"]  # fmt: skip


@dataclass
class Case:
    """A table's cells, the bytes they are written as, and the expected result of reading them."""

    names: list[str]
    rows: list[list[str]]
    options: dict[str, Any] = field(default_factory=dict)
    format: Format = field(default_factory=Format)
    expected: list[list[str]] | None = None  # the intended rows; None for a file that must be refused
    data: bytes | None = None
    place: bool = True  # whether the error must say where
    suffix: str = ".csv"

    def text(self, delimiter: str = ",", end: str = "\n") -> str:
        return end.join(delimiter.join(row) for row in [self.names, *self.rows]) + end


def clean(rng: random.Random) -> Case:
    """Two numeric columns, one of categories, a target of classes or numbers."""
    count, classes = rng.randint(40, 120), rng.random() < 0.7
    rows = [
        [
            f"{rng.gauss(0, 3):.3f}",
            str(rng.randint(-50, 50)),
            rng.choice(["red", "blue", "green"]),
            rng.choice(["no", "yes"]) if classes else f"{rng.gauss(5, 1):.4f}",
        ]
        for _ in range(count)
    ]
    return Case(["size", "count", "colour", "sold"], rows, expected=[list(row) for row in rows])


def spot(case: Case, rng: random.Random, columns: int = 2) -> tuple[int, int]:
    return rng.randrange(len(case.rows)), rng.randrange(columns)


def missing_mark(case: Case, rng: random.Random) -> None:
    row, column = spot(case, rng)
    case.rows[row][column] = rng.choice(MARKS)
    case.expected[row][column] = ""


def odd_number(case: Case, rng: random.Random) -> None:
    row, column = spot(case, rng)
    case.rows[row][column], case.expected = rng.choice(ODD), None


def odd_target(case: Case, rng: random.Random) -> None:
    for row in case.rows:
        row[3] = str(rng.randint(0, 10**6))
    case.rows[rng.randrange(len(case.rows))][3], case.expected = rng.choice([*ODD, "NA", "?"]), None


def stray_quote(case: Case, rng: random.Random) -> None:
    row, column = spot(case, rng, 4)
    case.rows[row][column], case.expected = '"' + case.rows[row][column], None


def two_stray_quotes(case: Case, rng: random.Random) -> None:
    """Everything in between would be one cell."""
    first, last = sorted(rng.sample(range(len(case.rows)), 2))
    column = rng.randrange(4)
    case.rows[first][column] = '"' + case.rows[first][column]
    case.rows[last][column] += '"'
    case.expected = None


def ragged(case: Case, rng: random.Random) -> None:
    row = case.rows[rng.randrange(len(case.rows))]
    case.expected = None
    if rng.random() < 0.5:
        row.pop(rng.randrange(4))
    else:
        row.insert(rng.randrange(4), "7")


def duplicate_name(case: Case, rng: random.Random) -> None:
    a, b = rng.sample(range(4), 2)
    case.names[a], case.expected = case.names[b], None


def empty_name(case: Case, rng: random.Random) -> None:
    case.names[rng.randrange(1, 4)], case.expected = "", None


def nul(case: Case, rng: random.Random) -> None:
    row, column = spot(case, rng, 4)
    case.rows[row][column], case.expected = case.rows[row][column] + "\0", None


def mark_in_the_middle(case: Case, rng: random.Random) -> None:
    row, column = spot(case, rng, 4)
    case.rows[row][column], case.expected = "\ufeff" + case.rows[row][column], None


def encoding(case: Case, rng: random.Random) -> None:
    case.data = case.text().encode(rng.choice(["utf-16", "utf-8-sig", "utf-32"]))


def old_encoding(case: Case, rng: random.Random) -> None:
    for row in (*case.rows, *case.expected):
        row[2] = row[2].replace("green", "vért")
    name = rng.choice(["latin-1", "cp1252"])
    case.data = case.text().encode(name)
    if rng.random() < 0.5:
        case.format = replace(case.format, encoding=name)
    elif b"\xe9" in case.data:
        case.expected = None


def utf_16_without_a_mark(case: Case, rng: random.Random) -> None:
    case.data, case.expected = case.text().encode(rng.choice(["utf-16-le", "utf-16-be"])), None


def delimiter(case: Case, rng: random.Random) -> None:
    case.data = case.text(rng.choice(";\t|")).encode()


def decimal_comma(case: Case, rng: random.Random) -> None:
    for row in case.rows:
        row[0] = row[0].replace(".", ",")
        row[3] = row[3].replace(".", ",")
    case.data = case.text(";").encode()
    if rng.random() < 0.5:
        case.options["decimal"] = ","
    else:
        case.expected = None


def line_ends(case: Case, rng: random.Random) -> None:
    case.data = case.text(end=rng.choice(["\r\n", "\r"])).encode()


def harmless(case: Case, rng: random.Random) -> None:
    """Blank lines, spaces around cells, quotes around all cells, a trailing delimiter on each line, no final line break."""
    lines = case.text().splitlines()
    how = rng.randrange(5)
    if how == 0:
        lines.insert(rng.randrange(1, len(lines)), "")
    elif how == 1:
        lines = [line.replace(",", " , ") for line in lines]
    elif how == 2:
        lines = ['"' + line.replace(",", '","') + '"' for line in lines]
    elif how == 3:
        lines = [line + "," for line in lines]
    case.data = "\n".join(lines).encode()


def no_header(case: Case, rng: random.Random) -> None:
    case.data = "\n".join(",".join(row) for row in case.rows).encode()
    if rng.random() < 0.5:
        case.format = replace(case.format, header=False)
    else:
        case.expected = None


def repeated_header(case: Case, rng: random.Random) -> None:
    case.rows.insert(rng.randrange(1, len(case.rows)), list(case.names))
    case.expected = None


def comment(case: Case, rng: random.Random) -> None:
    lines = case.text().splitlines()
    lines.insert(rng.randrange(len(lines)), rng.choice(["# a note", "# a,b,c,d", "## x"]))
    case.data = "\n".join(lines).encode()
    if rng.random() < 0.5:
        case.format = replace(case.format, comment="#")
    else:
        case.expected = None


def index_column(case: Case, rng: random.Random) -> None:
    case.data = "\n".join(
        ["," + ",".join(case.names)] + [f"{i},{','.join(r)}" for i, r in enumerate(case.rows)]
    ).encode()


def packed(case: Case, rng: random.Random) -> None:
    case.data, case.suffix = gzip.compress(case.text().encode()), ".csv.gz"
    if rng.random() < 0.5:
        case.data, case.expected, case.place = case.data[: -rng.randrange(1, 40)], None, False


def no_rows(case: Case, rng: random.Random) -> None:
    case.data, case.expected, case.place = rng.choice([b"", b"\n\n", b"size,count,colour,sold\n"]), None, False


def dates(case: Case, rng: random.Random) -> None:
    for row in case.rows:
        row[0] = rng.choice(["2021-03-%02d", "%d.3.2021", "3/%d/2021", "12:%02d", "%d Mar 2021"]) % rng.randint(1, 28)
    case.expected = None


def units(case: Case, rng: random.Random) -> None:
    unit = rng.choice(["%s%%", "$%s", "%s €", "%s kg", "USD %s"])
    for row in case.rows:
        row[0] = unit % row[0]
    case.expected = None


def long_codes(case: Case, rng: random.Random) -> None:
    for row in case.rows:
        row[1] = f"{rng.randrange(10**5):05d}"
    case.rows[0][1], case.expected = "00501", None


def huge_cell(case: Case, rng: random.Random) -> None:
    row, column = spot(case, rng, 4)
    case.rows[row][column], case.expected = rng.choice("x1") * 150_000, None


def odd_white_space(case: Case, rng: random.Random) -> None:
    """Characters that only Python's splitlines treats as a line break."""
    row, _ = spot(case, rng)
    case.rows[row][2] = case.expected[row][2] = f"red{rng.choice(chr(0x2028) + chr(0x85) + chr(0x0B) + chr(0x1C))}blue"


FAULTS: list[Callable[[Case, random.Random], None]] = [
    missing_mark, odd_number, odd_target, stray_quote, two_stray_quotes, ragged, duplicate_name, empty_name, nul, mark_in_the_middle,
    encoding, old_encoding, utf_16_without_a_mark, delimiter, decimal_comma, line_ends, harmless, no_header, repeated_header, comment,
    index_column, packed, no_rows, dates, units, long_codes, huge_cell, odd_white_space,
]  # fmt: skip


def what_is_meant(rows: list[list[str]]) -> tuple[np.ndarray, list[str] | None, list[Any]]:
    """Inputs, classes and targets of rows, computed by hand."""
    columns = list(zip(*rows, strict=True))
    features = []
    for cells in columns[:2]:
        values = np.array([float(cell) if cell else np.nan for cell in cells])
        values = (values - np.nanmean(values)) / np.nanstd(values)
        features.append(np.where(np.isnan(values), 0, values))
    for category in sorted({cell for cell in columns[2] if cell}):
        features.append(np.array([cell == category for cell in columns[2]], float))
    target = list(columns[3])
    try:
        return np.stack(features, 1), None, [float(cell) for cell in target]
    except ValueError:
        names = sorted(set(target))
        return np.stack(features, 1), names, [names.index(cell) for cell in target]


def judge(case: Case, path: Path) -> str:
    """ "read", "refused", or a description of the failure."""
    path.write_bytes(case.text().encode() if case.data is None else case.data)
    try:
        source = load_source(str(path), text_format=case.format, **case.options)
    except ValueError as error:
        if case.expected is not None:
            return f"refused: {error}"
        said = PLACE.search(str(error)) is not None and "column" in str(error)
        if case.place and not (
            said or (PLACE.search(str(error)) and re.search("character|byte|quoted cell|repeats", str(error)))
        ):
            return f"refused without a place: {error}"
        return "refused"
    if case.expected is None:
        return f"silently read: {source.report}"
    x, names, y = what_is_meant(case.expected)
    if source.class_names != names or source.x.shape != x.shape or not np.allclose(source.x, x, atol=1e-4):
        return "read wrong"
    found = source.y if names is not None else source.y * source.target_scale + source.target_mean
    return "read" if np.allclose(found, y, atol=1e-4) else "targets read wrong"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_tables_with_one_fault(fault, tmp_path, proof) -> None:
    trials = proof.trials(1100, 11)
    outcomes: dict[str, int] = {}
    for number in range(trials):
        rng = random.Random(f"{fault.__name__} {number}")
        case = clean(rng)
        fault(case, rng)
        outcome = judge(case, tmp_path / f"table{case.suffix}")
        assert outcome in ("read", "refused"), f"trial {number}: {outcome}"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    proof.report(f"tables with the fault {fault.__name__}", trials, str(outcomes))
