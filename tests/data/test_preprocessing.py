"""Text tables: reading them, and converting them to arrays."""

from __future__ import annotations

import json

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutations import bit_flips, outcomes, truncations
from nnlite.data import Preprocessor, Table, read_csv
from nnlite.data.notation import Notation
from nnlite.errors import ModelFileError


def table(**columns: str) -> Table:
    """Columns given as words separated by spaces; an underscore is an empty cell."""
    return Table({name: ["" if cell == "_" else cell for cell in cells.split()] for name, cells in columns.items()})


def learn(path):
    """Everything the library does with a CSV file."""
    read = read_csv(path)
    preprocessor = Preprocessor.fit(read, list(read.columns)[-1])
    return preprocessor.inputs(read), preprocessor.targets(read)


def test_damaged_files_are_refused_or_read_as_tables(tmp_path) -> None:
    data = b'size,colour,"sold"\n1.5,red,yes\n-2,"bl""ue",no\n?,red,no\n'
    path = tmp_path / "table.csv"
    good = 0
    for variants in (truncations(data), bit_flips(data)):
        for result in outcomes(learn, path, variants):
            if not isinstance(result, ValueError):
                x, y = result
                assert x.dtype == np.float32
                assert len(x) == len(y) > 0
                assert np.isfinite(x).all()
                good += 1
    assert good > 20


# Numbers


