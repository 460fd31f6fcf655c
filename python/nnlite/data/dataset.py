"""Datasets: rows by number."""

import bisect
import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._core import Tensor
from ..descriptions import brief

Array = np.ndarray[Any, Any]
Rows = NDArray[np.int64]
T = TypeVar("T", covariant=True)


class Dataset(Generic[T]):
    """Base of datasets of rows by number: define `__getitem__` and `__len__`; `a + b` is a ConcatDataset."""

    def __getitem__(self, index: Any) -> T:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__()")

    def __add__(self, other: "Dataset[T]") -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T]):
    """Base of datasets that are read in one order: define `__iter__`.

    Each of a DataLoader's workers reads a copy: take a share of the items by `get_worker_info()`.
    """

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__()")


class TensorDataset(Dataset[tuple[Any, ...]]):
    """Tensors or arrays of equal length; item i is row i of each: `TensorDataset(x, y)`.

    `tensors` are those given, not copied (memory maps too); `dataset[i]` is a tuple of rows, `dataset[1:3]` or
    `dataset[[0, 5]]` of several, tensors of tensors and arrays of arrays. Raises ValueError when the lengths differ.

    >>> from nnlite.data import TensorDataset
    >>> len(TensorDataset([[1.0], [2.0]], [0, 1]))
    2
    """

    def __init__(self, *tensors: ArrayLike | Tensor) -> None:
        if not tensors:
            raise ValueError("TensorDataset needs at least one array")
        self.tensors = tuple(t if isinstance(t, Tensor) else np.asanyarray(t) for t in tensors)
        for i, tensor in enumerate(self.tensors):
            if tensor.ndim == 0 or len(tensor) != len(self.tensors[0]):
                raise ValueError(
                    f"TensorDataset needs arrays of equal length; array 0 has shape {self.tensors[0].shape} and array "
                    f"{i} has shape {tensor.shape}"
                )

    def __repr__(self) -> str:
        return f"TensorDataset({', '.join(map(brief, self.tensors))})"

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(tensor[index] for tensor in self.tensors)


