"""Orders of rows for a DataLoader, with PyTorch's names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from .. import _core
from .dataset import count_batches, require_generator

T = TypeVar("T", covariant=True)


class Sampler(Generic[T]):
    """Base of samplers: define `__iter__`, which gives keys of a dataset, and `__len__` if known."""

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__()")


class SequentialSampler(Sampler[int]):
    """The rows in order."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """The rows shuffled, or with `replacement` drawn independently; `num_samples` (all) of them.

    Draws from `generator`, by default that of `nl.manual_seed`.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: _core.Generator | None = None,
    ) -> None:
        require_generator(generator)
        self.data_source = data_source
        self.replacement = replacement
        self.generator = generator
        self._count = num_samples
        _require_count("num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many rows a pass gives."""
        return len(self.data_source) if self._count is None else self._count

    def __iter__(self) -> Iterator[int]:
        size, count, generator = len(self.data_source), self.num_samples, self.generator or _core.default_generator()
        if self.replacement:
            yield from (generator.uniform((count,), 0.0, size, np.float64).astype(np.int64) % size).tolist()
            return
        for begin in range(0, count, size):
            yield from generator.permutation(size, "shuffle")[: count - begin].tolist()

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given rows, shuffled at each pass."""

    def __init__(self, indices: Sequence[int], generator: _core.Generator | None = None) -> None:
        require_generator(generator)
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        generator = self.generator or _core.default_generator()
        yield from (self.indices[i] for i in generator.permutation(len(self.indices), "shuffle").tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` rows drawn with probabilities in proportion to `weights` (N); without `replacement` no row twice."""

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: _core.Generator | None = None,
    ) -> None:
        require_generator(generator)
        self.weights = np.asarray(weights, np.float64)
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator
        valid = self.weights.ndim == 1 and bool((self.weights >= 0).all()) and math.isfinite(self.weights.sum())
        if not valid or not self.weights.any():
            raise ValueError(f"weights must be a sequence of finite numbers >= 0, not all 0, got {weights!r}")
        _require_count("num_samples", num_samples)
        if not replacement and num_samples > np.count_nonzero(self.weights):
            raise ValueError(
                f"{num_samples} rows cannot be drawn without replacement from {np.count_nonzero(self.weights)}"
            )

    def __iter__(self) -> Iterator[int]:
        generator = self.generator or _core.default_generator()
        if self.replacement:
            ends = np.cumsum(self.weights)
            draws = generator.uniform((self.num_samples,), 0.0, ends[-1], np.float64)
            last = int(np.flatnonzero(self.weights)[-1])  # a draw may round up to the end
            yield from np.minimum(np.searchsorted(ends, draws, "right"), last).tolist()
            return
        # Row i comes after an exponentially distributed time of rate weights[i] (Efraimidis, Spirakis 2006).
        rows = np.flatnonzero(self.weights)
        draws = generator.uniform(rows.shape, 0.0, 1.0, np.float64)
        times = -_core.unary("log1p", -draws).numpy() / self.weights[rows]
        yield from rows[np.argsort(times, kind="stable")][: self.num_samples].tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[Any]]):
    """Lists of `batch_size` keys of another sampler; the last is shorter unless `drop_last`."""

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        _require_count("batch_size", batch_size)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[Any]]:
        batch: list[Any] = []
        for key in self.sampler:
            batch.append(key)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        return count_batches(len(self.sampler), self.batch_size, self.drop_last)  # type: ignore[arg-type]


def _require_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be an integer >= 1, got {value!r}")
