"""Runs sections, with or without peers."""

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import _core
from . import SECTIONS, calls, functions, kernels, prediction, products, startup, steps
from .countdown import Countdown
from .limits import Limits, measure_limits
from .results import Figure, Peers, Result, Subject, measure
from .timing import Pace

SUBJECTS: Mapping[str, Callable[[bool], list[Subject]]] = {
    "products": products.subjects,
    "functions": functions.subjects,
    "kernels": kernels.subjects,
    "steps": steps.subjects,
    "widths": steps.widths,
    "threads": steps.threads,
    "prediction": prediction.subjects,
    "calls": calls.subjects,
}

# Weights relative to a usual subject, and its contestants and peers, to estimate a run's time.
_LIMITS_WEIGHT, _STARTUP_WEIGHT = 5.0, 10.0
_CONTESTANTS, _PEERS = 3.0, 3.0
_SECONDS_OF_A_START = 10.0


@dataclass(frozen=True)
class Settings:
    """What to run and how."""

    sections: tuple[str, ...] = SECTIONS
    quick: bool = False
    rounds: int = 7
    threads: int = 1
    data: Path | None = None  # a folder with MNIST's files, for the epoch of `startup`

    def __post_init__(self) -> None:
        for section in self.sections:
            if section not in SECTIONS:
                raise ValueError(f"section {section!r} is unknown; use one of {', '.join(SECTIONS)}")
        if self.threads < 1:
            raise ValueError(f"threads must be at least 1, got {self.threads}")

    @property
    def pace(self) -> Pace:
        """Rounds and seconds of a measurement."""
        return Pace(self.rounds, 0.002 if self.quick else 0.02)


@dataclass(frozen=True)
class Report:
    """All that one run found."""

    environment: dict[str, Any]
    limits: Limits
    results: list[Result] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(fields: Mapping[str, Any]) -> "Report":
        """The inverse of `as_dict`, also after JSON."""
        return Report(
            fields["environment"],
            Limits(**fields["limits"]),
            [Result(**result) for result in fields["results"]],
            [Figure(**figure) for figure in fields["figures"]],
        )


def processor_name() -> str:
    """The processor's model as the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def environment(threads: int) -> dict[str, Any]:
    """Where the figures come from."""
    config = _core.show_config()
    return {
        "nnlite": config["version"],
        "instruction set": config["isa"],
        "threads": threads,
        "usable cores": config["cores"],
        "processor": processor_name(),
        "compiler": config["compiler"],
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def run(settings: Settings, peers: Peers | None = None, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Measures the sections in order; `progress` is told each measurement, numbered, and the time left."""
    before, cores = _core.get_num_threads(), _core.show_config()["cores"]
    if settings.threads > cores:
        raise ValueError(f"{settings.threads} threads cannot be measured: this process may use {cores} cores")
    _core.set_num_threads(settings.threads)
    subjects = {name: SUBJECTS[name](settings.quick) for name in settings.sections if name in SUBJECTS}
    if cores < 2 and subjects.pop("threads", None):
        progress("threads: skipped, this process may use one core")
    countdown = _countdown(settings, subjects, peers is not None, progress)
    try:
        countdown.begin("limits", _LIMITS_WEIGHT)
        limits = measure_limits(settings.threads, settings.quick)
        report = Report(environment(settings.threads), limits)
        if "limits" in settings.sections:
            report.figures.extend(limit_figures(limits))
        for section in settings.sections:
            for subject in subjects.get(section, []):
                countdown.begin(f"{section}: {subject.name}", subject.patience)
                report.results.append(measure(subject, limits, settings.pace, peers))
            if section == "startup":
                countdown.begin("startup", _STARTUP_WEIGHT)
                report.figures.extend(startup.figures(settings.threads, settings.quick, settings.data))
    finally:
        _core.set_num_threads(before)
    return report


def _countdown(
    settings: Settings, subjects: Mapping[str, list[Subject]], with_peers: bool, progress: Callable[[str], None]
) -> Countdown:
    """For the limits, the subjects and startup."""
    starting = "startup" in settings.sections
    chosen = [subject for section in subjects.values() for subject in section]
    weight = _LIMITS_WEIGHT + sum(subject.patience for subject in chosen) + _STARTUP_WEIGHT * starting
    # Each contestant is measured in every round; finding its repetitions takes about two more.
    measured = weight * (settings.rounds + 2) * settings.pace.least_seconds
    seconds = measured * _CONTESTANTS * (_PEERS if with_peers else 1) + _SECONDS_OF_A_START * starting
    return Countdown(progress, 1 + len(chosen) + starting, weight, seconds)


def limit_figures(limits: Limits) -> list[Figure]:
    """The limits for the table."""
    return [
        Figure("limits", "peak FMA rate, float32", limits.float32 / 1e9, "GFLOP/s"),
        Figure("limits", "peak FMA rate, float64", limits.float64 / 1e9, "GFLOP/s"),
        Figure("limits", "memory bandwidth of a copy", limits.bandwidth / 1e9, "GB/s"),
    ]
