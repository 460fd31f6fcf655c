"""A step length that satisfies the strong Wolfe conditions (Nocedal, Wright: Numerical Optimization, 3.5), as in PyTorch and minFunc."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from .._core import Tensor

_DECREASE, _CURVATURE = 1e-4, 0.9  # c1 and c2 of the conditions


class Point(NamedTuple):
    """The loss at a step along the direction, its gradient, and its slope along the direction."""

    step: float
    loss: float
    gradient: Tensor
    slope: float


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, step: float, length: float, tolerance: float, most: int
) -> tuple[Point, int]:
    """The point found from a first try at `step`, and the number of evaluations, at most `most` + 1.

    `length` is the largest element of the direction; a bracket that moves no weight by `tolerance` ends the search.
    """
    previous, new = start, evaluate(step)
    tried = 0
    while tried < most:
        is_bracketed = _is_too_high(new, start) or (tried > 1 and new.loss >= previous.loss)
        if not is_bracketed and _is_flat(new, start):
            return new, tried + 1
        if is_bracketed or new.slope >= 0:
            return _zoom(evaluate, start, [previous, new], length, tolerance, most, tried)
        bounds = new.step + 0.01 * (new.step - previous.step), new.step * 10
        previous, new = new, evaluate(_cubic_minimum(previous, new, bounds))
        tried += 1
    return min(start, new, key=lambda point: point.loss), tried + 1


def _zoom(
    evaluate: Callable[[float], Point],
    start: Point,
    bracket: list[Point],
    length: float,
    tolerance: float,
    most: int,
    tried: int,
) -> tuple[Point, int]:
    """Narrows a bracket around a point that satisfies the conditions."""
    low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
    was_near = False
    while tried < most and not abs(bracket[1].step - bracket[0].step) * length < tolerance:
        least, greatest = sorted(point.step for point in bracket)
        step = _cubic_minimum(bracket[0], bracket[1], (least, greatest))
        margin = 0.1 * (greatest - least)
        is_near = min(greatest - step, step - least) < margin
        if is_near and (was_near or step >= greatest or step <= least):  # no progress: away from the end
            step = greatest - margin if abs(step - greatest) < abs(step - least) else least + margin
            is_near = False
        was_near = is_near
        new = evaluate(step)
        tried += 1
        if _is_too_high(new, start) or new.loss >= bracket[low].loss:
            bracket[high] = new
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
            continue
        if _is_flat(new, start):
            return new, tried + 1
        if new.slope * (bracket[high].step - bracket[low].step) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = new
    return bracket[low], tried + 1


def _is_too_high(point: Point, start: Point) -> bool:
    """Whether the loss has not fallen enough (Armijo)."""
    return point.loss > start.loss + _DECREASE * point.step * start.slope


def _is_flat(point: Point, start: Point) -> bool:
    """Whether the slope has fallen enough."""
    return abs(point.slope) <= -_CURVATURE * start.slope


def _cubic_minimum(a: Point, b: Point, bounds: tuple[float, float]) -> float:
    """Where the cubic through two points with their slopes is least within the bounds; their middle if there is none."""
    least, greatest = bounds
    middle = (least + greatest) / 2.0
    if a.step > b.step:
        a, b = b, a
    if a.step == b.step:
        return middle
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return middle
    d2 = math.sqrt(square)
    place = b.step - (b.step - a.step) * _quotient(b.slope + d2 - d1, b.slope - a.slope + 2 * d2)
    return middle if math.isnan(place) else min(max(place, least), greatest)


def _quotient(a: float, b: float) -> float:
    """a / b with IEEE's infinities: a line falls as far as the bounds allow."""
    return a / b if b else math.nan if a == 0 else math.copysign(math.inf, a) * math.copysign(1.0, b)
