"""Distributions whose samples reinforcement learning and variational models score, under PyTorch's names.

Samples carry no gradient (but `Normal.rsample`); `log_prob` and `entropy` have gradients with respect to the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from . import _core
from ._core import Tensor
from .ops.sampling import bernoulli, multinomial
from .ops.selection import gather
from .ops.shaping import broadcast_tensors, expand

__all__ = ["Bernoulli", "Categorical", "Normal"]


class _OfChances:
    """Either `probs` or `logits`, the other computed from it."""

    def __init__(self, probs: Any = None, logits: Any = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError(f"{type(self).__name__} needs probs or logits, not both")
        self._given = _core.as_tensor(logits if probs is None else probs)
        self._from_logits = probs is None
        values = self._given.detach()
        if not values.isfinite().logical_or(values == -math.inf).all() or (
            probs is not None and not (values >= 0).all()
        ):
            raise ValueError(f"{type(self).__name__} got a {'logit' if probs is None else 'probability'} out of range")


class Categorical(_OfChances):
    """The classes 0 to k - 1 with probabilities in proportion to `probs` (..., k), or to exp(`logits`).

    >>> import nnlite as nl
    >>> nl.distributions.Categorical(probs=nl.tensor([0.5, 0.5])).entropy().item()
    0.6931471824645996
    """

    @property
    def logits(self) -> Tensor:
        """Normalised: their exponentials add up to 1."""
        return self._given.log_softmax(-1) if self._from_logits else self.probs.log()

    @property
    def probs(self) -> Tensor:
        """They add up to 1."""
        return self._given.softmax(-1) if self._from_logits else self._given / self._given.sum(-1, True)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Classes (*sample_shape, ...)."""
        probs, count = self.probs.detach(), math.prod(sample_shape)
        rows = multinomial(probs.reshape(-1, probs.shape[-1]), count, True)
        return rows.transpose(0, 1).reshape((*sample_shape, *probs.shape[:-1]))

    def log_prob(self, value: Any) -> Tensor:
        """The logarithms of the probabilities of classes."""
        chosen, logits = _core.as_tensor(value).long().unsqueeze(-1), self.logits
        shape = broadcast_tensors(chosen, logits[..., :1])[0].shape[:-1]
        return gather(expand(logits, *shape, logits.shape[-1]), -1, expand(chosen, *shape, 1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """- sum p log p, with 0 log 0 = 0."""
        logits = self.logits
        return -(self.probs * logits.clip(-1e30)).sum(-1)


class Bernoulli(_OfChances):
    """1 with probability `probs`, or sigmoid(`logits`), else 0."""

    @property
    def probs(self) -> Tensor:
        """Of 1."""
        return self._given.sigmoid() if self._from_logits else self._given

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Zeros and ones (*sample_shape, ...)."""
        probs = self.probs.detach()
        return bernoulli(expand(probs, *sample_shape, *probs.shape))

    def log_prob(self, value: Any) -> Tensor:
        """The logarithms of the probabilities of zeros and ones."""
        given, target = broadcast_tensors(self._given, _core.as_tensor(value))
        return -_core.loss("bce_with_logits" if self._from_logits else "bce", given, target, "none")

    def entropy(self) -> Tensor:
        """- p log p - (1 - p) log(1 - p)."""
        return -self.log_prob(self.probs)


class Normal:
    """Normal numbers with mean `loc` and standard deviation `scale`."""

    def __init__(self, loc: Any, scale: Any) -> None:
        self.loc, self.scale = broadcast_tensors(*map(_floating, (loc, scale)))
        if not (self.scale > 0).all():
            raise ValueError("Normal needs scales above 0")

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Numbers (*sample_shape, ...)."""
        return self.rsample(sample_shape).detach()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """loc + scale * noise: with gradients."""
        shape = (*sample_shape, *self.loc.shape)
        noise = _core.default_generator().normal(shape, dtype=self.loc.dtype)
        return self.loc + self.scale * Tensor(noise)

    def log_prob(self, value: Any) -> Tensor:
        """The logarithms of the densities."""
        distance: Tensor = (value - self.loc) / self.scale
        return -(distance * distance) / 2 - self.scale.log() - math.log(2 * math.pi) / 2

    def entropy(self) -> Tensor:
        """(1 + log(2 pi)) / 2 + log scale."""
        spread: Tensor = self.scale.log()
        return spread + (1 + math.log(2 * math.pi)) / 2


def _floating(x: Any) -> Tensor:
    tensor = _core.as_tensor(x) if not isinstance(x, int | float) else Tensor(float(x))
    return tensor if tensor.is_floating_point() else tensor.float()
