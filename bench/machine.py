"""The number of threads and cores, set before any library is imported that reads it only once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NNLITE_NUM_THREADS")

ALL_CORES = frozenset(os.sched_getaffinity(0))
"""The cores this process could use when it started."""


def confine(threads: int) -> None:
    """Restricts this process, and libraries imported from now on, to `threads` cores and threads."""
    if threads > len(ALL_CORES):
        raise ValueError(f"--threads {threads}: this process may use {len(ALL_CORES)} cores")
    # The last cores: interrupts are usually served by the first.
    os.sched_setaffinity(0, sorted(ALL_CORES)[-threads:])
    for name in _THREADS:
        os.environ[name] = str(threads)
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["JAX_PLATFORMS"] = "cpu"


@contextmanager
def all_cores() -> Iterator[None]:
    """Child processes started inside may use all cores: they inherit this thread's affinity."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, ALL_CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def without_thread_limits(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child process with the default number of threads."""
    return {name: value for name, value in environment.items() if name not in _THREADS}
