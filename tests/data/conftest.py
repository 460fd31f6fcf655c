"""Fixtures of the tests of data."""

import pytest


@pytest.fixture
def write(tmp_path):
    """Writes a file of a table; returns its path."""

    def to(text: str | bytes):
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return to