@pytest.mark.parametrize(
    ("cells", "expected", "odd"),
    [
        (["1", "-2.5", "1e3", ".5", "+4."], [1, -2.5, 1000, 0.5, 4], []),
        (["", "?", "NA", "nan", "-", ".", "3"], [np.nan] * 6 + [3], []),
        (["1", "x", "1_000", "0x10", "１", "1,5", "5 "], [1] + [np.nan] * 6, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_numbers_of(cells, expected, odd) -> None:
    values, rows = Notation().numbers(cells)
    np.testing.assert_array_equal(values, expected)
    assert rows == odd


# Columns


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=30))
def test_numbers_are_standardised(values: list[float]) -> None:
    cells = [repr(value) for value in values]
    preprocessor = Preprocessor.fit(Table({"a": cells, "y": ["p", "q"] + ["p"] * (len(cells) - 2)}), "y")
    x = preprocessor.inputs(Table({"a": cells}))[:, 0].astype(np.float64)
    column = preprocessor.columns[0]
    np.testing.assert_allclose(x * column.scale + column.mean, values, atol=1e-6 * max(map(abs, values)) + 1e-12)
    if min(values) == max(values):
        assert not x.any()
    else:
        assert abs(x.mean()) < 1e-5
        assert x.std() == pytest.approx(1, abs=1e-5)


def test_a_missing_number_becomes_the_mean() -> None:
    data = table(a="1 _ 3 ?", y="p q p q")
    assert Preprocessor.fit(data, "y").inputs(data)[:, 0].tolist() == [-1, 0, 1, 0]


def test_a_constant_becomes_zero() -> None:
    preprocessor = Preprocessor.fit(table(a="0.1 0.1 0.1", y="p q p"), "y")
    assert preprocessor.columns[0].scale == 1
    assert preprocessor.inputs(table(a="0.1 0.2"))[:, 0].tolist() == pytest.approx([0, 0.1])


def test_categories_are_one_hot_in_order() -> None:
    data = table(colour="red blue _ red", y="p q p q")
    preprocessor = Preprocessor.fit(data, "y")
    assert preprocessor.feature_names == ["colour=blue", "colour=red"]
    assert preprocessor.inputs(data).tolist() == [[0, 1], [1, 0], [0, 0], [0, 1]]


def test_an_unknown_category_encodes_as_zeros() -> None:
    preprocessor = Preprocessor.fit(table(colour="red blue", y="p q"), "y")
    with pytest.warns(
        UserWarning, match="column 'colour' has categories not seen in training, encoded as zeros: green"
    ):
        assert preprocessor.inputs(table(colour="green red")).tolist() == [[0, 0], [0, 1]]


def test_columns_are_found_by_name_in_any_order() -> None:
    preprocessor = Preprocessor.fit(table(a="1 3", b="x z", y="p q"), "y")
    expected = preprocessor.inputs(table(a="1 3", b="x z"))
    np.testing.assert_array_equal(preprocessor.inputs(table(other="0 0", b="x z", a="1 3")), expected)


# Targets


@pytest.mark.parametrize(
    ("cells", "names", "targets"),
    [
        ("no yes no", ["no", "yes"], [0, 1, 0]),
        ("10 9 10", ["9", "10"], [1, 0, 1]),
        ("1 1.0 02", ["1", "2"], [0, 0, 1]),
        ("-1 1 -1", ["-1", "1"], [0, 1, 0]),
        ("0.5 1.5 2.5", None, [-1.2247449, 0, 1.2247449]),
    ],
)
def test_classes_and_quantities(cells, names, targets) -> None:
    data = table(a="1 2 3", y=cells)
    preprocessor = Preprocessor.fit(data, "y")
    assert preprocessor.class_names == names
    result = preprocessor.targets(data)
    assert result.dtype == (np.float32 if names is None else np.int64)
    np.testing.assert_allclose(result, targets, rtol=1e-6)


def test_many_distinct_integers_are_a_quantity() -> None:
    rows = list(map(str, range(21)))
    assert Preprocessor.fit(Table({"a": rows, "y": rows}), "y").class_names is None
    few = Table({"a": rows[:20] * 10, "y": rows[:20] * 10})
    assert len(Preprocessor.fit(few, "y").class_names or []) == 20


def test_a_quantity_can_be_restored() -> None:
    data = table(a="1 2 3 4", y="0.5 7.25 1 3")
    preprocessor = Preprocessor.fit(data, "y")
    restored = preprocessor.targets(data) * preprocessor.target_scale + preprocessor.target_mean
    np.testing.assert_allclose(restored, [0.5, 7.25, 1, 3], rtol=1e-6)


# Targets and inputs without information


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (table(a="1 2", b="3 4"), "no column 'y'; the columns are a, b"),
        (table(a="1 2", y="_ ?"), "the target column 'y' is empty"),
        (table(y="1 2"), "no column besides the target"),
        (table(a="_ _", y="p q"), "column 'a' holds no numbers"),
        (table(a="1 inf", y="p q"), "row 1, column 'a' holds inf"),
        (table(a="1 1e999", y="p q"), "row 1, column 'a' holds 1e999"),
        (table(a="1e308 -1e308", y="p q"), "column 'a' holds numbers that are too large"),
        (table(a="1 2", y="0.5 inf"), "row 1, column 'y' holds inf"),
        (table(a="1 2", y="p p"), "holds 'p' in every row"),
        (table(a="1 2", y="3 3.0"), "holds '3' in every row"),
        (
            Table({"a": [f"n{i}" for i in range(1001)], "y": ["p", "q"] * 500 + ["p"]}),
            "the column holds 1001 distinct texts",
        ),
    ],
)
def test_data_that_cannot_be_learned_from_is_named(data, match) -> None:
    with pytest.raises(ValueError, match=match):
        Preprocessor.fit(data, "y")


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (table(b="x", y="p"), "no column 'a'; the columns are b, y"),
        (table(a="red", b="x", y="p"), "row 0, column 'a' holds 'red', but the column was numeric in training"),
        (table(a="1 2", b="x x", y="p r"), "the target 'r' is not one of the classes p, q"),
        (table(a="1 2 3", b="x x x", y="p _ ?"), r"has no value in row 1 \(and 1 others\)"),
    ],
)
def test_rows_that_do_not_fit_are_named(data, match) -> None:
    preprocessor = Preprocessor.fit(table(a="1 2", b="x z", y="p q"), "y")
    with pytest.raises(ValueError, match=match):
        preprocessor.targets(data) if preprocessor.inputs(data) is not None else None


def test_text_for_a_numeric_target_is_named() -> None:
    preprocessor = Preprocessor.fit(table(a="1 2", y="0.5 1.5"), "y")
    with pytest.raises(ValueError, match="row 0, column 'y' holds 'p', but the column was numeric in training"):
        preprocessor.targets(table(a="1", y="p"))


# Saving


@pytest.mark.parametrize("target", ["p q p", "0.5 1.5 2.5", "1 2 1"])
def test_a_preprocessor_survives_json(target) -> None:
    data = table(a="1 _ 3", b="x z _", y=target)
    preprocessor = Preprocessor.fit(data, "y")
    again = Preprocessor.from_dict(json.loads(json.dumps(preprocessor.to_dict())))
    assert again == preprocessor
    np.testing.assert_array_equal(again.inputs(data), preprocessor.inputs(data))


