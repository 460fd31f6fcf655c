"""Holding out rows for validation."""

from __future__ import annotations

import math
import warnings

import numpy as np

from .. import _core
from .arrays import Array
from .rows import Rows

STRATIFIED = "stratified"


def hold_out(rows: Rows, share: float, shuffle: bool | str, seed: int) -> tuple[Rows, Rows]:
    """(rows to train on, rows to validate on): the last `share` of the rows, or a random one.

    `shuffle` True draws the rows by `seed`; "stratified" draws the same share of every class. Both parts keep the order
    of the rows. Warns if only the last rows hold some class, as in a table sorted by class.
    """
    count = len(rows)
    if isinstance(share, bool) or not isinstance(share, int | float | np.number) or not 0 <= share < 1:
        raise ValueError(f"validation_split must be in [0, 1), got {share!r}")
    held = int(count * share)
    if held == 0:
        raise ValueError(f"validation_split={share} of {count} rows leaves no row to validate on")
    if shuffle is True:
        chosen = _core.Generator(seed).permutation(count, "split")[:held]
    elif shuffle is False:
        _warn_of_lost_classes(rows.target, count - held, share)
        return rows.select(slice(0, count - held)), rows.select(slice(count - held, count))
    elif shuffle == STRATIFIED:
        chosen = _stratified(_require_classes(rows.target), share, held, seed)
    else:
        raise ValueError(f"shuffle_split must be False, True or {STRATIFIED!r}, got {shuffle!r}")
    validating = np.zeros(count, bool)
    validating[chosen] = True
    return rows.select(~validating), rows.select(validating)


def _classes(target: Array | None) -> Array | None:
    """The class of each row, from integers, floats of 0 and 1 (or -1 and 1) or one-hot rows; None for other targets."""
    if target is None:
        return None
    marks = (
        bool(((target == 0) | (np.abs(target) == 1)).all()) if target.dtype.kind == "f" else target.dtype.kind in "iub"
    )
    if target.size == len(target):
        return target.reshape(-1) if marks else None
    one_hot = (
        marks and target.ndim == 2 and bool(((target != 0).sum(1) == 1).all()) and bool((target.sum(1) == 1).all())
    )
    return target.argmax(1) if one_hot else None


def _require_classes(target: Array | None) -> Array:
    classes = _classes(target)
    if classes is None:
        what = "no target" if target is None else f"a target of dtype {target.dtype} and shape {target.shape}"
        raise ValueError(
            f"shuffle_split={STRATIFIED!r} needs one class per row as target, an integer or one-hot, got {what}"
        )
    return classes


def _stratified(target: Array, share: float, held: int, seed: int) -> Array:
    """`held` rows: of each class its share rounded down, and one more where the remainder is largest."""
    labels, number, sizes = np.unique(target, return_inverse=True, return_counts=True)
    wanted = sizes * share
    take = np.floor(wanted).astype(int)
    for label in np.argsort(-(wanted - take), kind="stable")[: held - int(take.sum())]:
        take[label] += 1
    order = _core.Generator(seed).permutation(len(target), "split")
    return np.concatenate([order[number[order] == label][: take[label]] for label in range(len(labels))])


def _warn_of_lost_classes(target: Array | None, first: int, share: float) -> None:
    flat = _classes(target)
    if flat is None:
        return
    lost = np.setdiff1d(flat[first:], flat[:first])
    if lost.size and lost.size <= math.sqrt(len(flat)):  # more would be numbers rather than classes
        warnings.warn(
            f"validation_split={share} takes the last rows, and only those hold the class {lost[0]}: the model never "
            f"sees it. Pass shuffle_split=True, or shuffle_split={STRATIFIED!r} for equal shares of every class",
            stacklevel=4,
        )
