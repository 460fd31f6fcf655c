"""Argument types: each says in a few words what it wants."""

import argparse
from collections.abc import Callable
from typing import Any


def _number(text: str, kind: Callable[[str], Any], wanted: str, holds: Callable[[Any], bool]) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not holds(value):
        raise argparse.ArgumentTypeError(f"must be {wanted}, got {text!r}")
    return value


def count(text: str) -> int:
    """1, 2, 3, ..."""
    value: int = _number(text, int, "a whole number of at least 1", lambda v: v >= 1)
    return value


def seed(text: str) -> int:
    """A seed of the library's generators."""
    value: int = _number(text, int, "a whole number from 0 to 2**64 - 1", lambda v: 0 <= v < 2**64)
    return value


def share(text: str) -> float:
    """A share, below 1."""
    value: float = _number(text, float, "a share from 0 to below 1", lambda v: 0 <= v < 1)
    return value


def not_negative(text: str) -> float:
    """A learning rate, momentum or weight decay."""
    value: float = _number(text, float, "a number of at least 0", lambda v: 0 <= v < float("inf"))
    return value


def sizes(text: str) -> list[int]:
    """Numbers separated by commas; empty for no hidden layer."""
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"must be sizes like 128,64, got {text!r}")
    return [int(part) for part in parts]
