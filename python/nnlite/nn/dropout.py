"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import functional
from .module import Module
from .options import require_probability

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._core import Tensor

__all__ = ["AlphaDropout", "Dropout"]


class Dropout(Module):
    """In training, zeroes each element with probability `p` and scales the others by 1 / (1 - p); else the identity.

    Srivastava et al., JMLR 15 (2014). The mask depends on the seed and the number of earlier draws, not on threads.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        require_probability(p)
        self.p = p
        self.inplace = inplace  # accepted as in PyTorch; the result is the same

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return functional.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class AlphaDropout(Dropout):
    """Dropout for SELU: dropped elements take its lower limit, and mean 0 and variance 1 are kept (Klambauer et al. 2017)."""

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return functional.alpha_dropout(input, self.p, self.training)