STATE = Preprocessor.fit(table(a="1 2", b="x z", y="p q"), "y").to_dict()


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        {},
        {**STATE, "columns": []},
        {**STATE, "columns": [3]},
        {**STATE, "columns": [{"name": "a"}]},
        {**STATE, "more": 1},
        {**STATE, "target": 3},
        {**STATE, "class_names": [1]},
        {**STATE, "target_scale": 0.0},
        {**STATE, "target_mean": float("nan")},
        {**STATE, "columns": [{"name": "a", "categories": "xyz", "mean": 0.0, "scale": 1.0}]},
        {**STATE, "columns": [{"name": "a", "categories": None, "mean": 0.0, "scale": "1"}]},
    ],
)
def test_an_invalid_state_is_refused(state) -> None:
    with pytest.raises(ModelFileError, match="the file"):
        Preprocessor.from_dict(state)


# Rows from Python


def test_rows_of_every_kind_give_the_same_inputs() -> None:
    preprocessor = Preprocessor.fit(table(a="1 2 _ 4", b="x z x z", y="p q p q"), "y")
    expected = preprocessor.inputs(table(a="2 _", b="z x"))
    frame = pandas.DataFrame({"b": ["z", "x"], "a": [2.0, np.nan]})
    for rows in (
        frame, frame.convert_dtypes(), frame.astype({"b": "category"}), [[2, "z"], [None, "x"]], [{"a": 2, "b": "z"}, {"b": "x", "a": None}],
        {"a": [2, None], "b": ["z", "x"]}, np.array([[2, "z"], [None, "x"]], object), np.array([["2", "z"], ["", "x"]]),
        [(2, "z", "p"), (None, "x", "q")],
    ):  # fmt: skip
        np.testing.assert_array_equal(preprocessor.inputs(rows), expected)
    with pytest.raises(ValueError, match="no column 'a'; the columns are b; the model takes a, b"):
        preprocessor.inputs(frame[["b"]])
    with pytest.raises(ValueError, match="has 1 unnamed columns; the model takes 2: a, b"):
        preprocessor.inputs([[1], [2]])
    for rows, error in ((3, TypeError), ("rows", TypeError), ([[1, "x"], [2]], ValueError), ([], ValueError), ([{"a": 1, "b": "x"}, {"a": 2}], ValueError)):  # fmt: skip
        with pytest.raises(error, match="row"):
            preprocessor.inputs(rows)


def test_old_files_read_tables_as_before() -> None:
    old = {
        "columns": [
            {"name": "a", "categories": None, "mean": 1.0, "scale": 2.0},
            {"name": "b", "categories": ["-", "None"], "mean": 0.0, "scale": 1.0},
        ],
        "target": "y", "class_names": ["p", "q"], "target_mean": 0.0, "target_scale": 1.0,
    }  # fmt: skip
    found = Preprocessor.from_dict(old).inputs(table(b="None -", a="3 NA"))
    assert found.tolist() == [[1, 0, 1], [0, 1, 0]]


def test_a_single_name_or_mark_need_not_be_a_list():
    rows = {"age": [9, -999, 30, 41], "size": ["9", "12", "-999", "7"], "y": ["a", "b", "a", "b"]}
    listed = Preprocessor.fit(rows, "y", drop=["age"], missing=["-999"])
    assert "9" not in listed.missing
    assert listed.report[1] == "size: number (1 missing)"
    for mark in ("-999", -999, -999.0, [-999]):
        single = Preprocessor.fit(rows, "y", drop="age", missing=mark)
        assert single.report == listed.report
        assert np.array_equal(single.inputs(rows), listed.inputs(rows))
    assert np.array_equal(
        Preprocessor.fit(rows, "y", text="size").inputs(rows, missing="12"),
        Preprocessor.fit(rows, "y", text=["size"]).inputs(rows, missing=["12"]),
    )
    with pytest.raises(ValueError, match="decimal mark"):
        listed.inputs(rows, decimal=";")


def test_a_frame_may_have_numbered_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({0: [1.5, 2.5, 3.5], 1: [2.0, 0.5, 1.5], 2: ["a", "b", "a"]})
    assert Preprocessor.fit(frame, 2, drop=[1]).report == Preprocessor.fit(frame, "2", drop="1").report
