"""matplotlib's figures: created, shown in notebooks, saved."""

import contextlib
import functools
import io
import os
import sys
from typing import Any

from ..files.atomic import write_atomically

_FORMAT = ".png"  # of a file name without extension


def new_figure(width: float, height: float) -> Any:
    """An empty figure that a notebook shows; ImportError without matplotlib. No window, no pyplot."""
    return _with_picture(_import_figure())(figsize=(width, height), layout="constrained")


@functools.cache
def _with_picture(figure: Any) -> Any:
    class Figure(figure):  # type: ignore[misc]
        """A matplotlib Figure that a notebook shows as a picture."""

        def _repr_png_(self) -> bytes:
            return rendered(self, "png")

    return Figure


def _import_figure() -> Any:
    backend = None if "matplotlib" in sys.modules else os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
        from matplotlib.figure import Figure

        if backend is not None:  # an unknown one would fail the import, and figures need none
            with contextlib.suppress(ValueError):
                matplotlib.rcParams["backend"] = backend
    except ImportError as error:
        if error.name not in (None, "matplotlib", "matplotlib.figure"):
            raise ImportError(f"plots need matplotlib, which cannot be imported: {error}") from error
        raise ImportError("plots need matplotlib: pip install 'nnlite[plot]'") from None
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    return Figure


def rendered(figure: Any, kind: str) -> bytes:
    """The picture as the contents of a file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=120)
    return buffer.getvalue()


def picture_path(path: str | os.PathLike[str]) -> str:
    """The picture's file name, `.png` by default.

    Raises ImportError without matplotlib, ValueError for an unknown format.
    """
    text = os.fsdecode(path)
    ending = os.path.splitext(text)[1]
    known = new_figure(1, 1).canvas.get_supported_filetypes()
    if ending and ending[1:].lower() not in known:
        raise ValueError(f"{text!r}: picture format {ending!r} is unknown; use one of {', '.join(sorted(known))}")
    return text if ending or os.path.isdir(text) else text + _FORMAT


def require_picture(path: str) -> str:
    """The picture's file name; fails now if drawing would fail later (matplotlib, LaTeX, ...)."""
    target = picture_path(path)
    if _kind(target):
        rendered(new_figure(1, 1), _kind(target))
    return target


def _kind(target: str) -> str:
    return os.path.splitext(target)[1][1:].lower()


def save_picture(figure: Any, path: str | os.PathLike[str]) -> str:
    """Writes the picture and returns its file name."""
    target = picture_path(path)
    write_atomically(target, [rendered(figure, _kind(target))], "the picture")
    return target
