"""Progress and remaining time of a benchmark run."""

import time
from collections.abc import Callable

_FIRST_ESTIMATES = 3  # measurements before their time predicts the rest


class Countdown:
    """Announces each measurement, numbered, with an estimate of the time left.

    Measurements have weights; `seconds` is the expected total, until finished ones give a better estimate.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        count: int,
        weight: float,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._clock = say, clock
        self._count, self._weight, self._expected = count, weight, seconds
        self._begun, self._done = 0, 0.0
        self._next = 0.0
        self._start = clock()
        say(f"{count} measurements, about {duration(seconds)} on a quiet machine")

    def begin(self, what: str, weight: float = 1.0) -> None:
        """Begins a measurement, and so ends the one before."""
        self._done += self._next
        self._next = weight
        self._begun += 1
        self._say(f"[{self._begun}/{self._count}] {what} (about {duration(self.left())} left)")

    def left(self) -> float:
        """Seconds, at the pace so far."""
        remaining = max(self._weight - self._done, 0.0)
        if self._begun <= _FIRST_ESTIMATES:
            return self._expected * remaining / self._weight
        return (self._clock() - self._start) * remaining / self._done


def duration(seconds: float) -> str:
    """In words, rounded like an estimate.

    >>> from nnlite.bench.countdown import duration
    >>> [duration(seconds) for seconds in (3, 44, 100, 1000, 6000)]
    ['5 s', '45 s', '2 minutes', '17 minutes', '1 h 40 minutes']
    """
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 60 else f"{minutes // 60} h {minutes % 60} minutes"
