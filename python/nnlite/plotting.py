"""Pictures of a training, by matplotlib (the extra `plot`)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .history import History

_COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"]


def _figure(panels: int) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("plots need matplotlib: pip install 'nnlite[plot]'") from None
    figure = Figure(figsize=(5 * panels, 4), layout="constrained")
    return figure, np.atleast_1d(figure.subplots(1, panels))


def _curves(history: "History") -> list[str]:
    return [key for key in history.keys() if not key.startswith("val_")] or history.keys()  # noqa: SIM118


def _draw_curve(axes: Any, history: "History", key: str) -> None:
    axes.plot(history.epoch, history[key], color=_COLOURS[0], label="training")
    if f"val_{key}" in history:
        axes.plot(history.epoch, history[f"val_{key}"], color=_COLOURS[1], linestyle="--", label="validation")
        axes.legend(frameon=False)
    axes.set_xlabel("epoch")
    axes.set_ylabel(key)
    axes.spines[["top", "right"]].set_visible(False)


def plot_history(history: "History", path: str | Path | None = None) -> Any:
    """One panel a figure; saved to `path` where given. Returns the matplotlib Figure."""
    return plot_training(history, path)


def plot_training(
    history: "History", path: str | Path | None = None, boundary: tuple[Any, Any, Any] | None = None
) -> Any:
    """The curves, and with boundary=(predict, x, y) for 2-D inputs the regions of the predicted classes."""
    keys = _curves(history)
    if not keys:
        raise ValueError("the history is empty: there is nothing to plot")
    figure, axes = _figure(len(keys) + (boundary is not None))
    for panel, key in zip(axes, keys, strict=False):
        _draw_curve(panel, history, key)
    if boundary is not None:
        _draw_boundary(axes[-1], *boundary)
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


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
