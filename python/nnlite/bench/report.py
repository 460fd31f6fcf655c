"""Tables of a report."""

from collections.abc import Sequence

from . import SECTIONS
from .results import OWN, Figure, Result
from .suite import Report


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns, the first aligned left and the others right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def microseconds(seconds: float | None) -> str:
    """With three or more digits."""
    if seconds is None:
        return "-"
    value = 1e6 * seconds
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def results_table(results: Sequence[Result]) -> str:
    """One section: this library's microseconds and share of the limit, then the others' times and ratios to this library's."""
    names = list(dict.fromkeys(name for result in results for name in result.seconds if name != OWN))
    floors = any(result.floor is not None for result in results)
    head = [f"µs per {results[0].unit}", OWN, *(["floor", "share"] if floors else []), *names]
    return aligned([head, *(_row(result, names, floors) for result in results)])


def _row(result: Result, names: Sequence[str], floors: bool) -> list[str]:
    row = [result.name, microseconds(result.own)]
    if floors:
        row += [microseconds(result.floor), "-" if result.share is None else f"{100 * result.share:.1f} %"]
    for name in names:
        there = name in result.seconds
        row.append(f"{microseconds(result.seconds[name])} ({result.ratio(name):.2f}x)" if there else "-")
    return row


def figures_table(figures: Sequence[Figure]) -> str:
    """Single numbers."""
    return aligned([["figure", "value", "unit"], *([f.name, f"{f.value:.4g}", f.unit] for f in figures)])


def text(report: Report) -> str:
    """The whole report, a table for each section."""
    parts = [", ".join(f"{key} {value}" for key, value in report.environment.items())]
    for section in SECTIONS:
        figures = [figure for figure in report.figures if figure.section == section]
        results = [result for result in report.results if result.section == section]
        if figures or results:
            parts.append(f"== {section}")
        if figures:
            parts.append(figures_table(figures))
        if results:
            parts.append(results_table(results))
    return "\n\n".join(parts)
