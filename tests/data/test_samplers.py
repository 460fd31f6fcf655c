"""Samplers and datasets made of others, against PyTorch's where no draw is involved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch.utils.data

import nnlite as nl
import nnlite.utils.data as ours
from nnlite import nn, optim

theirs = torch.utils.data


def rows(sampler: Any, passes: int = 1) -> list[Any]:
    return [list(sampler) for _ in range(passes)]


@pytest.mark.parametrize(
    "make",
    [
        lambda d: d.SequentialSampler(range(5)),
        lambda d: d.BatchSampler(d.SequentialSampler(range(7)), 3, False),
        lambda d: d.BatchSampler(d.SequentialSampler(range(7)), 3, True),
        lambda d: d.BatchSampler(["a", "b"], 1, True),
    ],
)
def test_samplers_without_draws(make: Callable[[Any], Any]) -> None:
    mine, other = make(ours), make(theirs)
    assert (list(mine), len(mine)) == (list(other), len(other))


def test_random_sampler() -> None:
    generator = nl.Generator(3)
    for first in rows(ours.RandomSampler(range(20), generator=generator), 3):
        assert sorted(first) == list(range(20))
    assert rows(ours.RandomSampler(range(20), generator=nl.Generator(3))) == rows(
        ours.RandomSampler(range(20), generator=nl.Generator(3))
    )
    assert sorted(list(ours.RandomSampler(range(4), num_samples=10))[:8]) == sorted([*range(4)] * 2)
    drawn = list(ours.RandomSampler(range(4), replacement=True, num_samples=4000))
    assert np.abs(np.bincount(drawn, minlength=4) - 1000).max() < 150
    assert len(ours.RandomSampler(range(4), num_samples=9)) == 9
    subset = ours.SubsetRandomSampler([5, 7, 9])
    assert sorted(subset) == [5, 7, 9]
    assert len(subset) == 3


@pytest.mark.parametrize("replacement", [True, False])
def test_weights_are_proportions(replacement: bool) -> None:
    weights, first = [1.0, 0.0, 2.0, 5.0], np.zeros(4)
    for seed in range(300):
        drawn = list(ours.WeightedRandomSampler(weights, 3, replacement, generator=nl.Generator(seed)))
        assert len(drawn) == 3
        assert 1 not in drawn
        assert replacement or len(set(drawn)) == 3
        first[drawn[0]] += 1
    assert np.abs(first / 300 - np.array(weights) / 8).max() < 0.08


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: ours.WeightedRandomSampler([1.0, -1.0], 1), "finite numbers >= 0"),
        (lambda: ours.WeightedRandomSampler([0.0, 0.0], 1), "not all 0"),
        (
            lambda: ours.WeightedRandomSampler([1.0, 0.0], 2, replacement=False),
            "2 rows cannot be drawn without replacement from 1",
        ),
        (lambda: ours.WeightedRandomSampler([1.0], 0), "num_samples must be an integer >= 1, got 0"),
        (lambda: ours.RandomSampler([]), "num_samples must be an integer >= 1, got 0"),
        (lambda: ours.BatchSampler([1], 0, False), "batch_size must be an integer >= 1, got 0"),
        (lambda: ours.ConcatDataset([]), "one or more datasets"),
    ],
)
def test_bad_settings_are_named(make: Callable[[], Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        make()


def test_joined_datasets() -> None:
    class Squares(ours.Dataset[int]):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> int:
            return index**2

    joined = Squares() + Squares() + Squares()
    assert isinstance(joined, ours.ConcatDataset)
    assert len(joined) == 9
    assert [joined[i] for i in range(9)] == [0, 1, 4] * 3
    assert joined[-1] == 4
    with pytest.raises(IndexError, match="row 9 .* 9 rows"):
        joined[9]
    loader = ours.DataLoader(joined, batch_sampler=ours.BatchSampler(ours.SequentialSampler(joined), 4, True))
    assert [batch.tolist() for batch in loader] == [[0, 1, 4, 0], [1, 4, 0, 1]]
    assert len(loader) == 2


def test_batches_are_tensors() -> None:
    x, y = np.zeros((4, 2), np.float32), np.arange(4)
    for dataset in (ours.TensorDataset(x, y), list(zip(x, y, strict=True))):
        for batch in ours.DataLoader(dataset, batch_size=2):
            assert [type(part) for part in batch] == [nl.Tensor, nl.Tensor]
    (item, _) = next(iter(ours.DataLoader(ours.TensorDataset(x, y), batch_size=None)))
    assert isinstance(item, nl.Tensor)


X, Y = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32), np.arange(50) % 2


def trained(*data: Any, **options: Any) -> tuple[str, Any]:
    nl.manual_seed(0)
    model = nn.MLP([3, 4, 2])
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), seed=4)
    trainer.fit(*data, epochs=2, progress=False, **options)
    return model.fingerprint(), trainer


@pytest.mark.parametrize("shuffle", [True, False])
def test_fit_takes_a_loader_with_its_settings(shuffle: bool) -> None:
    dataset = ours.TensorDataset(X, Y)
    expected, trainer = trained(X, Y, batch_size=8, shuffle=shuffle, drop_last=True)
    for data in (dataset, ours.Subset(dataset, range(50)), [dataset[i] for i in range(50)]):
        loader = ours.DataLoader(data, batch_size=8, shuffle=shuffle, drop_last=True)
        assert trained(loader)[0] == expected
    assert trainer.evaluate(loader) == trainer.evaluate(X, Y)
    trainer.fit(loader, validation_data=loader, progress=False)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"sampler": [0, 1]}, TypeError, "DataLoader with a sampler"),
        ({"collate_fn": len}, TypeError, "DataLoader with a collate_fn"),
        ({"batch_size": None}, TypeError, "without batches"),
        ({"shuffle": True, "seed": 3}, ValueError, "it is 4, the DataLoader's is 3"),
    ],
)
def test_fit_refuses_a_loader_that_it_cannot_follow(options: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        trained(ours.DataLoader(ours.TensorDataset(X, Y), **options))
