"""Callbacks that log metrics."""

import csv
import os
from pathlib import Path
from typing import Any

from ...files.atomic import require_writable
from .base import Callback, Logs


class CSVLogger(Callback):
    """Writes a row of metrics per epoch, including those of other callbacks.

    A metric that appears later gets a column, empty in earlier rows. OSError at the start of the fit if the file cannot be
    written.
    """

    adds_figures = False

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._begin([])

    def _begin(self, fields: list[str]) -> None:
        self._fields = fields
        self._row: dict[str, Any] = {}
        self._logs: Logs | None = None
        self._row_start = 0  # where the last row begins in the file

    def on_train_begin(self) -> None:
        require_writable(str(self.path), streams=True)
        self._begin([])

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self._amend()
        self._logs = logs
        self._write({"epoch": epoch, **logs})

    def on_train_end(self) -> None:
        self._amend()

    def _amend(self) -> None:
        """Updates the last row with what later callbacks changed."""
        if self._logs is None:
            return
        row = {"epoch": self._row["epoch"], **self._logs}
        if row != self._row:
            os.truncate(self.path, self._row_start)
            self._write(row)

    def _write(self, row: dict[str, Any]) -> None:
        if set(row) - set(self._fields):
            rows = self._rows() if self._fields else []
            self._fields = [*self._fields, *(field for field in row if field not in self._fields)]
            self._write_all(rows)
        self._row = row
        self._row_start = self.path.stat().st_size
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self._fields).writerow(row)

    def _rows(self) -> list[dict[str, str]]:
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))

    def _write_all(self, rows: list[dict[str, str]]) -> None:
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._fields, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)

    def state_dict(self) -> dict[str, Any]:
        self._amend()
        if not self._fields:
            return {"fields": None, "bytes": 0, "rows": 0}
        return {"fields": self._fields, "bytes": self.path.stat().st_size, "rows": len(self._rows())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Drops rows of epochs after the checkpoint, which run again."""
        fields, size = state_dict["fields"], int(state_dict["bytes"])
        self._begin([] if fields is None else list(map(str, fields)))
        if fields is None:
            return
        with self.path.open(newline="") as file:
            is_same = next(csv.reader(file), None) == self._fields
        if is_same:
            os.truncate(self.path, min(size, self.path.stat().st_size))
        else:  # columns were added after the checkpoint
            self._write_all(self._rows()[: int(state_dict["rows"])])
