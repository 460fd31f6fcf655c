"""Text tables: what is read, and what is refused with line and column."""

from __future__ import annotations

import csv
import gzip
import io
import time

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite.data import read_csv
from nnlite.data.notation import Notation


def test_names_and_cells(write) -> None:
    result = read_csv(str(write("a, b ,c\n1, x y ,\n\n2,'z,?\r\n")))
    assert result.columns == {"a": ["1", "2"], "b": ["x y", "'z"], "c": ["", "?"]}
    assert len(result) == 2


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n\ufeff")).map(str.strip),
            min_size=2,
            max_size=2,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_output_of_pythons_csv_is_read(tmp_path_factory, rows) -> None:
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    assert list(map(list, zip(*read_csv(path, header=True).columns.values(), strict=True))) == rows


def test_a_byte_order_mark_is_not_part_of_a_name(write) -> None:
    assert list(read_csv(write(b"\xef\xbb\xbfa,b\n1,2\n")).columns) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("a,b\n", "no rows"),
        ("a,a\n1,2\n", "duplicate column name"),
        ("a,b\n1,2\n3\n", "table.csv, line 3: 1 cell, but 2 columns"),
        ("a,b\n1,2,3\n", "line 2: 3 cells, but 2 columns"),
        (b"a,b\n\xff\xfe,1\n", "is not a CSV text file"),
        ("a,b\n" + "x" * 200_000 + ",1\n", "is not a CSV text file"),
    ],
)
def test_errors_name_the_fault(write, text, match) -> None:
    with pytest.raises(ValueError, match=match) as caught:
        read_csv(write(text))
    assert "table.csv" in str(caught.value)


def test_a_missing_file_is_an_os_error(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_csv(tmp_path / "nowhere.csv")


def columns(path, **told) -> dict:
    return read_csv(path, **told).columns


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ('name,size\n"a, b",1\n"c ""d""",2\n', ","),
        ("name;size\na;1,5\nb;2\n", ";"),
        ("name\tsize\na\t1\n", "\t"),
        ("name|size\na|1\n\nb|2\n", "|"),
        ("name,size\r\na,1\r\n", ","),
        ("name,size\ra,1\rb,2\r", ","),
        ('name,size\n"two\nlines",1\n', ","),
        ("name,size\n5\" pipe,1\nit's,2\n", ","),
        ('"a, b";"c"\n1;2\n', ";"),
        ('name,size\n"",\n,""\n', ","),
    ],
)
def test_cells_are_those_that_pandas_reads(write, text, delimiter) -> None:
    path = write(text)
    frame = pandas.read_csv(path, sep=delimiter, dtype=str, keep_default_na=False)
    assert columns(path) == {name: list(frame[name]) for name in frame}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_encodings_are_recognised(write, encoding, pack) -> None:
    assert columns(write(pack("größe,b\n1,é\n".encode(encoding)))) == {"größe": ["1"], "b": ["é"]}


def test_explicit_formats(write) -> None:
    assert columns(write("a b\n1 2\n"), delimiter=" ") == {"a": ["1"], "b": ["2"]}
    assert columns(write("a\tb\n1\t2\n"), delimiter="tab") == {"a": ["1"], "b": ["2"]}
    assert columns(write("é,b\n1,2\n".encode("cp1252")), encoding="cp1252") == {"é": ["1"], "b": ["2"]}
    assert columns(write("1,2\n3,4\n"), header=False) == {"0": ["1", "3"], "1": ["2", "4"]}
    assert columns(write("1,2\n3,4\n"), header=True) == {"1": ["3"], "2": ["4"]}
    assert columns(write("% from 2020\na,b\n% more\n1,2\n"), comment="%") == {"a": ["1"], "b": ["2"]}
    assert columns(write("sep=;\na;b\n1;2\n")) == {"a": ["1"], "b": ["2"]}


