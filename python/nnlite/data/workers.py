"""Processes that make a DataLoader's batches."""

from __future__ import annotations

import multiprocessing
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core

Fetch = Callable[[Any], Any]


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker process knows of itself: its number, how many there are, its seed and its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None
_fetch: Fetch | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process of a DataLoader what it knows of itself, elsewhere None."""
    return _info


def _begin(info: WorkerInfo, make: Callable[[Any], Fetch], init: Callable[[int], Any] | None) -> None:
    global _info, _fetch
    _info = info
    _core.set_num_threads(1)
    _core.manual_seed(info.seed)
    random.seed(info.seed)
    np.random.seed(info.seed % 2**32)  # noqa: NPY002 - the user's code may draw from it
    if init is not None:
        init(info.id)
    _fetch = make(info.dataset)


def _work(task: Any) -> Any:
    assert _fetch is not None
    return _fetch(task)


@dataclass(frozen=True)
class Workers:
    """`count` processes, started for each pass; batch i is made by process i % count, so that seeds decide all draws.

    Each has a seed, `seed` + its number, for the generators of nnlite, Python and NumPy.
    """

    count: int
    ahead: int  # batches in the making, for each process
    seconds: float | None  # to wait for a batch
    init: Callable[[int], Any] | None
    context: Any  # of multiprocessing, or its name
    end: Any  # what a process returns after its last batch

    def batches(self, dataset: Any, make: Callable[[Any], Fetch], tasks: Iterable[Any], seed: int) -> Iterator[Any]:
        """What the function that `make(dataset)` gives in the processes makes of each task, until all have ended."""
        context = self.context
        if context is None or isinstance(context, str):
            context = multiprocessing.get_context(context or "fork")
        infos = [WorkerInfo(i, self.count, seed + i, dataset) for i in range(self.count)]
        pools = [ProcessPoolExecutor(1, context, _begin, (info, make, self.init)) for info in infos]
        pending: deque[tuple[int, Future[Any]]] = deque()
        ended: set[int] = set()
        source, number = iter(tasks), 0
        try:
            while True:
                while len(pending) < self.ahead * self.count and len(ended) < self.count:
                    worker, number = number % self.count, number + 1
                    if worker in ended:
                        continue
                    task = next(source, source)
                    if task is source:
                        break
                    pending.append((worker, pools[worker].submit(_work, task)))
                if not pending:
                    return
                worker, future = pending.popleft()
                batch = future.result(self.seconds)
                if batch is self.end:
                    ended.add(worker)
                else:
                    yield batch
        finally:
            for pool in pools:
                pool.shutdown(wait=False, cancel_futures=True)
