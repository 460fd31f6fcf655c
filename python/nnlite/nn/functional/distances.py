"""Distances and similarities of vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..._core import Tensor
from ..options import floating

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Operand = Tensor | ArrayLike

__all__ = ["cosine_similarity", "normalize", "pairwise_distance"]


def _norm(x: Tensor, p: float, dim: int, keepdim: bool) -> Tensor:
    """(sum |x|^p)^(1 / p), the largest |x| for p = inf."""
    if p == 2:
        return (x * x).sum(dim, keepdim).sqrt()
    size = x.abs()
    if p == 1:
        return size.sum(dim, keepdim)
    if math.isinf(p):
        return size.amax(dim, keepdim) if p > 0 else size.amin(dim, keepdim)
    return (size**p).sum(dim, keepdim) ** (1 / p)


def cosine_similarity(x1: Operand, x2: Operand, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """See `nn.CosineSimilarity`; x1 and x2 broadcast."""
    a, b = floating(x1), floating(x2)
    norms = [(x * x).sum(dim).clip(eps * eps).sqrt() for x in (a, b)]
    return (a * b).sum(dim) / (norms[0] * norms[1])


def pairwise_distance(x1: Operand, x2: Operand, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """See `nn.PairwiseDistance`; x1 and x2 broadcast."""
    return _norm(floating(x1) - floating(x2) + eps, p, -1, keepdim)


def normalize(input: Operand, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(norm, eps), the p-norm along `dim`."""
    x = floating(input)
    if p == 2:
        return x / (x * x).sum(dim, True).clip(eps * eps).sqrt()
    return x / _norm(x, p, dim, True).clip(eps)
