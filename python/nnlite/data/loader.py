"""Batches of a dataset."""

import itertools
import operator
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..descriptions import described
from ..tensors import generator_or_default
from .collate import as_tensor, default_collate, default_convert
from .dataset import (
    IterableDataset,
    Subset,
    TensorDataset,
    count_batches,
    require_dataset,
    require_generator,
    take,
    whole_rows,
)

Rows = NDArray[np.int64]


class DataLoader:
    """Iterates over a dataset in batches of `batch_size` items; the last is shorter unless `drop_last`.

    With `shuffle` and a `seed`, pass e (from 0) uses the order that `Trainer(seed=seed)` uses in epoch e; set `epoch` to
    start elsewhere. Without a seed each pass draws its order from `generator`, by default the one that `nl.manual_seed`
    seeds. A `sampler` is any iterable of keys of the dataset in reading order, instead of `shuffle`; a `batch_sampler` one of
    lists of keys, instead of batch_size, shuffle, sampler and drop_last. An IterableDataset is read in its own order.

    A TensorDataset gives tuples of tensors, each by one selection rather than a loop over rows; any other object with `__len__`
    and `__getitem__` is read item by item. Items are collated as by PyTorch's default_collate (arrays and numbers stacked,
    tuples, lists, dictionaries and named tuples entry by entry, strings in lists), or by `collate_fn(items)`. With
    batch_size=None each item is returned as it is, its arrays as tensors, or as `collate_fn(item)` makes it. Batches are copies.

    `num_workers` processes make batches, `prefetch_factor` (2) each ahead; process i is seeded by a number drawn from `generator`
    plus i, then calls `worker_init_fn(i)`. `timeout` is in seconds, 0 for none. `pin_memory`, `persistent_workers` and
    `in_order` change nothing.

    Raises ValueError or TypeError for a batch size below 1, for anything but a dataset, and for options that exclude each other.

    >>> from nnlite.data import DataLoader, TensorDataset
    >>> [x.tolist() for x, in DataLoader(TensorDataset([1, 2, 3]), batch_size=2)]
    [[1, 2], [3]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: _core.Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        seed: int | None = None,
    ) -> None:
        self._is_iterable = isinstance(dataset, IterableDataset)
        if not self._is_iterable:
            require_dataset(dataset, by_number=sampler is None and batch_sampler is None)
        elif shuffle or sampler is not None or batch_sampler is not None:
            raise ValueError(
                "an IterableDataset is read in its own order: leave out shuffle, sampler and batch_sampler"
            )
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError(
                "batch_sampler determines the batches: leave out batch_size, shuffle, sampler and drop_last"
            )
        _require_one_order(shuffle, sampler, batch_sampler, seed, generator)
        if batch_size is None and drop_last:
            raise ValueError("drop_last must be False without batches (batch_size=None)")
        if not timeout >= 0:
            raise ValueError(f"timeout must be at least 0 seconds, got {timeout}")
        self.dataset = dataset
        self.batch_size = None if batch_size is None else _whole("batch_size", batch_size, 1)
        self.shuffle = bool(shuffle)
        self.drop_last = drop_last
        self.seed = None if seed is None else _whole("seed", seed, 0)
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn
        self.generator = generator
        self.num_workers = _whole("num_workers", num_workers, 0)
        self.prefetch_factor = None if prefetch_factor is None else _whole("prefetch_factor", prefetch_factor, 1)
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.epoch = 0

    def __repr__(self) -> str:
        return described(self)

    def __len__(self) -> int:
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        items = len(self.dataset if self.sampler is None else self.sampler)  # type: ignore[arg-type]
        return items if self.batch_size is None else count_batches(items, self.batch_size, self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        tasks = itertools.repeat(None) if self._is_iterable else self._keys()
        self.epoch += 1
        if self.num_workers == 0:
            fetch = self.fetcher(self.dataset)
            return itertools.takewhile(lambda batch: batch is not END, map(fetch, tasks))
        from .workers import WorkerInfo, batches

        count, seed = (
            self.num_workers,
            int(generator_or_default(self.generator).uniform((1,), 0.0, 2.0**31, np.float64)[0]),
        )
        infos = [WorkerInfo(i, count, seed + i, self.dataset) for i in range(count)]
        ahead, seconds = self.prefetch_factor or 2, self.timeout or None
        return batches(
            infos, self.fetcher, tasks, ahead, seconds, self.worker_init_fn, self.multiprocessing_context, END
        )

    def _keys(self) -> Iterator[Any]:
        """The keys of each batch of one pass, or of each item without batches."""
        if self.batch_sampler is not None:
            yield from self.batch_sampler
            return
        order = self._order() if self.sampler is None else iter(self.sampler)
        if self.batch_size is None:
            yield from order
            return
        for chosen in _parts(order, self.batch_size):
            if len(chosen) == self.batch_size or not self.drop_last:
                yield chosen

    def _order(self) -> Rows:
        """The row numbers of one pass."""
        size = len(self.dataset)
        if not self.shuffle:
            return np.arange(size)
        if self.seed is not None:
            return _core.permutation(size, self.seed, self.epoch - 1)
        return generator_or_default(self.generator).permutation(size, "shuffle")

    def fetcher(self, dataset: Any) -> Callable[[Any], Any]:
        """The function that makes a batch of its keys, or in an IterableDataset's turn of none: END after the last."""
        if not self._is_iterable:
            return lambda chosen: self._batch(dataset, chosen)
        items = iter(dataset)
        return lambda _: self._next_batch(items)

    def _batch(self, dataset: Any, chosen: Any) -> Any:
        if self.batch_size is None:
            return self._single(dataset[_plain(chosen)])
        if self.collate_fn is None and holds_arrays(dataset):
            return tuple(map(as_tensor, take(dataset, whole_rows(chosen))))
        return self._collated([dataset[_plain(key)] for key in chosen])

    def _next_batch(self, items: Iterator[Any]) -> Any:
        if self.batch_size is None:
            item = next(items, END)
            return END if item is END else self._single(item)
        chosen = list(islice(items, self.batch_size))
        if not chosen or (self.drop_last and len(chosen) < self.batch_size):
            return END
        return self._collated(chosen)

    def _single(self, item: Any) -> Any:
        return default_convert(item) if self.collate_fn is None else self.collate_fn(item)

    def _collated(self, items: list[Any]) -> Any:
        return default_collate(items) if self.collate_fn is None else self.collate_fn(items)


