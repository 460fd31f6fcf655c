"""The figures that callbacks name: whether they will be there, and which way they are better."""

from collections.abc import Iterable

from ...metrics import METRICS, greater_is_better
from .base import RunningTrainer


def require_mode(mode: str) -> None:
    """ValueError for what is no direction."""
    if mode not in ("auto", "min", "max"):
        raise ValueError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")


def direction(who: str, figure: str, mode: str, trainer: RunningTrainer) -> str:
    """ "min" or "max": as `mode` says, or with "auto" as the figure's metric says; ValueError where neither does."""
    if mode != "auto":
        return mode
    rising = greater_is_better(figure, trainer.metrics)
    if rising is None:
        known = ", ".join(["loss", *METRICS, "top_1, top_2, ..."])
        raise ValueError(
            f"{who} watches {figure!r}, and nothing says whether it is better when larger: pass mode='max' or mode='min', "
            f"or give the metric's function an attribute greater_is_better (known are {known}, each with val_ too)"
        )
    return "max" if rising else "min"


def require_at_start(who: str, names: Iterable[str], trainer: RunningTrainer) -> None:
    """ValueError for a figure that an epoch will not have; one that a callback may add is awaited."""
    figures = trainer.figures
    for name in names:
        if not figures or name in figures or (trainer.more_figures and name != "val_loss"):
            continue
        raise missing(who, name, figures)


def missing(who: str, name: str, figures: Iterable[str]) -> ValueError:
    """The error for a figure that is not there."""
    known = list(figures)
    fix = ""
    if name.startswith("val_") and not any(figure.startswith("val_") for figure in known):
        fix = "; pass validation_data or validation_split to fit"
    elif name.removeprefix("val_") in METRICS:
        fix = f"; make the Trainer with metrics=[{name.removeprefix('val_')!r}]"
    else:
        fix = "; a callback that adds it in on_epoch_end has to stand before this one"
    return ValueError(f"{who} {name!r}, but an epoch has only {', '.join(known)}{fix}")
