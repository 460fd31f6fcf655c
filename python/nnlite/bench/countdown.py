"""How far a run of benchmarks is, and how long it goes on."""

import time
from collections.abc import Callable

_FIRST_ESTIMATES = 3  # things done before their time says something of the rest


class Countdown:
    """Says each thing that begins, counted, with an estimate of the time that is left.

    Things have weights; `seconds` is what all of them together are expected to take, until those that are done tell better.
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
        """The thing before has ended; this one begins."""
        self._done += self._next
        self._next = weight
        self._begun += 1
        self._say(f"[{self._begun}/{self._count}] {what} (about {duration(self.left())} left)")

    def left(self) -> float:
        """Seconds, by the pace so far."""
        remaining = max(self._weight - self._done, 0.0)
        if self._begun <= _FIRST_ESTIMATES:
            return self._expected * remaining / self._weight
        return (self._clock() - self._start) * remaining / self._done


def duration(seconds: float) -> str:
    """In words, not more exact than an estimate is.

    >>> from nnlite.bench.countdown import duration
    >>> [duration(seconds) for seconds in (3, 44, 100, 1000, 6000)]
    ['5 s', '45 s', '2 minutes', '17 minutes', '1 h 40 minutes']
    """
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 60 else f"{minutes // 60} h {minutes % 60} minutes"
