"""The results of a run with peers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nnlite.bench import report
from nnlite.bench.prediction import CALL, PREDICT
from nnlite.bench.results import OWN, Result
from nnlite.bench.steps import OWN_LOOP, TWO_THREADS
from nnlite.bench.suite import Report, limit_figures

OWN_NAMES = frozenset({OWN, OWN_LOOP, CALL, PREDICT, TWO_THREADS})


@dataclass(frozen=True)
class Findings:
    """The report of this process, and the products with AVX2 from a child process if this one uses AVX-512."""

    main: Report
    avx2: Report | None = None

    def section(self, name: str) -> list[Result]:
        """The results of a section."""
        return [result for result in self.main.results if result.section == name]

    def figure(self, name: str) -> float | None:
        """A single number, by its name."""
        return next((figure.value for figure in self.main.figures if figure.name == name), None)

    def text(self) -> str:
        """Tables."""
        parts = [report.text(self.main)]
        if self.avx2 is not None:
            limits = report.figures_table(limit_figures(self.avx2.limits))
            parts.append(f"== products with AVX2\n\n{limits}\n\n{report.results_table(self.avx2.results)}")
        return "\n\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.main.as_dict(), "avx2": None if self.avx2 is None else self.avx2.as_dict()}


def peers_of(result: Result) -> dict[str, float]:
    """The seconds of each peer."""
    return {name: seconds for name, seconds in result.seconds.items() if name not in OWN_NAMES}


def fastest_peer(result: Result) -> tuple[str, float] | None:
    """The fastest peer, and its time over nnlite's."""
    others = peers_of(result)
    if not others:
        return None
    name = min(others, key=others.__getitem__)
    return name, result.ratio(name)


def contested(results: Iterable[Result]) -> list[Result]:
    """The results in which a peer took part."""
    return [result for result in results if peers_of(result)]
