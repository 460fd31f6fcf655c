"""The progress of a fit: a bar on a terminal or in a notebook, or a line per epoch; it never ends the fit."""

import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

Wanted = bool | str | None

_KINDS = {True: "bar", False: "none", "bar": "bar", "lines": "lines"}
_LEAST_BAR = 5  # columns


def kind_of(wanted: Wanted) -> str:
    """ "bar", "notebook", "lines" or "none", from `fit`'s argument; ValueError for anything else."""
    if not (wanted is None or isinstance(wanted, bool) or (isinstance(wanted, str) and wanted in _KINDS)):
        raise ValueError(f"progress must be None, True, False, 'bar' or 'lines', got {wanted!r}")
    kind = _KINDS[wanted] if wanted is not None else "bar" if _is_notebook() or _is_terminal() else "none"
    if kind != "bar":
        return kind
    if sys.stderr is None or os.environ.get("TQDM_DISABLE", "") not in ("", "0"):
        return "none"
    return "notebook" if _is_notebook() else "bar"


def _is_terminal() -> bool:
    """Programs may have replaced standard error by anything."""
    try:
        return bool(sys.stderr.isatty())
    except (AttributeError, ValueError, OSError):  # None, closed, without that method
        return False


def _is_notebook() -> bool:
    try:
        return "IPKernelApp" in sys.modules["IPython"].get_ipython().config
    except (KeyError, AttributeError, TypeError):
        return False


class Progress:
    """What a fit has done, shown on standard error if wanted."""

    def __init__(self, wanted: Wanted, epochs: int, batches: int) -> None:
        self._kind = kind_of(wanted)
        self._epochs = epochs
        self._batches = batches
        self._first = self._last = 0
        self._bar: Any = None
        self._figures: dict[str, str] = {}
        self._start = 0.0
        self._done = 0

    @property
    def shown(self) -> bool:
        """Whether a bar follows the batches."""
        return self._bar is not None

    def begin(self, first_epoch: int, epoch: int, batch: int) -> None:
        """Starts at a position of a fit that began at `first_epoch`; a resumed fit starts later than its first batch."""
        self._first, self._last = first_epoch, first_epoch + self._epochs
        self._done = (epoch - first_epoch) * self._batches + batch
        self._start = time.monotonic()
        if self._kind in ("bar", "notebook"):
            self._show(self._open)

    def at(self, epoch: int, batch: int) -> None:
        """Moves the bar to a position."""
        if self._bar is not None:
            self._show(lambda: self._move(epoch, batch))

    def epoch_done(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Shows the metrics of an epoch."""
        if self._kind == "none":
            return
        self._figures = {key: f"{float(value):.4g}" for key, value in logs.items() if hasattr(value, "__float__")}
        if self._kind == "lines":
            self._show(lambda: self._print_line(epoch))
        elif self._bar is not None:
            self._show(lambda: self._move(epoch + 1, 0))

    def close(self) -> None:
        """Ends the bar, which stays visible."""
        if self._bar is not None:
            self._show(self._bar.close)
            self._bar = None

    def _show(self, action: Callable[[], object]) -> None:
        """Standard error may be closed, full, unread or not a stream: then nothing more is shown."""
        try:
            action()
        except Exception:
            self._kind, bar, self._bar = "none", self._bar, None
            if bar is not None:
                bar.disable = True  # or it tries again when garbage-collected

    def _label(self, epoch: int) -> str:
        return f"epoch {min(epoch + 1, self._last)}/{self._last}"

    def _print_line(self, epoch: int) -> None:
        seconds = time.monotonic() - self._start
        rate = (self._batches * (epoch + 1 - self._first) - self._done) / max(seconds, 1e-9)
        figures = ", ".join(f"{key}={value}" for key, value in self._figures.items())
        if sys.stderr is not None:
            print(f"{self._label(epoch)}: {figures}, {rate:,.0f} batches/s", file=sys.stderr, flush=True)

    def _move(self, epoch: int, batch: int) -> None:
        done = (epoch - self._first) * self._batches + batch
        self._bar.set_description_str(self._label(epoch), refresh=False)
        self._bar.set_postfix_str(" ".join(f"{key}={value}" for key, value in self._figures.items()), refresh=False)
        self._bar.update(done - self._bar.n)

    def _open(self) -> None:
        make = _notebook_bar if self._kind == "notebook" else _terminal_bar
        label = self._label(self._first + self._done // max(self._batches, 1))
        self._bar = make(total=self._epochs * self._batches, initial=self._done, desc=label)
        if self._kind == "bar":
            self._bar.refresh()


def _notebook_bar(**options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets it falls back to text
        from tqdm.auto import tqdm
    layout = "{desc} {percentage:3.0f}% {bar} {postfix} [{elapsed}<{remaining}] {rate_fmt}"
    return tqdm(unit=" batches", file=sys.stderr, bar_format=layout, disable=False, **options)


def _terminal_bar(**options: Any) -> Any:
    from tqdm.std import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        """Fits its line to the width: whole metrics, the bar in the rest."""

        def __str__(self) -> str:
            facts = self.format_dict
            share = facts["n"] / facts["total"] if facts["total"] else 1.0
            width = (facts["ncols"] or shutil.get_terminal_size().columns) - 1
            blocks = " #" if facts["ascii"] is True else " ▏▎▍▌▋▊▉█"
            return line_of(width, self.desc, self.postfix or "", _rate(facts), share, blocks)

    # The delay leaves the first drawing to us: if it failed here, nobody could close the bar.
    return Bar(file=sys.stderr, dynamic_ncols=True, disable=False, delay=1e-9, **options)


def _rate(facts: Mapping[str, Any]) -> str:
    rate = facts["rate"] or (facts["n"] - facts["initial"]) / max(facts["elapsed"], 1e-9)
    left = (facts["total"] - facts["n"]) / rate if rate > 0 else 0.0
    minutes, seconds = divmod(round(left), 60)
    return f"{facts['n']}/{facts['total']}, {minutes:02d}:{seconds:02d} left, {rate:,.0f} batches/s"


def line_of(width: int, begin: str, figures: str, end: str, share: float, blocks: str = " █") -> str:
    """One line: position, bar, metrics, rate; a narrow terminal drops the rate, then the bar.

    A metric is shown whole or not at all.

    >>> line_of(60, "epoch 3/20", "loss=0.51", "3/20, 12 batches/s", 0.15, " #")
    'epoch 3/20 |##                | loss=0.51 3/20, 12 batches/s'
    >>> line_of(30, "epoch 3/20", "loss=0.51 accuracy=0.8", "3/20, 12 batches/s", 0.15)
    'epoch 3/20 loss=0.51'
    """
    for parts in ([begin, figures, end], [begin, figures]):
        text = " ".join(part for part in parts if part)
        room = width - len(text) - 3
        if room >= _LEAST_BAR:
            return " ".join(part for part in [begin, f"|{_bar(room, share, blocks)}|", *parts[1:]] if part)
        if room >= -3:
            return text
    words = figures.split(" ")
    while words and len(" ".join([begin, *words])) > width:
        words.pop()
    return " ".join([begin, *words])[: max(width, 1)]


def _bar(width: int, share: float, blocks: str) -> str:
    eighths = int(share * width * (len(blocks) - 1))
    whole, part = divmod(eighths, len(blocks) - 1)
    return (blocks[-1] * whole + (blocks[part] if part else "")).ljust(width)[:width]
