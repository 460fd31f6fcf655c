"""The progress bar."""

import sys
from typing import Any


class Progress:
    """Batches done, shown on standard error; nothing at all where not wanted."""

    def __init__(self, wanted: bool | None, epochs: int, batches: int, first_epoch: int) -> None:
        self._batches = batches
        self._first_epoch = first_epoch
        self._bar: Any = None
        if wanted is None:
            wanted = sys.stderr.isatty()
        if wanted:
            from tqdm import tqdm

            self._bar = tqdm(total=epochs * batches, unit="batch", file=sys.stderr, leave=True, dynamic_ncols=True)

    @property
    def shown(self) -> bool:
        """Whether there is a bar."""
        return self._bar is not None

    def at(self, epoch: int, batch: int) -> None:
        """Moves the bar to a position."""
        if self._bar is not None:
            done = (epoch - self._first_epoch) * self._batches + batch
            self._bar.update(done - self._bar.n)

    def epoch_done(self, epoch: int, logs: dict[str, float]) -> None:
        """Shows the figures of an epoch."""
        if self._bar is not None:
            self._bar.set_postfix({key: f"{value:.4g}" for key, value in logs.items()}, refresh=False)
            self.at(epoch + 1, 0)

    def close(self) -> None:
        """Leaves the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
