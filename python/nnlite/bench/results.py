"""Subjects, their peers and results."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

from .limits import Limits, flops_of_round, fma_rounds
from .timing import Pace, Repeat, take_turns

_YARDSTICK = "fma"
OWN = "nnlite"
"""The contestant that the others are compared with."""


@dataclass(frozen=True)
class Work:
    """What one repetition does: so many units, and the flops and bytes (read and written) of one of them."""

    units: int = 1
    flops: float = 0.0
    moved: float = 0.0
    dtype: str = "float32"


@dataclass(frozen=True)
class Subject(ABC):
    """One thing to time. Its fields are what a peer needs to do the same."""

    unit: ClassVar[str] = "call"

    @property
    @abstractmethod
    def section(self) -> str:
        """One of SECTIONS."""

    @property
    def patience(self) -> float:
        """How many times longer than usual a measurement of it lasts."""
        return 1.0

    @property
    @abstractmethod
    def name(self) -> str:
        """As tables show it."""

    @abstractmethod
    def work(self) -> Work:
        """What one repetition does."""

    @abstractmethod
    def contestants(self) -> dict[str, Repeat]:
        """This library's ways to do it, the one that counts under OWN."""


Peers = Callable[[Subject], Mapping[str, Repeat]]
"""How others do the same."""


@dataclass(frozen=True)
class Result:
    """Median seconds of one unit by contestant, and the least that the machine's limits allow."""

    section: str
    name: str
    unit: str
    seconds: dict[str, float]
    floor: float | None = None
    limit: str | None = None  # "fma" or "bandwidth": what the floor comes from
    details: dict[str, Any] = field(default_factory=dict)  # the subject's fields

    @property
    def own(self) -> float:
        """This library's seconds."""
        return self.seconds[OWN]

    @property
    def share(self) -> float | None:
        """The part of the limit that is reached; above 1 where data stays in a cache."""
        return None if self.floor is None else self.floor / self.own

    def ratio(self, peer: str) -> float:
        """The peer's time over this library's."""
        return self.seconds[peer] / self.own


@dataclass(frozen=True)
class Figure:
    """A single number."""

    section: str
    name: str
    value: float
    unit: str


def measure(subject: Subject, limits: Limits, pace: Pace, peers: Peers | None = None) -> Result:
    """Times a subject's contestants, and the peers' beside them in the same rounds.

    So is the peak rate of fma, which varies from minute to minute on a shared machine.
    """
    contestants = {**subject.contestants(), **(peers(subject) if peers is not None else {})}
    work = subject.work()
    if work.flops:
        contestants[_YARDSTICK] = fma_rounds(work.dtype)
    timings = take_turns(contestants, replace(pace, least_seconds=subject.patience * pace.least_seconds))
    if work.flops:
        rate = limits.threads * flops_of_round(work.dtype) / timings.pop(_YARDSTICK).median
        limits = replace(limits, float32=rate) if work.dtype == "float32" else replace(limits, float64=rate)
    floor, limit = limits.floor(work.dtype, work.flops, work.moved)
    return Result(
        subject.section,
        subject.name,
        subject.unit,
        {name: timing.median / work.units for name, timing in timings.items()},
        floor or None,
        limit if floor else None,
        asdict(subject),
    )
