"""The machine's limits, measured beside the work that is compared with them."""

import time
from dataclasses import dataclass

import numpy as np

from .. import _core
from .timing import Repeat, calibrate

_BURST_SECONDS = 0.002  # short enough that some bursts meet no other program


@dataclass(frozen=True)
class Limits:
    """Peak fused multiply-adds of the threads in use (flops per second, two each) and memory bandwidth (bytes per second)."""

    float32: float
    float64: float
    bandwidth: float
    threads: int = 1

    def floor(self, dtype: str, flops: float, moved: float) -> tuple[float, str]:
        """The least seconds for these flops and bytes of memory, and which of the two is the limit."""
        arithmetic = flops / (self.float32 if dtype == "float32" else self.float64)
        memory = moved / self.bandwidth
        return (arithmetic, "fma") if arithmetic >= memory else (memory, "bandwidth")


def fma_rounds(dtype: str) -> Repeat:
    """A contestant whose every repetition is one round of independent chains, the yardstick of all others."""
    return lambda times: _core.fma_burst(dtype, times)


def flops_of_round(dtype: str) -> int:
    """What one repetition of `fma_rounds` does."""
    return _core.fma_burst(dtype, 1)


def fma_peak(dtype: str, bursts: int = 50) -> float:
    """Flops per second of one thread with the instruction set in use: the best of several bursts of independent chains."""
    rounds = calibrate(fma_rounds(dtype), _BURST_SECONDS)
    best = 0.0
    for _ in range(bursts):
        start = time.perf_counter()
        flops = _core.fma_burst(dtype, rounds)
        best = max(best, flops / (time.perf_counter() - start))
    return best


def memory_bandwidth(megabytes: int = 256, copies: int = 7) -> float:
    """Bytes per second, read and written, of copying an array far larger than the caches: the best of several."""
    source = np.ones(megabytes * 2**17)
    target = np.zeros_like(source)
    best = 0.0
    for _ in range(copies):
        start = time.perf_counter()
        np.copyto(target, source)
        best = max(best, 2 * source.nbytes / (time.perf_counter() - start))
    return best


def measure_limits(threads: int = 1, quick: bool = False) -> Limits:
    """The current limits. Threads share the memory, so only the arithmetic scales with them."""
    bursts, megabytes, copies = (10, 64, 2) if quick else (50, 256, 7)
    float32, float64 = (threads * fma_peak(dtype, bursts) for dtype in ("float32", "float64"))
    return Limits(float32, float64, memory_bandwidth(megabytes, copies), threads)
