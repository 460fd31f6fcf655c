"""What happened, epoch by epoch."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class History:
    """Figures of each epoch under Keras's keys: `loss`, `accuracy`, `val_loss`, ...

    `history["loss"]` is a list with one value an epoch, `history.epoch` the epochs' numbers, `history.history` the dictionary.
    """

    def __init__(self, history: dict[str, list[float]] | None = None, epoch: list[int] | None = None) -> None:
        self.history: dict[str, list[float]] = history or {}
        self.epoch: list[int] = epoch or []

    def append(self, epoch: int, logs: dict[str, float]) -> None:
        """Adds the figures of an epoch."""
        self.epoch.append(epoch)
        self.amend(logs)

    def amend(self, logs: dict[str, Any]) -> None:
        """Takes over figures of the last epoch, numbers only; where an epoch has no value of a figure, there is NaN."""
        for key, value in logs.items():
            if hasattr(value, "__float__"):
                values = self.history.setdefault(key, [])
                values += [math.nan] * (len(self.epoch) - len(values))
                values[-1] = float(value)
        for values in self.history.values():
            values += [math.nan] * (len(self.epoch) - len(values))

    def __getitem__(self, key: str) -> list[float]:
        if key not in self.history:
            raise KeyError(f"the history has no {key!r}; it has {', '.join(self.history) or 'nothing yet'}")
        return self.history[key]

    def __contains__(self, key: object) -> bool:
        return key in self.history

    def __iter__(self) -> Iterator[str]:
        return iter(self.history)

    def __len__(self) -> int:
        return len(self.epoch)

    def keys(self) -> list[str]:
        """The names of the figures."""
        return list(self.history)

    def __repr__(self) -> str:
        last = ", ".join(f"{key}={values[-1]:.4g}" for key, values in self.history.items() if values)
        return f"History({len(self)} epochs{': ' + last if last else ''})"

    def to_json(self) -> str:
        """The history as JSON text."""
        return json.dumps({"epoch": self.epoch, "history": self.history})

    @classmethod
    def from_json(cls, text: str) -> "History":
        """The history of `to_json`; ValueError for anything else."""
        try:
            value = json.loads(text)
            return cls(
                {k: [float(v) for v in vs] for k, vs in value["history"].items()}, [int(e) for e in value["epoch"]]
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"this is not the JSON of a history: {error}") from None

    def to_frame(self) -> Any:
        """A pandas DataFrame with one row an epoch (the extra `pandas`)."""
        try:
            import pandas
        except ImportError:
            raise ImportError("to_frame needs pandas: pip install 'nnlite[pandas]'") from None
        return pandas.DataFrame(self.history, index=pandas.Index(self.epoch, name="epoch"))

    def plot(self, path: str | Path | None = None) -> Any:
        """Draws the curves, one panel a figure with its validation twin; saves them to `path` if given (the extra `plot`).

        Returns the matplotlib Figure.
        """
        from .plotting import plot_history

        return plot_history(self, path)