class _End:
    """What comes after the last batch, in another process too."""

    def __reduce__(self) -> str:
        return "END"


END = _End()


def _require_one_order(shuffle: Any, sampler: Any, batch_sampler: Any, seed: Any, generator: Any) -> None:
    """Refuses keys that are none, and two things that would both determine the order."""
    for name, keys in (("sampler", sampler), ("batch_sampler", batch_sampler)):
        if keys is not None and not hasattr(keys, "__iter__") and not hasattr(keys, "__getitem__"):
            raise TypeError(f"{name} must be an iterable of keys, got {keys!r}")
    if sampler is not None and shuffle:
        raise ValueError("sampler and shuffle=True exclude each other: a sampler determines the order")
    if seed is not None and generator is not None:
        raise ValueError("seed and generator exclude each other: a seed determines the order")
    require_generator(generator)


def _parts(order: Rows | Iterator[Any], size: int) -> Iterator[Any]:
    """The keys of each batch."""
    if isinstance(order, np.ndarray):
        yield from (order[begin : begin + size] for begin in range(0, len(order), size))
        return
    while chosen := list(islice(order, size)):
        yield chosen


def _plain(key: Any) -> Any:
    if isinstance(key, bool | np.bool_):
        raise TypeError("a sampler must give row numbers, not a mask; use np.flatnonzero(mask)")
    return int(key) if isinstance(key, np.integer) else key


def holds_arrays(dataset: Any) -> bool:
    """Whether rows can be selected at once; a subclass may override __getitem__."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    return type(dataset) is TensorDataset


def _whole(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer or None, got {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return number
