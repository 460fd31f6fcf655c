"""Batches of a dataset."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import _core
from .dataset import Array, Subset, TensorDataset, collate


class DataLoader:
    """Goes through a dataset in batches: tuples of arrays of `batch_size` rows, the last one shorter unless `drop_last`.

    With `shuffle`, the e-th pass (from 0) uses the order that `Trainer(seed=seed)` uses in epoch e. A batch of arrays is one
    selection, not a loop over rows. Datasets are anything with `__len__` and `__getitem__`.

    >>> import nnlite as nl
    >>> [x.tolist() for x, in nl.data.DataLoader(nl.data.TensorDataset([1, 2, 3]), batch_size=2)]
    [[1, 2], [3]]
    """

    def __init__(
        self, dataset: Any, batch_size: int = 1, shuffle: bool = False, drop_last: bool = False, seed: int = 0
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.dataset = dataset
        self.batch_size = batch_size
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
            yield self._batch(order[batch * self.batch_size : (batch + 1) * self.batch_size])

    def _batch(self, rows: Array) -> tuple[Array, ...]:
        dataset = self.dataset
        while isinstance(dataset, Subset):
            rows = dataset.indices[rows]
            dataset = dataset.dataset
        if isinstance(dataset, TensorDataset):
            return tuple(tensor[rows] for tensor in dataset.tensors)
        return collate([dataset[int(row)] for row in rows])
