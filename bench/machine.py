"""One thread where one thread is measured, set before any library is imported that reads it once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NNLITE_NUM_THREADS")

ALL_CORES = frozenset(os.sched_getaffinity(0))
"""The cores that this process could use when it began."""


def confine(threads: int) -> None:
    """Keeps this process, and what it imports from now on, to so many cores and threads."""
    if threads > len(ALL_CORES):
        raise ValueError(f"--threads {threads}: this process may use {len(ALL_CORES)} cores")
    # The last cores: systems serve their interrupts on the first.
    os.sched_setaffinity(0, sorted(ALL_CORES)[-threads:])
    for name in _THREADS:
        os.environ[name] = str(threads)
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["JAX_PLATFORMS"] = "cpu"


@contextmanager
def all_cores() -> Iterator[None]:
    """For child processes that start inside: they inherit what this thread may use."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, ALL_CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def without_thread_limits(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child process that uses more threads."""
    return {name: value for name, value in environment.items() if name not in _THREADS}
