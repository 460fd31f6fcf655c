"""Randomised proofs: a few trials in every run, all of them with `pytest tests/reliability --stress-scale=1`."""

from __future__ import annotations

import resource
from typing import Any

import pytest


class Proof:
    """Records the trials and results of a proof of docs/reliability.md, for the summary at the end of the run."""

    def __init__(self, scale: float | None, report: Any) -> None:
        self._scale = scale
        self._report = report

    def trials(self, full: int, short: int) -> int:
        """The number of trials: `short` in an ordinary run, the requested share of `full` with --stress-scale."""
        return short if self._scale is None else max(1, round(self._scale * full))

    def report(self, what: str, trials: int, figure: str = "") -> None:
        """Records that `trials` trials of `what` passed, with a measured figure."""
        self._report("proof", (what, trials, figure))


@pytest.fixture
def proof(request: pytest.FixtureRequest, record_property: Any) -> Proof:
    return Proof(request.config.getoption("--stress-scale"), record_property)


@pytest.fixture
def no_core_files() -> Any:
    """Processes killed on purpose leave no core dumps."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)
