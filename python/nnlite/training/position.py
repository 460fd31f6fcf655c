"""Where a fit stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from .arrays import Array
from .loss import LossTotal


@dataclass
class Position:
    """Where a fit stands within an epoch: batches done, their loss, and if wanted their outputs (N, ...) and last rates."""

    batch: int = 0
    loss: LossTotal = field(default_factory=LossTotal)
    outputs: Array | None = None
    rates: dict[str, float] = field(default_factory=dict)
