"""Shared by the examples: locating the data, judging the result."""

import argparse
import sys
from pathlib import Path

DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def data_folder(name: str, description: str) -> Path:
    """The folder of a data set, under --data or ../shared/data beside the checkout; exits with a message if it does not exist."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder that holds mnist/, adult/ and spam/")
    folder: Path = parser.parse_args().data / name
    if not folder.is_dir():
        print(f"skipped: there is no {folder}; pass --data FOLDER")
        sys.exit(0)
    return folder


def judge(what: str, value: float, limit: float, at_least: bool) -> None:
    """Prints a figure and its target; exits with 1 if it misses."""
    met = value >= limit if at_least else value <= limit
    print(f"{what}: {value:.2f} % (target {'>=' if at_least else '<='} {limit} %): {'met' if met else 'MISSED'}")
    sys.exit(0 if met else 1)
