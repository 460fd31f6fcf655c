"""The settings of one fit."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .clipping import NO_CLIPPING, Clipping
from .rows import Rows

_MOST_HASHED = 1 << 27  # bytes of each array, some 0.1 s
_HASHED_AT_ONCE = 1 << 12  # rows


@dataclass(frozen=True)
class Plan:
    """The settings of one `fit`."""

    rows: Rows
    validation: Rows | None
    epochs: int
    batch_size: int
    shuffle: bool
    compile: bool
    drop_last: bool = False
    clipping: Clipping = NO_CLIPPING

    def __post_init__(self) -> None:
        if self.batches == 0:
            raise ValueError(
                f"drop_last=True leaves no batch: {len(self.rows)} rows do not fill one of "
                f"batch_size={self.batch_size}; use a smaller one"
            )

    @property
    def batches(self) -> int:
        return math.ceil(self.used / self.batch_size)

    @property
    def used(self) -> int:
        """The rows that an epoch trains on."""
        return len(self.rows) - (len(self.rows) % self.batch_size if self.drop_last else 0)

    @property
    def in_batches(self) -> Rows:
        """As many rows as an epoch uses."""
        return self.rows.select(slice(0, self.used)) if self.drop_last else self.rows

    def settings(self) -> dict[str, Any]:
        """What must be the same when a fit is resumed; names as a user knows them."""
        return {
            "batch_size": self.batch_size,
            "drop_last": self.drop_last,
            "shuffle": self.shuffle,
            "clip_norm": self.clipping.norm,
            "clip_value": self.clipping.value,
            "the shapes of the data": [list(array.shape) for array in self.rows.arrays()],
            "the hash of the data": self._data_hash,
        }

    @cached_property
    def _data_hash(self) -> str:
        """SHA-256 of the rows to train on; of large data, of evenly spaced rows."""
        digest = hashlib.sha256()
        for array in self.rows.arrays():
            step = max(1, math.ceil(array.nbytes / _MOST_HASHED))
            digest.update(f"{array.dtype.str} {array.shape}\n".encode())
            for begin in range(0, len(array), _HASHED_AT_ONCE * step):
                digest.update(np.ascontiguousarray(array[begin : begin + _HASHED_AT_ONCE * step : step]).data)
        return digest.hexdigest()
