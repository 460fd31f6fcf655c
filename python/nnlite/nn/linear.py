"""Linear, embedding and reshaping layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._core import Tensor
from . import functional, init
from .module import Module
from .options import padding_row
from .parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

__all__ = ["Embedding", "Flatten", "Identity", "Linear"]


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

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
