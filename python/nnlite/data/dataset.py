"""Datasets: rows by number."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._core import Tensor

Array = np.ndarray[Any, Any]


class TensorDataset:
    """Arrays of one length, row i of each together: `TensorDataset(x, y)`.

    `tensors` are the arrays; `dataset[i]` is a tuple of rows, `dataset[1:3]` or `dataset[[0, 5]]` of arrays. ValueError when the
    lengths differ.

    >>> from nnlite.data import TensorDataset
    >>> len(TensorDataset([[1.0], [2.0]], [0, 1]))
    2
    """

    def __init__(self, *tensors: ArrayLike | Tensor) -> None:
        if not tensors:
            raise ValueError("TensorDataset needs at least one array")
        self.tensors = tuple(t.detach().numpy() if isinstance(t, Tensor) else np.asanyarray(t) for t in tensors)
        for i, tensor in enumerate(self.tensors):
            if tensor.ndim == 0 or len(tensor) != len(self.tensors[0]):
                raise ValueError(
                    f"TensorDataset needs arrays of one length; array 0 has shape {self.tensors[0].shape} and array {i} "
                    f"has shape {tensor.shape}"
                )

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(tensor[index] for tensor in self.tensors)


class Subset:
    """The rows `indices` of a dataset, in that order. IndexError for one that the dataset does not have."""

    def __init__(self, dataset: Any, indices: Sequence[int] | NDArray[np.integer[Any]]) -> None:
        self.dataset = dataset
        self.indices = np.asarray(indices, dtype=np.int64)
        outside = (self.indices < -len(dataset)) | (self.indices >= len(dataset))
        if outside.any():
            at = int(outside.argmax())
            raise IndexError(f"index {self.indices[at]} at position {at} is outside a dataset of {len(dataset)} rows")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        chosen = self.indices[index]
        return self.dataset[chosen if isinstance(chosen, np.ndarray) else int(chosen)]


def arrays_of(dataset: Any) -> tuple[Array, ...]:
    """All rows of a dataset as arrays: taken whole where it holds arrays, else item by item."""
    if isinstance(dataset, TensorDataset):
        return dataset.tensors
    if isinstance(dataset, Subset):
        return tuple(array[dataset.indices] for array in arrays_of(dataset.dataset))
    return collate(dataset[i] for i in range(len(dataset)))


def collate(items: Iterator[Any] | Sequence[Any]) -> tuple[Array, ...]:
    """Single items (tuples of values, or values) stacked into arrays."""
    rows = [item if isinstance(item, tuple) else (item,) for item in items]
    return tuple(np.stack([np.asarray(value) for value in column]) for column in zip(*rows, strict=True))


def random_split(dataset: Any, lengths: Sequence[float], seed: int = 0) -> list[Subset]:
    """Parts of a dataset without overlap: `lengths` are counts that add up to its length, or shares that add up to 1.

    With shares, rows left over by rounding go to the first parts, one each, as in PyTorch.
    """
    n = len(dataset)
    counts = [int(length) for length in lengths]
    if any(length < 0 for length in lengths):
        raise ValueError(f"random_split: lengths must not be negative, got {list(lengths)}")
    if sum(counts) != n and abs(sum(lengths) - 1) < 1e-9:
        counts = [int(n * length) for length in lengths]
        for i in range(n - sum(counts)):
            counts[i % len(counts)] += 1
    if sum(counts) != n:
        raise ValueError(f"random_split: lengths {list(lengths)} add up to {sum(lengths)}; the dataset has {n} rows (or use shares of 1)")
    order = _core.Generator(seed).permutation(n, "split")
    ends = np.cumsum(counts)
    return [Subset(dataset, order[end - count : end]) for count, end in zip(counts, ends, strict=True)]
