"""Proofs by many trials: a few in every run, the full number by `pytest tests/reliability --stress-scale=1`."""

from __future__ import annotations

import resource
from typing import Any

import pytest


class Proof:
    """What a proof of docs/reliability.md tried and found; shown at the end of the run."""

    def __init__(self, scale: float | None, report: Any) -> None:
        self._scale = scale
        self._report = report

    def trials(self, full: int, short: int) -> int:
        """How many to make: `short` of them in an ordinary run, the asked-for share of `full` under --stress-scale."""
        return short if self._scale is None else max(1, round(self._scale * full))

    def report(self, what: str, trials: int, figure: str = "") -> None:
        """Notes that `trials` trials of `what` held, with whatever was measured on the way."""
        self._report("proof", (what, trials, figure))


@pytest.fixture
def proof(request: pytest.FixtureRequest, record_property: Any) -> Proof:
    return Proof(request.config.getoption("--stress-scale"), record_property)


@pytest.fixture
def no_core_files() -> Any:
    """Processes that are killed on purpose leave no memory image behind."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)
