"""Tables of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core import Tensor
from . import functional, init
from .module import Module
from .options import padding_row, shape_of
from .parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Embedding", "EmbeddingBag"]


def table_shape(embeddings: Tensor | ArrayLike) -> tuple[int, int]:
    """Rows and columns of a table; ValueError for anything but two dimensions."""
    shape = shape_of(embeddings)
    if len(shape) != 2:
        raise ValueError(f"embeddings must have two dimensions, got shape {shape}")
    return shape


class Embedding(Module):
    """A table of vectors, looked up by index.

    Shapes: indices of any shape S, weight (num_embeddings, embedding_dim), output (S, embedding_dim). The weight starts normal;
    the row `padding_idx` starts at zero and gets no gradient. An index outside the table raises IndexError.
    """

    weight: Parameter

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = None if padding_idx is None else padding_row(padding_idx, num_embeddings)
        self.weight = Parameter(np.empty((num_embeddings, embedding_dim), np.float32))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Re-initialises the weight."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.detach().numpy()[self.padding_idx] = 0

    @staticmethod
    def largest_parameter(settings: Mapping[str, Any]) -> int:
        return int(settings["num_embeddings"] * settings["embedding_dim"])

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return functional.embedding(input, self.weight, self.padding_idx)

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor | ArrayLike, freeze: bool = True, padding_idx: int | None = None
    ) -> Embedding:
        """A table with a copy of `embeddings` (V, E), not trained if `freeze`."""
        layer = cls(*table_shape(embeddings), padding_idx)
        layer.weight = Parameter(embeddings, not freeze)
        return layer

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class EmbeddingBag(Module):
    """Sum, mean or maximum of an embedding's rows over each bag of indices, without the rows between.

    Shapes: indices (B, N), or (N) with the beginnings `offsets` (B) of the bags; output (B, embedding_dim), zeros for an empty bag.
    `per_sample_weights`, of the indices' shape, multiply the rows of a sum. Rows `padding_idx` do not count.
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> None:
        super().__init__()
        if mode not in ("sum", "mean", "max"):
            raise ValueError(f"EmbeddingBag: mode must be 'sum', 'mean' or 'max', got {mode!r}")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.mode = mode
        self.include_last_offset = include_last_offset
        self.padding_idx = None if padding_idx is None else padding_row(padding_idx, num_embeddings)
        self.weight = Parameter(np.empty((num_embeddings, embedding_dim), np.float32))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the weight."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.detach().numpy()[self.padding_idx] = 0

    @staticmethod
    def largest_parameter(settings: Mapping[str, Any]) -> int:
        return Embedding.largest_parameter(settings)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor | ArrayLike,
        freeze: bool = True,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """Bags of a copy of `embeddings` (V, E), not trained if `freeze`."""
        layer = cls(*table_shape(embeddings), mode, include_last_offset, padding_idx)
        layer.weight = Parameter(embeddings, not freeze)
        return layer

    def forward(
        self,
        input: Tensor | ArrayLike,
        offsets: Tensor | ArrayLike | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        return functional.embedding_bag(
            input, self.weight, offsets, self.mode, per_sample_weights, self.include_last_offset, self.padding_idx
        )

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, mode={self.mode!r}"
