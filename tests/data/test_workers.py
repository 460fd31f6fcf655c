"""Loaders whose batches other processes make."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info


class Numbers(Dataset[Any]):
    def __len__(self) -> int:
        return 11

    def __getitem__(self, index: int) -> Any:
        info = get_worker_info()
        return index, -1 if info is None else info.id


class Draws(Numbers):
    def __getitem__(self, index: int) -> Any:
        return nl.rand(1).item(), random.random(), np.random.rand()  # noqa: NPY002


class Stream(IterableDataset[int]):
    def __iter__(self) -> Any:
        info = get_worker_info()
        yield from range(10) if info is None else range(info.id, 10, info.num_workers)


class Failing(Numbers):
    def __getitem__(self, index: int) -> Any:
        if index == 5:
            raise KeyError("row five")
        return index


def values(batches: Any) -> list[Any]:
    return [
        [part.tolist() for part in batch] if isinstance(batch, list | tuple) else batch.tolist() for batch in batches
    ]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_batches_and_their_order_are_those_of_one_process(workers: int) -> None:
    alone, loader = DataLoader(Numbers(), batch_size=3), DataLoader(Numbers(), batch_size=3, num_workers=workers)
    for _ in range(2):
        assert [batch[0] for batch in values(loader)] == [batch[0] for batch in values(alone)]
        assert [batch[1][0] for batch in values(loader)] == [i % workers for i in range(4)]
    arrays = TensorDataset(np.arange(10.0), np.arange(10))
    assert values(DataLoader(arrays, 4, num_workers=workers)) == values(DataLoader(arrays, 4))
    assert list(DataLoader(Numbers(), 4, num_workers=workers, collate_fn=len)) == [4, 4, 3]


def test_seeds_decide_the_draws_of_each_process() -> None:
    def drawn(seed: int) -> Any:
        return values(DataLoader(Draws(), 4, num_workers=2, generator=nl.Generator(seed)))

    first = drawn(1)
    assert first == drawn(1)
    assert first != drawn(2)
    assert len({draw for batch in first for part in batch for draw in part}) == 33, "two processes draw the same"


def test_processes_are_begun_by_a_function_of_ones_own() -> None:
    begun = []
    loader = DataLoader(Numbers(), 4, num_workers=2, worker_init_fn=begun.append)
    assert len(list(loader)) == 3
    assert begun == [], "it runs in the processes"
    with pytest.raises(Exception, match="broken|terminated|abruptly"):
        list(DataLoader(Numbers(), 4, num_workers=1, worker_init_fn=lambda number: 1 / number))


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("options", [{"batch_size": 3}, {"batch_size": 3, "drop_last": True}, {"batch_size": None}])
def test_streams_are_read_as_by_pytorch(workers: int, options: dict[str, Any]) -> None:
    class Theirs(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            info = torch.utils.data.get_worker_info()
            yield from range(10) if info is None else range(info.id, 10, info.num_workers)

    ours = DataLoader(Stream(), num_workers=workers, **options)
    theirs = torch.utils.data.DataLoader(Theirs(), num_workers=workers, **options)
    expected = [batch.tolist() if hasattr(batch, "tolist") else batch for batch in theirs]
    assert [batch.tolist() if hasattr(batch, "tolist") else batch for batch in ours] == expected


def test_an_error_in_a_process_reaches_the_caller() -> None:
    with pytest.raises(KeyError, match="row five"):
        list(DataLoader(Failing(), 2, num_workers=2))


def test_leaving_early_leaves_no_process() -> None:
    import multiprocessing

    for _ in DataLoader(Numbers(), 1, num_workers=2):
        break
    deadline = time.monotonic() + 10
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not multiprocessing.active_children()


def test_a_slow_batch_is_given_up() -> None:
    class Slow(Numbers):
        def __getitem__(self, index: int) -> Any:
            time.sleep(2)

    with pytest.raises(TimeoutError):
        next(iter(DataLoader(Slow(), num_workers=1, timeout=0.1)))
