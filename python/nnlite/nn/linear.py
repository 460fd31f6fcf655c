"""Linear, embedding and reshaping layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._core import Tensor
from . import functional, init
from .module import Module
from .options import padding_row, shape_of
from .parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

__all__ = ["Bilinear", "Embedding", "EmbeddingBag", "Flatten", "Identity", "Linear", "Unflatten"]


class Linear(Module):
    """y = x W^T + b.

    Shapes: x (..., in_features), weight (out_features, in_features), bias (out_features), y (..., out_features).
    Weight and bias start uniform in [-1/sqrt(in_features), 1/sqrt(in_features)], as in PyTorch.

    >>> from nnlite import nn
    >>> nn.Linear(3, 2)([[1.0, 2.0, 3.0]]).shape
    (1, 2)
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: DTypeLike = np.float32) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise ValueError(f"Linear needs at least 1 feature in and out, got {in_features} and {out_features}")
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(np.empty((out_features, in_features), dtype))
        self.register_parameter("bias", Parameter(np.empty(out_features, dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Re-initialises weight and bias."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features)
            init.uniform_(self.bias, -bound, bound)

    @staticmethod
    def largest_parameter(settings: Mapping[str, Any]) -> int:
        return int(settings["in_features"] * settings["out_features"])

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        return _core.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """y_k = a^T weight_k b + bias_k.

    Shapes: a (..., in1_features), b (..., in2_features), weight (out_features, in1_features, in2_features), y (..., out_features).
    Weight and bias start uniform in [-1/sqrt(in1_features), 1/sqrt(in1_features)].
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        if min(in1_features, in2_features, out_features) < 1:
            raise ValueError(
                f"Bilinear needs at least 1 feature, got {in1_features}, {in2_features} and {out_features}"
            )
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(np.empty((out_features, in1_features, in2_features), np.float32))
        self.register_parameter("bias", Parameter(np.empty(out_features, np.float32)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Re-initialises weight and bias."""
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    @staticmethod
    def largest_parameter(settings: Mapping[str, Any]) -> int:
        return int(settings["in1_features"] * settings["in2_features"] * settings["out_features"])

    def forward(self, input1: Tensor | ArrayLike, input2: Tensor | ArrayLike) -> Tensor:
        return functional.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Identity(Module):
    """Returns its input; takes and ignores any argument."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Flatten(Module):
    """Joins dimensions start_dim ... end_dim into one: (N, 28, 28) becomes (N, 784)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        tensor = input if isinstance(input, Tensor) else Tensor(input)
        return tensor.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits dimension `dim` into the sizes `unflattened_size`, of which one may be -1: (N, 784) becomes (N, 28, 28)."""

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(dim, int):
            raise TypeError(f"Unflatten: dim must be an integer, got {dim!r}; nnlite has no named dimensions")
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, input: Tensor | ArrayLike) -> Tensor:
        tensor = input if isinstance(input, Tensor) else Tensor(input)
        dim = self.dim % max(tensor.ndim, 1)
        return tensor.reshape(*tensor.shape[:dim], *self.unflattened_size, *tensor.shape[dim + 1 :])

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def _table_shape(embeddings: Tensor | ArrayLike) -> tuple[int, int]:
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
        layer = cls(*_table_shape(embeddings), padding_idx)
        layer.weight = Parameter(embeddings, not freeze)
        return layer

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class EmbeddingBag(Embedding):
    """Sum, mean or maximum of an embedding's rows over each bag of indices.

    Shapes: indices (B, N), or (N) with the bags' starts `offsets` (B); output (B, embedding_dim), zeros for an empty bag.
    `per_sample_weights`, of the indices' shape, multiply the rows of a sum. Rows `padding_idx` do not count.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx)
        if mode not in ("sum", "mean", "max"):
            raise ValueError(f"EmbeddingBag: mode must be 'sum', 'mean' or 'max', got {mode!r}")
        self.mode = mode
        self.include_last_offset = include_last_offset

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        embeddings: Tensor | ArrayLike,
        freeze: bool = True,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        layer = cls(*_table_shape(embeddings), mode, include_last_offset, padding_idx)
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
        return f"{super().extra_repr()}, mode={self.mode!r}"
