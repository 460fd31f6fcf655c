"""Damaged copies of a file, for tests that reading one raises a single type of exception."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def truncations(data: bytes) -> Iterator[bytes]:
    """Every proper prefix."""
    for length in range(len(data)):
        yield data[:length]


def bit_flips(data: bytes) -> Iterator[bytes]:
    """Every copy with one bit changed."""
    for bit in range(8 * len(data)):
        copy = bytearray(data)
        copy[bit // 8] ^= 1 << bit % 8
        yield bytes(copy)


def outcomes(read: Callable[[Path], Any], path: Path, variants: Iterator[bytes]) -> Iterator[Any]:
    """The result of `read` for each variant: a value, or the ValueError it raised. Any other exception fails the test."""
    with path.open("wb") as file:  # opened once: opening costs more than everything else
        for data in variants:
            file.seek(0)
            file.write(data)
            file.truncate()
            file.flush()
            try:
                result = read(path)
            except ValueError as error:
                assert str(error), f"an error without a message for {data!r}"
                result = error
            yield result
