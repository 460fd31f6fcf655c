"""The metrics that callbacks name: whether they exist, and their direction."""

from collections.abc import Iterable

from ...metrics import METRICS, greater_is_better
from .base import RunningTrainer


def require_mode(mode: str) -> None:
    """ValueError for an unknown mode."""
    if mode not in ("auto", "min", "max"):
        raise ValueError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")


def direction(who: str, figure: str, mode: str, trainer: RunningTrainer) -> str:
    """ "min" or "max": `mode`, or with "auto" the metric's direction; ValueError if that is unknown."""
    if mode != "auto":
        return mode
    rising = greater_is_better(figure, trainer.metrics)
    if rising is None:
        known = ", ".join(["loss", *METRICS, "top_1, top_2, ..."])
        raise ValueError(
            f"{who} watches {figure!r}, whose direction is unknown: pass mode='max' or mode='min', or give the metric's "
            f"function an attribute greater_is_better (known: {known}, also with val_)"
        )
    return "max" if rising else "min"


def require_at_start(who: str, names: Iterable[str], trainer: RunningTrainer) -> None:
    """ValueError for a metric that epochs will not have, unless a callback may add it."""
    figures = trainer.figures
    for name in names:
        if not figures or name in figures or (trainer.more_figures and name != "val_loss"):
            continue
        raise missing(who, name, figures)


def missing(who: str, name: str, figures: Iterable[str]) -> ValueError:
    """The error for a missing metric."""
    known = list(figures)
    fix = ""
    if name.startswith("val_") and not any(figure.startswith("val_") for figure in known):
        fix = "; pass validation_data or validation_split to fit"
    elif name.removeprefix("val_") in METRICS:
        fix = f"; create the Trainer with metrics=[{name.removeprefix('val_')!r}]"
    else:
        fix = "; a callback that adds it in on_epoch_end must come before this one"
    return ValueError(f"{who} {name!r}, but an epoch has only {', '.join(known)}{fix}")
