"""Damaged copies of a file, for tests that reading one ends in one exception type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def truncations(data: bytes) -> Iterator[bytes]:
    """Every proper beginning."""
    for length in range(len(data)):
        yield data[:length]


def bit_flips(data: bytes) -> Iterator[bytes]:
    """Every copy with one bit changed."""
    for bit in range(8 * len(data)):
        copy = bytearray(data)
        copy[bit // 8] ^= 1 << bit % 8
        yield bytes(copy)


def outcomes(read: Callable[[Path], Any], path: Path, variants: Iterator[bytes]) -> Iterator[Any]:
    """What `read` makes of each variant: a value, or the ValueError that it raised. Anything else raised ends the test."""
    with path.open("wb") as file:  # once, since opening costs more than all the rest
        for data in variants:
            file.seek(0)
            file.write(data)
            file.truncate()
            file.flush()
            try:
                result = read(path)
            except ValueError as error:
                assert str(error), f"an error without a word on {data!r}"
                result = error
            yield result
