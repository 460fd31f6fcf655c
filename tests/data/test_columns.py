"""What a column holds: numbers, categories, or something only the user can decide."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from nnlite.data import Preprocessor, Table
from nnlite.data.notation import Quoted


def table(**columns: str) -> Table:
    """Columns given as words separated by spaces; an underscore is an empty cell."""
    return Table({name: ["" if cell == "_" else cell for cell in cells.split()] for name, cells in columns.items()})


def many(odd: str, **others: object) -> Table:
    """Four hundred numbers and one other cell, in line 202."""
    rng = np.random.default_rng(0)
    cells = [f"{value:.4f}" for value in rng.standard_normal(400)]
    cells[200] = odd
    return Table({"a": cells, "y": ["p", "q"] * 200}, "t.csv", list(range(2, 402)), **others)


@pytest.mark.parametrize(
    "mark", ["-", "None", "<NA>", "n/a", "#N/A", "NaT", "\\N", ".", "#DIV/0!", "NULL", "#VALUE!", ""]
)
def test_a_column_with_missing_marks_is_still_numeric(mark) -> None:
    x = Preprocessor.fit(many(mark), "y").inputs(many(mark))
    assert x.shape == (400, 1)
    assert x[200, 0] == 0


@pytest.mark.parametrize(
    ("cell", "value"),
    [("12%", 0.12), ("1,234.5", 1234.5), ("−1.5", -1.5), ("１２", 12), ("€ 5", 5), ("5 USD", 5), ("(3)", -3), ("1'234", 1234), ("abc", None), ("1_000", None)],
)  # fmt: skip
def test_one_other_cell_among_numbers_is_an_error_by_default(cell, value) -> None:
    table = many(cell)
    with pytest.raises(
        ValueError, match=r"t.csv, line 202, column 'a' holds .*--number 'a'.*--text 'a'.*--drop 'a'"
    ) as caught:
        Preprocessor.fit(table, "y")
    assert repr(cell) in str(caught.value)
    preprocessor = Preprocessor.fit(table, "y", number=["a"])
    column = preprocessor.columns[0]
    number = preprocessor.inputs(table)[200, 0] * column.scale + column.mean
    assert number == pytest.approx(column.mean if value is None else value, abs=1e-4)
    if value is None:
        assert "1 cells that are not numbers" in preprocessor.report[0]
    assert Preprocessor.fit(table, "y", text=["a"]).feature_names.count(f"a={cell}") == 1
    assert Preprocessor.fit(table, "y", missing=[cell]).inputs(table)[200, 0] == 0


def test_the_advice_on_decimal_commas_works() -> None:
    data = table(a="1,5 2,5 3,25", y="p q p")
    with pytest.raises(ValueError, match="--decimal , if ',' is the decimal mark"):
        Preprocessor.fit(data, "y")
    preprocessor = Preprocessor.fit(data, "y", decimal=",")
    assert preprocessor.columns[0].mean == pytest.approx(7.25 / 3)
    again = Preprocessor.from_dict(json.loads(json.dumps(preprocessor.to_dict())))
    np.testing.assert_array_equal(again.inputs(data), preprocessor.inputs(data))
    with pytest.raises(ValueError, match="line|row 0.*--decimal . if"):
        preprocessor.inputs(table(a="1.5", y="p"))


def test_a_mark_that_is_a_number_is_remembered() -> None:
    data = table(a="1 -999 3 -999.0", y="p q p q")
    preprocessor = Preprocessor.fit(data, "y", missing=["-999"])
    assert preprocessor.inputs(data)[:, 0].tolist() == [-1, 0, 1, 0]
    assert Preprocessor.from_dict(preprocessor.to_dict()).inputs(table(a="-999"))[0, 0] == 0
    assert preprocessor.inputs({"a": [-999.0]})[0, 0] == 0


@pytest.mark.parametrize(
    ("cells", "match"),
    [
        ([f"2020-01-{i % 28 + 1:02d}" for i in range(40)], "a date or time.*--drop 'a'"),
        ([f"{i % 12}:30" for i in range(40)], "a date or time"),
        ([f"{i}%" for i in range(40)], "'0%'.*--number 'a' reads it as 0.0"),
        ([f"{i} kg" for i in range(40)], "a number with 'kg'"),
        ([f"name {i}" for i in range(40)], "40 distinct texts.*in 40 rows.*--drop 'a'"),
        (
            [f"{10**17 + 7 * i}" for i in range(40)],
            "more digits than a float64 can hold: --number 'a' reads it rounded, --text 'a'",
        ),
        (
            [f"{i:05d}" for i in range(40)],
            "whose leading zero would be lost as a number: --number 'a' reads numbers, --text 'a'",
        ),
        ([f"~{i}" for i in range(40)], "a number with '~'"),
        (["950", "1.234", "12.500", "7"] * 10, "'1.234', where three digits after each point may mean thousands"),
        ([hex(i) for i in range(40)], "'0x0', which is not a number"),
        (["1", "2", "x"] * 10 + ["3"] * 10, "row 2, column 'a' holds 'x'"),
    ],
)
def test_ambiguous_columns_are_refused(cells, match) -> None:
    with pytest.raises(ValueError, match=match):
        Preprocessor.fit(Table({"a": cells, "y": ["p", "q"] * 20}), "y")


@pytest.mark.parametrize(
    "cells",
    [
        ["1", "x", *["3"] * 38], ["1", "12%", *["3"] * 38], [f"{i},5" for i in range(40)], [f"2020-01-{i % 28 + 1:02d}" for i in range(40)],
        [f"{i} kg" for i in range(40)], [f"name {i}" for i in range(40)], [f"{10**17 + 7 * i}" for i in range(40)],
        [f"{i:05d}" for i in range(40)], ["950", "1.234"] * 20, [hex(i) for i in range(40)], ["1", "inf", "2", "2"] * 10,
    ],
    ids=lambda cells: cells[1],
)  # fmt: skip
@pytest.mark.parametrize("target", ["a", "y"])
def test_all_advice_works(cells, target) -> None:
    columns = {"a": cells, "y": ["p", "q"] * 20}
    if target == "a":
        columns["y"] = [str(i * i) for i in range(40)]
    with pytest.raises(ValueError, match="--") as caught:
        Preprocessor.fit(Table(columns), target)
    said = str(caught.value).replace("together with --decimal ,", "")
    advice = re.findall(r"--(text|number|drop|decimal|missing|task) '?([^',:;]+?|,)'?(?= |,|$)", said)
    assert len(advice) >= (1 if target == "a" or "inf" in cells else 2)
    for option, value in advice:
        told = {option: value if option in ("decimal", "task") else [value]}
        if target == "a" and option != "task":  # answering one question may raise the next
            told["task"] = "classification"
        columns["more"] = [str(i * i) for i in range(40)]
        Preprocessor.fit(Table(columns), target, **told)


def test_text_is_unchanged() -> None:
    data = table(a="007 7 1 1.0 007", y="p q p q p")
    assert Preprocessor.fit(data, "y", text=["a"]).feature_names == ["a=007", "a=1", "a=1.0", "a=7"]
    codes = Preprocessor.fit(table(a="007 008 007", y="p q p"), "y")
    assert codes.feature_names == ["a=007", "a=008"]
    assert "kept as text because of leading zeros" in codes.report[0]
    classes = Table({"a": ["007", "7", "1.0"] * 12, "b": list(map(str, range(36)))})
    assert Preprocessor.fit(classes, "a", text=["a"]).class_names == ["007", "1.0", "7"]


def test_a_class_may_be_called_na() -> None:
    quoted = Table({"a": ["1", "2"], "y": [Quoted("NA"), Quoted("null")]})
    assert Preprocessor.fit(quoted, "y").class_names == ["NA", "null"]
    assert Preprocessor.fit(quoted, "y").targets(quoted).tolist() == [0, 1]
    bare = Table({"a": ["1", "2", "3"], "y": ["NA", "null", "x"]})
    preprocessor = Preprocessor.fit(Table({**bare.columns, "y": ["NA", "w", "x"]}), "y")
    with pytest.raises(ValueError, match="has no value in row 0.*--text 'y' makes 'NA' a class"):
        preprocessor.targets(bare)
    told = Preprocessor.fit(bare, "y", text=["y"])
    assert told.class_names == ["NA", "null", "x"]
    assert Preprocessor.from_dict(told.to_dict()).targets(bare).tolist() == [0, 1, 2]
    signs = table(a="1 2", y="+ -")
    assert Preprocessor.fit(signs, "y").class_names == ["+", "-"]


def test_a_target_of_many_classes_asks_for_the_task() -> None:
    numbers = Table({"a": list(map(str, range(50))), "y": [str(i % 8) for i in range(50)]})
    with pytest.raises(ValueError, match="8 distinct values in 50 rows.*--task classification.*--task regression"):
        Preprocessor.fit(numbers, "y")
    assert len(Preprocessor.fit(numbers, "y", task="classification").class_names or []) == 8
    assert Preprocessor.fit(numbers, "y", task="regression").class_names is None
    texts = Table({"a": list(map(str, range(50))), "y": [f"n{i % 8}" for i in range(50)]})
    with pytest.raises(ValueError, match="8 distinct values in 50 rows.*--task classification"):
        Preprocessor.fit(texts, "y")
    assert len(Preprocessor.fit(texts, "y", task="classification").class_names or []) == 8
    with pytest.raises(ValueError, match="--task regression needs numbers.*'n0'"):
        Preprocessor.fit(texts, "y", task="regression")
    odd = Table({"a": list(map(str, range(50))), "y": [f"{i}.5" for i in range(49)] + ["x"]})
    with pytest.raises(ValueError, match="row 49, column 'y' holds 'x'"):
        Preprocessor.fit(odd, "y")


def test_the_report_says_how_each_column_was_read() -> None:
    rows = 20
    data = {
        "id": [str(i + 1) for i in range(rows)], "size": ["1.5", "", *["2"] * (rows - 2)], "colour": ["red", "blue"] * 10,
        "note": ["x"] * rows, "sold": ["no", "yes"] * 10,
    }  # fmt: skip
    assert Preprocessor.fit(Table(data), "sold", drop=["note"]).report == [
        "id: number; it only counts rows: --drop 'id' leaves it out",
        "size: number (1 missing)",
        "colour: category with 2 values (blue, red)",
        "note: dropped, as requested",
        "sold: target, 2 classes (no, yes)",
    ]


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"text": ["z"]}, "--text 'z': no such column; the columns are a, y"),
        ({"text": ["a"], "number": ["a"]}, "column 'a' is given to two of"),
        ({"drop": ["y"]}, "--drop 'y' would leave out the target"),
        ({"drop": ["a"]}, "no column besides the target"),
        ({"task": "ranking"}, "task must be one of classification, regression"),
        ({"decimal": ";"}, "the decimal mark must be"),
    ],
)
def test_wrong_options_are_named(told, match) -> None:
    with pytest.raises(ValueError, match=match):
        Preprocessor.fit(table(a="1 2", y="p q"), "y", **told)
