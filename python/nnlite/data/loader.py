"""Batches of a dataset."""

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import _core
from .dataset import Array, take


class DataLoader:
    """Goes through a dataset in batches: tuples of arrays of `batch_size` rows, the last one shorter unless `drop_last`.

    With `shuffle`, the e-th pass (from 0) uses the order that `Trainer(seed=seed)` uses in epoch e; set `epoch` to begin
    elsewhere. A batch of arrays is one selection, not a loop over rows; any other object with `__len__` and `__getitem__`
    is read item by item and stacked. Batches are copies. Raises ValueError or TypeError for a batch size below 1 and for
    what is no dataset.

    >>> from nnlite.data import DataLoader, TensorDataset
    >>> [x.tolist() for x, in DataLoader(TensorDataset([1, 2, 3]), batch_size=2)]
    [[1, 2], [3]]
    """

    def __init__(
        self, dataset: Any, batch_size: int = 1, shuffle: bool = False, drop_last: bool = False, seed: int = 0
    ) -> None:
        if isinstance(dataset, tuple):
            raise TypeError("a tuple is no dataset: use TensorDataset(x, y)")
        if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            raise TypeError(f"a dataset needs __len__ and __getitem__, {type(dataset).__name__} has not both")
        try:
            self.batch_size = operator.index(batch_size)
        except TypeError:
            raise TypeError(f"batch_size must be a whole number, got {batch_size!r}") from None
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.dataset = dataset
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        n = len(self.dataset)
        order = _core.permutation(n, self.seed, self.epoch) if self.shuffle else np.arange(n)
        self.epoch += 1
        for batch in range(len(self)):
            yield take(self.dataset, order[batch * self.batch_size : (batch + 1) * self.batch_size])
