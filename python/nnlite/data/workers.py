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


def batches(
    infos: list[WorkerInfo],
    make: Callable[[Any], Fetch],
    tasks: Iterable[Any],
    ahead: int,
    seconds: float | None,
    init: Callable[[int], Any] | None,
    context: Any,
    end: Any,
) -> Iterator[Any]:
    """What the function that `make(dataset)` gives in a process for each of `infos` returns for each task, until `end`.

    Batch i is made by process i % count, so that seeds decide all draws; each has up to `ahead` batches in the making, and
    `seconds` for a batch. Its generators of nnlite, Python and NumPy are seeded.
    """
    if context is None or isinstance(context, str):
        context = multiprocessing.get_context(context or "fork")
    pools = [ProcessPoolExecutor(1, context, _begin, (info, make, init)) for info in infos]
    pending: deque[tuple[int, Future[Any]]] = deque()
    ended: set[int] = set()
    source, number = iter(tasks), 0
    try:
        while True:
            while len(pending) < ahead * len(pools) and len(ended) < len(pools):
                worker, number = number % len(pools), number + 1
                if worker in ended:
                    continue
                task = next(source, source)
                if task is source:
                    break
                pending.append((worker, pools[worker].submit(_work, task)))
            if not pending:
                return
            worker, future = pending.popleft()
            batch = future.result(seconds)
            if batch is end:
                ended.add(worker)
            else:
                yield batch
    finally:
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
