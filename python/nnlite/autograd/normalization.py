"""Derivatives of normalisations, as rules of derivatives.py."""

from __future__ import annotations

import math

from .._core import Tensor
from .recorded import Gradients, Recorded


def _normalized(x: Tensor, dim: int, eps: float) -> tuple[Tensor, Tensor]:
    """(x - mean) / std along a dimension, and 1 / std."""
    centred = x - x.mean(dim, True)
    inverse = 1.0 / ((centred * centred).mean(dim, True) + eps).sqrt()
    return centred * inverse, inverse


def _normalization(node: Recorded, x: Tensor, dim: int, weight: int) -> list[Tensor]:
    """The gradients of x (rows, columns), a weight and a bias by column."""
    x_hat, inverse = _normalized(x, dim, node.attribute("eps"))
    dy = node.gradient.reshape(x.shape)
    scaled = dy * node.input(weight).reshape(-1) if node.shapes[weight] is not None else dy
    dx = inverse * (scaled - scaled.mean(dim, True) - x_hat * (scaled * x_hat).mean(dim, True))
    return [dx, (dy * x_hat).sum(0), dy.sum(0)]


def layer_norm(node: Recorded) -> Gradients:
    """Of rows."""
    shape = node.shapes[0]
    columns = math.prod(shape[len(shape) - node.attribute("normalized_rank") :])
    parts = _normalization(node, node.input(0).reshape(-1, columns), 1, 1)
    return [part.reshape(node.shapes[i]) if node.wanted[i] else None for i, part in enumerate(parts)]


def batch_norm(node: Recorded) -> Gradients:
    """Of columns, by the batch's statistics or the running ones."""
    x, dy = node.input(0), node.gradient
    if node.attribute("training") or node.shapes[1] is None:
        dx, dweight, dbias = _normalization(node, x, 0, 3)
    else:
        inverse = 1.0 / (node.input(2).detach() + node.attribute("eps")).sqrt()
        x_hat = (x - node.input(1).detach()) * inverse
        dx = dy * inverse * node.input(3) if node.shapes[3] is not None else dy * inverse
        dweight, dbias = (dy * x_hat).sum(0), dy.sum(0)
    return [dx, None, None, dweight, dbias, None]
