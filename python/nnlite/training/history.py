"""The history of a fit."""

import base64
import html
import json
import math
import os
from collections.abc import Iterator
from typing import Any

from ..files.strict_json import dumps

_SHOWN = 10  # epochs in a notebook's table


class History:
    """Loss and metrics of each epoch under Keras's keys: `loss`, `accuracy`, `val_loss`, ...

    `history["loss"]` is a list with one value per epoch, `history.epoch` the epochs' numbers, `history.history` the dictionary.
    A notebook shows the last epochs as a table and, with matplotlib, the curves.
    """

    def __init__(self, history: dict[str, list[float]] | None = None, epoch: list[int] | None = None) -> None:
        self.history: dict[str, list[float]] = history or {}
        self.epoch: list[int] = epoch or []

    def append(self, epoch: int, logs: dict[str, float]) -> None:
        """Adds an epoch's values."""
        self.epoch.append(epoch)
        self.amend(logs)

    def amend(self, logs: dict[str, Any]) -> None:
        """Updates the last epoch's values with the numbers in `logs`; missing values are NaN."""
        count = len(self.epoch)
        for key, value in logs.items():
            if hasattr(value, "__float__"):
                values = self.history.setdefault(key, [])
                _fill(values, count)
                values[-1] = float(value)
        for values in self.history.values():
            _fill(values, count)

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
        """The keys."""
        return list(self.history)

    def __repr__(self) -> str:
        last = ", ".join(f"{key}={values[-1]:.4g}" for key, values in self.history.items() if values)
        return f"History({len(self)} epoch{'s' * (len(self) != 1)}{': ' + last if last else ''})"

    def _repr_html_(self) -> str:
        """For notebooks: the last epochs and, with matplotlib, the curves."""
        head = "".join(f"<th>{html.escape(key)}</th>" for key in ("epoch", *self.history))
        rows = "".join(self._html_row(at) for at in range(max(0, len(self) - _SHOWN), len(self)))
        before = f"<p>the last {_SHOWN} of {len(self)} epochs</p>" if len(self) > _SHOWN else ""
        picture = self._repr_png_()
        image = "" if picture is None else f'<img src="data:image/png;base64,{base64.b64encode(picture).decode()}">'
        return f"{before}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{image}"

    def _html_row(self, at: int) -> str:
        columns = [
            values[at - len(self) :][:1] if len(self) - at <= len(values) else [] for values in self.history.values()
        ]
        cells = "".join(f"<td>{values[0]:.4g}</td>" if values else "<td></td>" for values in columns)
        return f"<tr><td>{self.epoch[at]}</td>{cells}</tr>"

    def _repr_png_(self) -> bytes | None:
        """For notebooks: the curves; None without matplotlib or epochs."""
        from ..plots.figure import rendered

        try:
            return rendered(self.plot(), "png") if self.epoch else None
        except ImportError:
            return None

    def to_json(self) -> str:
        """The history as JSON text; NaN and infinity become null."""
        return dumps({"epoch": self.epoch, "history": self.history})

    @classmethod
    def from_json(cls, text: str) -> "History":
        """The inverse of `to_json`, with NaN for null; ValueError for anything else."""
        try:
            value = json.loads(text)
            history = {
                key: [float("nan") if v is None else float(v) for v in values]
                for key, values in value["history"].items()
            }
            return cls(history, [int(epoch) for epoch in value["epoch"]])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"this is not the JSON of a history: {error}") from None

    def to_frame(self) -> Any:
        """A pandas DataFrame with one row per epoch (needs the extra `pandas`)."""
        try:
            import pandas
        except ImportError:
            raise ImportError("to_frame needs pandas: pip install 'nnlite[pandas]'") from None
        return pandas.DataFrame(self.history, index=pandas.Index(self.epoch, name="epoch"))

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Plots each metric, training beside validation; saves the figure to `path` if given (needs the extra `plot`).

        The extension of `path` selects the format; `.png` is the default. Returns the matplotlib Figure. Raises ImportError
        without matplotlib, ValueError for an unknown format or an empty history, OSError if the file cannot be written.
        """
        from ..plots.curves import plot_training

        return plot_training(self, path)


def _fill(values: list[float], count: int) -> None:
    """Adds NaN for epochs without a value."""
    if len(values) < count:
        values += [math.nan] * (count - len(values))
