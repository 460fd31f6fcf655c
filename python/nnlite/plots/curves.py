"""Training curves and class regions."""

import math
import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from .figure import new_figure, save_picture

_COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"]
_COLUMNS = 3
_FEW = 10  # points, each with a marker


class Curves(Protocol):
    """What plots need of a history."""

    @property
    def epoch(self) -> Sequence[int]: ...
    @property
    def history(self) -> dict[str, list[float]]: ...


def plot_training(
    history: Curves,
    path: str | os.PathLike[str] | None = None,
    boundary: tuple[Any, Any, Any] | None = None,
) -> Any:
    """A panel per metric, training beside validation, and with boundary=(predict, x, y) one of the class regions.

    Saved to `path` if given. Returns the matplotlib Figure.
    """
    keys = [key for key in history.history if not key.startswith("val_")] or list(history.history)
    if not keys:
        raise ValueError("the history is empty: there is nothing to plot")
    figure, panels = _grid(len(keys) + (boundary is not None))
    for axes, key in zip(panels, keys, strict=False):
        _draw_curve(axes, history, key)
    if boundary is not None:
        _draw_boundary(panels[-1], *boundary)
    if path is not None:
        save_picture(figure, path)
    return figure


def _grid(count: int) -> tuple[Any, list[Any]]:
    """A figure and its panels, in rows of at most three that are as even as can be."""
    rows = math.ceil(count / _COLUMNS)
    columns = math.ceil(count / rows)
    figure = new_figure(5 * columns, 4 * rows)
    return figure, [figure.add_subplot(rows, columns, 1 + at) for at in range(count)]


def _draw_curve(axes: Any, history: Curves, key: str) -> None:
    from matplotlib.ticker import MaxNLocator

    for name, label, colour, line in (
        (key, "training", _COLOURS[0], "-"),
        (f"val_{key}", "validation", _COLOURS[1], "--"),
    ):
        values = history.history.get(name, [])
        if values:  # a metric added or dropped later has fewer values than epochs
            epochs = history.epoch[len(history.epoch) - len(values) :]
            marker = "o" if len(values) <= _FEW else None
            axes.plot(epochs, values, color=colour, linestyle=line, marker=marker, markersize=4, label=label)
    if len(axes.get_lines()) > 1:
        axes.legend(frameon=False)
    axes.set_xlabel("epoch")
    axes.set_ylabel(key)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    if len(history.epoch) == 1:
        axes.set_xticks(history.epoch)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_boundary(axes: Any, predict: Any, x: Any, y: Any) -> None:
    from matplotlib.colors import ListedColormap

    low, high = x.min(0) - 0.2, x.max(0) + 0.2
    columns, rows = (np.linspace(low[i], high[i], 200) for i in (0, 1))
    grid = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2).astype(np.float32)
    classes = int(y.max()) + 1
    colours = ListedColormap([_COLOURS[i % len(_COLOURS)] for i in range(classes)])
    regions = predict(grid).reshape(200, 200)
    axes.imshow(
        regions, extent=(low[0], high[0], low[1], high[1]), origin="lower", cmap=colours, vmin=0, vmax=classes - 1,
        alpha=0.3, aspect="auto", interpolation="nearest",
    )  # fmt: skip
    axes.scatter(x[:, 0], x[:, 1], c=y, cmap=colours, vmin=0, vmax=classes - 1, s=8, linewidths=0)
    axes.set_title("predicted classes", fontsize="medium")
