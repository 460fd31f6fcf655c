"""Timing on a shared, noisy machine: contestants in turn, several rounds, medians."""

import gc
import itertools
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Repeat = Callable[[int], object]
"""Does its work so many times."""

_LARGEST_GROWTH = (
    16.0  # of the repeats from one attempt to the next: the first attempts are short and therefore inexact
)
_MOST_REPEATS = 10**10  # work that is still too quick ignores them


@dataclass(frozen=True)
class Pace:
    """How long to measure: rounds, and the least seconds of one measurement."""

    rounds: int = 7
    least_seconds: float = 0.02

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"rounds must be at least 1, got {self.rounds}")
        if not self.least_seconds > 0:
            raise ValueError(f"least_seconds must be positive, got {self.least_seconds}")


@dataclass(frozen=True)
class Timing:
    """Seconds of one repetition, measured once a round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure to report."""
        return statistics.median(self.seconds)


def repeated(work: Callable[[], object]) -> Repeat:
    """A function without arguments, called so many times."""

    def run(times: int) -> None:
        for _ in itertools.repeat(None, times):
            work()

    return run


def elapsed(run: Repeat, times: int) -> float:
    """Seconds of `times` repetitions."""
    start = time.perf_counter()
    run(times)
    return time.perf_counter() - start


def calibrate(run: Repeat, least_seconds: float) -> int:
    """The number of repetitions that takes at least `least_seconds`; warms up on the way."""
    run(1)  # costs of the first call: memory, compilation
    times = 1
    while (seconds := elapsed(run, times)) < least_seconds:
        if times > _MOST_REPEATS:
            raise RuntimeError(f"{times:,} repetitions took {seconds} s: does the contestant honour its argument?")
        times = max(2 * times, round(times * min(_LARGEST_GROWTH, 1.2 * least_seconds / max(seconds, 1e-9))))
    return times


def take_turns(contestants: Mapping[str, Repeat], pace: Pace) -> dict[str, Timing]:
    """The time of one repetition of each contestant.

    All run once in every round, so what slows the machine for a while slows all of them; the garbage collector is off.
    """
    times = {name: calibrate(run, pace.least_seconds) for name, run in contestants.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(pace.rounds):
            for name, run in contestants.items():
                seconds[name].append(elapsed(run, times[name]) / times[name])
    finally:
        if collecting:
            gc.enable()
    return {name: Timing(tuple(values)) for name, values in seconds.items()}
