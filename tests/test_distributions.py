"""Distributions against PyTorch's: log_prob, entropy and gradients; samples by their frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl

RNG = np.random.default_rng(0)
LOGITS, PROBS = RNG.standard_normal((4, 3)), RNG.uniform(0.05, 0.95, (4, 3))
CASES: list[tuple[str, dict[str, Any], Any]] = [
    ("Categorical", {"logits": LOGITS}, np.array([0, 2, 1, 1])),
    ("Categorical", {"probs": PROBS}, np.array([[0, 2, 1, 1], [2, 2, 0, 1]])),
    ("Categorical", {"logits": LOGITS[0]}, np.array([0, 2, 1, 1])),
    ("Bernoulli", {"logits": LOGITS}, np.round(PROBS)),
    ("Bernoulli", {"probs": PROBS}, np.round(PROBS)),
    ("Normal", {"loc": LOGITS, "scale": PROBS}, RNG.standard_normal((2, 4, 3))),
]


def made(library: Any, name: str, options: dict[str, Any]) -> tuple[Any, list[Any]]:
    tensors = {key: library.tensor(value, requires_grad=True) for key, value in options.items()}
    return getattr(library.distributions, name)(**tensors), list(tensors.values())


@pytest.mark.parametrize(("name", "options", "value"), CASES)
def test_log_prob_and_entropy_and_their_gradients(name: str, options: dict[str, Any], value: Any) -> None:
    results = []
    for library in (nl, torch):
        distribution, parameters = made(library, name, options)
        log_prob, entropy = distribution.log_prob(library.tensor(value)), distribution.entropy()
        (log_prob.sum() + (entropy**2).sum()).backward()
        results.append([x.detach().numpy() for x in (log_prob, entropy, *(p.grad for p in parameters))])
    for ours, theirs in zip(*results, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "options", "value"), CASES)
def test_samples_have_the_means(name: str, options: dict[str, Any], value: Any) -> None:
    nl.manual_seed(0)
    ours, theirs = made(nl, name, options)[0], made(torch, name, options)[0]
    count = 40_000
    drawn = ours.sample((count,))
    few = theirs.sample((2,))
    assert drawn.shape[1:] == tuple(few.shape[1:])
    assert str(few.dtype).endswith(str(drawn.dtype))
    sample = drawn.numpy()
    if name == "Categorical":
        sample, mean = sample[..., None] == np.arange(3), theirs.probs.detach().numpy()
    else:
        mean = theirs.mean.detach().numpy()
    np.testing.assert_allclose(sample.mean(0), mean, atol=5 / np.sqrt(count))  # five standard errors of at most 1
    assert not drawn.requires_grad


def test_a_sample_of_a_normal_has_gradients_where_asked() -> None:
    distribution, (loc, scale) = made(nl, "Normal", CASES[-1][1])
    noise = (distribution.rsample() - loc).detach() / scale.detach()
    nl.manual_seed(1)
    distribution.rsample().sum().backward()
    nl.manual_seed(1)
    noise = (distribution.rsample().detach() - loc.detach()) / scale.detach()
    np.testing.assert_allclose(loc.grad.numpy(), 1)
    np.testing.assert_allclose(scale.grad.numpy(), noise.numpy(), rtol=1e-9)


def test_bad_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="probs or logits"):
        nl.distributions.Categorical()
    with pytest.raises(ValueError, match="probability out of range"):
        nl.distributions.Bernoulli(probs=nl.tensor([0.5, -0.1]))
    with pytest.raises(ValueError, match="scales above 0"):
        nl.distributions.Normal(0.0, nl.tensor([1.0, 0.0]))