class ConcatDataset(Dataset[Any]):
    """The rows of several datasets, one after the other."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets or any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise ValueError("ConcatDataset needs one or more datasets of rows by number")
        self.cumulative_sizes = np.cumsum([len(dataset) for dataset in self.datasets]).tolist()

    def __repr__(self) -> str:
        return f"ConcatDataset({', '.join(map(brief, self.datasets))})"

    def __len__(self) -> int:
        return int(self.cumulative_sizes[-1])

    def __getitem__(self, index: Any) -> Any:
        row = operator.index(index)
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} is outside a dataset of {len(self)} rows")
        row %= len(self)
        which = bisect.bisect_right(self.cumulative_sizes, row)
        return self.datasets[which][row - (self.cumulative_sizes[which - 1] if which else 0)]


class Subset(Dataset[Any]):
    """The rows `indices` of a dataset, in that order; negative indices count from the end.

    `subset[i]` is one item, `subset[1:3]` a tuple of arrays. Raises TypeError for indices that are not integers,
    IndexError for one out of range.

    >>> from nnlite.data import Subset, TensorDataset
    >>> Subset(TensorDataset([10, 20, 30]), [2, 0])[:]
    (array([30, 10]),)
    """

    def __init__(self, dataset: Any, indices: Sequence[int] | NDArray[np.integer[Any]]) -> None:
        self.dataset = dataset
        self.indices = whole_rows(indices)
        size = len(dataset)
        outside = (self.indices < -size) | (self.indices >= size)
        if outside.any():
            at = int(outside.argmax())
            raise IndexError(f"index {self.indices[at]} at position {at} is outside a dataset of {size} rows")
        self.indices = np.where(self.indices < 0, self.indices + size, self.indices)

    def __repr__(self) -> str:
        return f"Subset({len(self)} rows of {brief(self.dataset)})"

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        chosen = self.indices[index]
        return take(self.dataset, chosen) if isinstance(chosen, np.ndarray) else self.dataset[int(chosen)]


def whole_rows(indices: Any) -> Rows:
    """Row numbers; refuses a mask or fractions, which would silently select other rows."""
    rows = np.asarray(indices)
    if rows.ndim != 1:
        raise TypeError(f"indices must be a sequence of row numbers, got an array of shape {rows.shape}")
    if rows.size and rows.dtype.kind not in "iu":
        fix = "; use np.flatnonzero(mask)" if rows.dtype.kind == "b" else ""
        raise TypeError(f"indices must be integers, got {rows.dtype}{fix}")
    return rows.astype(np.int64)


def take(dataset: Any, rows: Rows) -> tuple[Array, ...]:
    """Rows of a dataset as arrays: one selection for arrays, item by item for anything else."""
    # A subclass may override __getitem__, so only the exact classes take this path.
    while type(dataset) is Subset:
        dataset, rows = dataset.dataset, dataset.indices[rows]
    if type(dataset) is TensorDataset:
        return tuple(np.take(array, rows, axis=0) for array in arrays_of(dataset))
    return collate(dataset[int(row)] for row in rows)


def arrays_of(dataset: Any) -> tuple[Array, ...]:
    """All rows of a dataset as arrays: its own arrays if it holds arrays, else item by item."""
    if type(dataset) is TensorDataset:
        return tuple(t.detach().numpy() if isinstance(t, Tensor) else t for t in dataset.tensors)
    return take(dataset, np.arange(len(dataset)))


def collate(items: Iterable[Any]) -> tuple[Array, ...]:
    """Stacks items (tuples of values, or values) into arrays; ValueError that names the first item that differs.

    A list of arrays is a tuple, a list of numbers a value. TypeError for dictionaries.
    """
    rows = [tuple(item) if has_parts(item) else (item,) for item in items]
    stacks = [[np.asarray(value) for value in row] for row in rows]
    if any(isinstance(value, Mapping) for row in rows[:1] for value in row):
        raise TypeError(
            "items of a dataset must be values or tuples of values, such as (x, y), and the first is a dictionary: "
            "take the values out, or read the dataset with a DataLoader"
        )
    shapes = [tuple(value.shape for value in row) for row in stacks]
    other = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is not None:
        raise ValueError(
            f"all items of a batch must have the same shape; the first has {shapes[0]} and the one at position "
            f"{other} has {shapes[other]}"
        )
    return tuple(np.stack(column) for column in zip(*stacks, strict=True))


def has_parts(item: Any) -> bool:
    """Whether an item of a dataset consists of several values rather than being one."""
    return isinstance(item, tuple) or (isinstance(item, list) and any(getattr(part, "ndim", 0) for part in item))


def require_dataset(dataset: Any, by_number: bool = True) -> None:
    """TypeError for anything but a dataset, or for one that is not indexed by row number if `by_number`."""
    if isinstance(dataset, tuple):
        raise TypeError("a tuple is not a dataset: use TensorDataset(x, y)")
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise TypeError(f"a dataset needs __len__ and __getitem__; {type(dataset).__name__} lacks one of them")
    if not by_number:
        return
    if hasattr(dataset, "iloc"):
        raise TypeError(
            f"a {type(dataset).__name__} is indexed by labels, not by row numbers: use TensorDataset(frame[inputs].to_numpy(), "
            "frame[target].to_numpy())"
        )
    if isinstance(dataset, Mapping) and len(dataset) and 0 not in dataset:
        raise TypeError(
            f"a {type(dataset).__name__} with the keys {', '.join(map(repr, list(dataset)[:3]))} is not a dataset of rows 0, 1, ...: "
            "use TensorDataset(*arrays)"
        )


def count_batches(items: int, batch_size: int, drop_last: bool) -> int:
    """The batches of one pass over so many items."""
    whole, rest = divmod(items, batch_size)
    return whole + (rest > 0 and not drop_last)


def require_generator(generator: Any) -> None:
    """TypeError for anything but an nnlite generator or None."""
    if generator is not None and not isinstance(generator, _core.Generator):
        raise TypeError(f"generator must be an nnlite.Generator, such as Generator(0), got {generator!r}")


def random_split(
    dataset: Any, lengths: Sequence[float], seed: int = 0, generator: _core.Generator | None = None
) -> list[Subset]:
    """Splits a dataset into disjoint parts: `lengths` are counts that add up to its length, or shares that add up to 1.

    With shares, rows left over by rounding go to the first parts, one each, as in PyTorch. The assignment depends only on
    `seed`, or on `generator`, which advances. Raises ValueError for lengths that do not add up, TypeError for anything but a
    dataset (such as a DataFrame) and for lengths that are not a sequence of numbers.

    >>> from nnlite.data import TensorDataset, random_split
    >>> [len(part) for part in random_split(TensorDataset(range(10)), [0.75, 0.25])]
    [8, 2]
    """
    require_dataset(dataset)
    if isinstance(seed, _core.Generator):
        raise TypeError("seed must be an integer; pass a generator by keyword: random_split(..., generator=generator)")
    require_generator(generator)
    counts = _counts(len(dataset), _numbers(lengths))
    order = (_core.Generator(seed) if generator is None else generator).permutation(len(dataset), "split")
    ends = np.cumsum(counts)
    return [Subset(dataset, order[end - count : end]) for count, end in zip(counts, ends, strict=True)]


def _numbers(lengths: Any) -> list[float]:
    try:
        return [operator.index(length) if hasattr(length, "__index__") else float(length) for length in lengths]
    except (TypeError, ValueError):
        raise TypeError(
            f"random_split: lengths must be a list of numbers, such as [0.8, 0.2], got {lengths!r}"
        ) from None


def _counts(n: int, lengths: list[float]) -> list[int]:
    if not all(math.isfinite(length) and length >= 0 for length in lengths):
        raise ValueError(f"random_split: lengths must be finite and non-negative, got {lengths}")
    counts = [int(length) for length in lengths]
    if sum(counts) == n and counts == lengths:
        return counts
    if not lengths or abs(sum(lengths) - 1) > 1e-9:
        raise ValueError(
            f"random_split: lengths {lengths} add up to {sum(lengths)}; use counts that add up to the {n} rows of the "
            "dataset, or shares that add up to 1"
        )
    counts = [int(n * length) for length in lengths]
    for i in range(n - sum(counts)):
        counts[i % len(counts)] += 1
    return counts
