"""Batches of a dataset."""

import operator
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..descriptions import described
from .collate import default_collate
from .dataset import Subset, TensorDataset, require_dataset, require_generator, take, whole_rows

Rows = NDArray[np.int64]

# PyTorch's options that have no effect here, with the only value accepted.
_WITHOUT_EFFECT = {
    "num_workers": 0, "pin_memory": False, "timeout": 0, "worker_init_fn": None, "multiprocessing_context": None,
    "prefetch_factor": None, "persistent_workers": False, "pin_memory_device": "", "in_order": True, "batch_sampler": None,
}  # fmt: skip


class DataLoader:
    """Iterates over a dataset in batches of `batch_size` items; the last is shorter unless `drop_last`.

    With `shuffle` and a `seed`, pass e (from 0) uses the order that `Trainer(seed=seed)` uses in epoch e; set `epoch` to
    start elsewhere. Without a seed each pass draws its order from `generator`, by default the one that `nl.manual_seed`
    seeds. A `sampler` is any iterable of keys of the dataset in reading order, instead of `shuffle`.

    A TensorDataset gives tuples of arrays, each by one selection rather than a loop over rows; any other object with `__len__`
    and `__getitem__` is read item by item. Items are collated as by PyTorch's default_collate (arrays and numbers stacked,
    tuples, lists, dictionaries and named tuples entry by entry, strings in lists), or by `collate_fn(items)`. With
    batch_size=None each item is returned as it is, or as `collate_fn(item)` makes it. Batches are copies.

    Raises ValueError or TypeError for a batch size below 1, for anything but a dataset, and for options that nnlite lacks:
    everything runs in the calling process (`num_workers=0`).

    >>> from nnlite.data import DataLoader, TensorDataset
    >>> [x.tolist() for x, in DataLoader(TensorDataset([1, 2, 3]), batch_size=2)]
    [[1, 2], [3]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int | None = None,
        *,
        sampler: Iterable[Any] | None = None,
        collate_fn: Callable[[Any], Any] | None = None,
        generator: _core.Generator | None = None,
        **options: Any,
    ) -> None:
        _refuse(options)
        require_dataset(dataset, by_number=sampler is None)
        if sampler is not None and shuffle:
            raise ValueError("sampler and shuffle=True exclude each other: a sampler determines the order")
        if seed is not None and generator is not None:
            raise ValueError("seed and generator exclude each other: a seed determines the order")
        require_generator(generator)
        if batch_size is None and drop_last:
            raise ValueError("drop_last must be False without batches (batch_size=None)")
        self.dataset = dataset
        self.batch_size = None if batch_size is None else _whole("batch_size", batch_size, 1)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = None if seed is None else _whole("seed", seed, 0)
        self.sampler = sampler
        self.collate_fn = collate_fn
        self.generator = generator
        self.epoch = 0

    def __repr__(self) -> str:
        return described(self)

    def __len__(self) -> int:
        items = len(self.dataset if self.sampler is None else self.sampler)  # type: ignore[arg-type]
        if self.batch_size is None:
            return items
        whole, rest = divmod(items, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        order = iter(self.sampler) if self.sampler is not None else self._order()
        self.epoch += 1
        if self.batch_size is None:
            for key in order:
                item = self.dataset[_plain(key)]
                yield item if self.collate_fn is None else self.collate_fn(item)
            return
        for chosen in _parts(order, self.batch_size):
            if len(chosen) == self.batch_size or not self.drop_last:
                yield self._batch(chosen)

    def _order(self) -> Rows:
        """The row numbers of one pass."""
        size = len(self.dataset)
        if not self.shuffle:
            return np.arange(size)
        if self.seed is not None:
            return _core.permutation(size, self.seed, self.epoch)
        generator = _core.default_generator() if self.generator is None else self.generator
        return generator.permutation(size, "shuffle")

    def _batch(self, chosen: Any) -> Any:
        if self.collate_fn is None and _holds_arrays(self.dataset):
            return take(self.dataset, whole_rows(chosen))
        items = [self.dataset[_plain(key)] for key in chosen]
        return default_collate(items) if self.collate_fn is None else self.collate_fn(items)


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


def _holds_arrays(dataset: Any) -> bool:
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


def _refuse(options: dict[str, Any]) -> None:
    for name, value in options.items():
        if name not in _WITHOUT_EFFECT:
            raise TypeError(f"DataLoader has no option {name!r}")
        if value != _WITHOUT_EFFECT[name]:
            raise ValueError(
                f"DataLoader: {name}={value!r} is not supported: batches are made by indexing, in the calling process"
            )