def test_standard_input(monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,2\n")))
    assert columns("-") == {"a": ["1"], "b": ["2"]}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1\n")))
    with pytest.raises(ValueError, match="standard input, line 2: 1 cell"):
        read_csv("-")
    monkeypatch.setattr("sys.stdin", io.StringIO("a,b\n1,2\n"))
    assert columns("-") == {"a": ["1"], "b": ["2"]}
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stdin", closed)
    with pytest.raises(OSError, match="no standard input"):
        read_csv("-")
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(OSError, match="no standard input"):
        read_csv("-")


def test_row_names_are_dropped_and_reported(write) -> None:
    table = read_csv(write(",a,b\n0,1,2\n1,3,4\n"))
    assert table.columns == {"a": ["1", "3"], "b": ["2", "4"]}
    assert "row names" in table.left_out["(no name)"]


def test_quoted_cells_are_recorded(write) -> None:
    cells = read_csv(write('a,b\nNA,1\n"NA",2\n')).columns["a"]
    assert [Notation().is_missing(cell) for cell in cells] == [True, False]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('a,b\n1,"x\n2,y\n', r"line 2, column 2 is not a CSV cell: the quote before 'x.*' is never closed"),
        ('a,b\n"x,1\n2,y\n3,"z"\n', r"line 2, column 1 .*'z"),
        ('a,b\n"x,1\n2,y\nz",3\n', "line 2: a quoted cell extends to line 4"),
        ('a\n"x\ny"\nz\n', "line 2: a quoted cell extends to line 3"),
        ("a,b\n1,\0\n", "line 2, character 3: a NUL character: remove it"),
        ("a,b\n\ufeff1,2\n", "line 2, character 1: a byte order mark"),
        ("a,b\n1,2\n".encode("utf-16-le"), "--encoding utf-16-le"),
        ("a,b\n1,é\n".encode("latin-1"), r"line 2, byte 3 is 0xe9: --encoding cp1252"),
        ("a,\n1,2\n", "line 1, column 2 has no name"),
        ("a,b, a\n1,2,3\n", "duplicate column name: line 1, columns 1 and 3: 'a'"),
        ("1.5,red\n2,blue\n", "line 1, column 1: '1.5' is a number.*--no-header"),
        ("red,big\nred,small\n", "line 1, column 1: 'red' also appears in line 2.*--no-header"),
        ("a,b\n1,2\na,b\n3,4\n", "line 3 repeats the names of line 1"),
        ("a,b\n1,2\n# note\n3,4\n", "line 3, column 1: '# note' looks like a comment: skip such lines with --comment"),
        ("a,b;c\n1,2;3\n", "the delimiter may be ',' or ';': choose one with --delimiter"),
        ("a\n1\n\n2\n", "line 3: a blank line, in a table of one column"),
        (b"PK\x03\x04rest", "Excel workbook: save the sheet as CSV"),
        (gzip.compress(b"a,b\n1,2\n")[:-3], "damaged gzip"),
    ],
)  # fmt: skip
def test_ambiguous_files_are_refused(write, text, match) -> None:
    with pytest.raises(ValueError, match=match):
        read_csv(write(text))


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"encoding": "utf-9"}, "--encoding utf-9: unknown encoding"),
        ({"delimiter": "::"}, "--delimiter must be one character"),
        ({"delimiter": ";"}, None),
    ],
)
def test_wrong_options(write, told, match) -> None:
    path = write("a,b\n1,2\n")
    if match is None:
        assert columns(path, **told) == {"a,b": ["1,2"]}
    else:
        with pytest.raises(ValueError, match=match):
            read_csv(path, **told)


def test_a_large_table_with_a_stray_quote_is_refused_quickly(write) -> None:
    rows = [f'{i},"text {i}"' for i in range(50_000)]
    rows[100] = '100,"text'
    start = time.perf_counter()
    with pytest.raises(ValueError, match="line 102, column 2"):
        read_csv(write("n,t\n" + "\n".join(rows)))
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_stray_quote_does_not_hide_the_delimiter(tmp_path, delimiter):
    path = tmp_path / "table.csv"
    path.write_text('a;b\n1,5;"x\n2,5;y"\n3,5;z\n'.replace(";", delimiter))
    with pytest.raises(ValueError, match="line 2: a quoted cell extends to line 3"):
        read_csv(path)
