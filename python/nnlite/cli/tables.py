"""Options for reading text tables."""

import argparse
from typing import Any

from ..data.preprocessing import TASKS
from ..data.readers.csv import Format
from ..data.sources import is_table

_FORMAT: dict[str, tuple[str, str]] = {
    "--delimiter": (
        "CHARACTER",
        "the cell separator, a character or tab (detected: comma, semicolon, tab or bar)",
    ),
    "--decimal": ("CHARACTER", "the decimal mark, a point or a comma (a point)"),
    "--encoding": ("NAME", "such as utf-16, cp1252 or latin-1 (what a byte order mark says, else utf-8)"),
    "--comment": ("CHARACTERS", "skip lines that begin with these"),
}


def add_format_options(parser: argparse.ArgumentParser) -> None:
    """The format of the file."""
    group = parser.add_argument_group("tables", "How to read a .csv, .tsv or .txt, if detection fails.")
    for name, (metavar, text) in _FORMAT.items():
        choices = (".", ",") if name == "--decimal" else None
        group.add_argument(name, metavar=metavar, choices=choices, help=text)
    header = group.add_mutually_exclusive_group()
    header.add_argument(
        "--header", action="store_true", default=None, help="the first line holds names, though it looks like a row"
    )
    header.add_argument(
        "--no-header",
        dest="header",
        action="store_false",
        help="the first line is a row; columns are called 0, 1, 2, ...",
    )
    _add_names(group, "--missing", "MARK", "another marker of missing values, besides NA, NaN, ?, - and similar")


def add_column_options(parser: argparse.ArgumentParser) -> None:
    """What the columns hold, for training."""
    group = parser.add_argument_group("columns of tables", "Each may be given several times.")
    _add_names(group, "--text", "COLUMN", "treat each distinct cell as a category (007 stays 007)")
    _add_names(group, "--number", "COLUMN", "read numbers, including 12%%, 1,234.5 and $5; other cells are missing")
    _add_names(group, "--drop", "COLUMN", "ignore the column")
    parser.add_argument("--task", choices=TASKS, help="the kind of target, if it could be both")


def _add_names(group: Any, option: str, metavar: str, text: str) -> None:
    group.add_argument(option, action="append", default=[], metavar=metavar, help=text)


def format_of(options: argparse.Namespace) -> Format:
    """The reader's options; ValueError if the data is not a text table."""
    told = [
        f"--{name}" for name in ("delimiter", "decimal", "encoding", "comment") if getattr(options, name) is not None
    ]
    told += [] if options.header is None else ["--header" if options.header else "--no-header"]
    told += [f"--{name}" for name in ("missing", "text", "number", "drop") if getattr(options, name, None)]
    if told and not is_table(options.data):
        raise ValueError(f"{told[0]} is for tables (.csv, .tsv, .txt, .npy); {options.data} is not one")
    return Format(options.delimiter, options.encoding, options.header, options.comment)


def notation_of(options: argparse.Namespace) -> dict[str, Any]:
    """The decimal mark and missing-value markers, if given."""
    return {"missing": options.missing, **({} if options.decimal is None else {"decimal": options.decimal})}
