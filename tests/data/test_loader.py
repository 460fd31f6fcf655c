"""Batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_dataset import Doubled, Squares

import nnlite as nl
from nnlite import _core
from nnlite.data import DataLoader, Subset, TensorDataset


@given(st.integers(0, 40), st.integers(1, 45), st.booleans(), st.booleans())
def test_batches_cover_the_rows_once(n: int, size: int, shuffle: bool, drop_last: bool) -> None:
    loader = DataLoader(TensorDataset(np.arange(n), -np.arange(n)), size, shuffle, drop_last=drop_last, seed=3)
    batches = list(loader)
    assert len(batches) == len(loader)
    assert all(len(x) == size for x, _ in batches[:-1])
    rows = [int(row) for x, _ in batches for row in x]
    assert [-int(row) for _, y in batches for row in y] == rows
    kept = n - n % size if drop_last else n
    assert len(rows) == len(set(rows)) == kept
    if not shuffle:
        assert rows == list(range(kept))


def test_each_pass_has_the_order_of_its_epoch() -> None:
    loader = DataLoader(TensorDataset(np.arange(50)), batch_size=7, shuffle=True, seed=11)
    for epoch in range(3):
        assert loader.epoch == epoch
        order = np.concatenate([x for (x,) in loader])
        np.testing.assert_array_equal(order, _core.permutation(50, 11, epoch))
    loader.epoch = 1
    np.testing.assert_array_equal(next(iter(loader))[0], _core.permutation(50, 11, 1)[:7])


def test_items_are_stacked() -> None:
    batches = list(DataLoader(Squares(5), batch_size=2))
    assert [x.shape for x, _ in batches] == [(2, 3), (2, 3), (1, 3)]
    assert batches[1][1].tolist() == [4, 9]


@pytest.mark.parametrize("dataset", [Subset(TensorDataset(np.arange(9)), [8, 1, 4]), Subset(Squares(9), [8, 1, 4])])
def test_subsets(dataset) -> None:
    first = next(iter(DataLoader(dataset, batch_size=2)))
    assert first[-1].tolist() in ([8, 1], [64, 1])


def test_a_subclass_may_change_its_items() -> None:
    assert next(iter(DataLoader(Doubled(np.arange(4)), batch_size=4)))[0].tolist() == [0, 2, 4, 6]


def test_batches_are_copies() -> None:
    rows = np.zeros((4, 2))
    for (batch,) in DataLoader(TensorDataset(rows), batch_size=2):
        batch += 1
    assert not rows.any()


def test_memory_maps(tmp_path) -> None:
    np.save(tmp_path / "x.npy", np.arange(30.0).reshape(10, 3))
    dataset = TensorDataset(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert isinstance(dataset.tensors[0], np.memmap)
    assert [x.sum() for (x,) in DataLoader(dataset, batch_size=5)] == [105, 330]


def test_arrays_are_taken_whole_and_not_row_by_row(monkeypatch) -> None:
    monkeypatch.setattr(TensorDataset, "__getitem__", lambda *_: pytest.fail("read row by row"))
    assert len(list(DataLoader(Subset(TensorDataset(np.arange(9)), range(6)), batch_size=2, shuffle=True))) == 3


@pytest.mark.parametrize(
    ("dataset", "size", "error", "match"),
    [
        (Squares(3), 0, ValueError, "at least 1"),
        (Squares(3), -2, ValueError, "at least 1"),
        (Squares(3), 2.5, TypeError, "integer"),
        ((np.zeros(3), np.zeros(3)), 1, TypeError, r"TensorDataset\(x, y\)"),
        (3, 1, TypeError, "__len__"),
        (iter([1]), 1, TypeError, "__len__"),
    ],
)
def test_errors_of_arguments(dataset, size, error, match) -> None:
    with pytest.raises(error, match=match):
        DataLoader(dataset, batch_size=size)


# The order without a seed


def orders(passes: int = 3, **options) -> list[list[int]]:
    loader = DataLoader(TensorDataset(np.arange(30)), batch_size=7, shuffle=True, **options)
    return [[int(row) for (x,) in loader for row in x] for _ in range(passes)]


def test_manual_seed_decides_the_order() -> None:
    nl.manual_seed(5)
    first = orders()
    nl.manual_seed(5)
    assert orders() == first
    assert len({tuple(order) for order in first}) == 3
    assert orders() != first  # the generator continues
    nl.manual_seed(6)
    assert orders() != first
    nl.manual_seed(5)
    assert orders(seed=5) == first  # as does the trainer's with that seed
    generators = [nl.Generator(9), nl.Generator(9)]
    nl.manual_seed(1)
    expected = orders(generator=generators[0])
    nl.manual_seed(2)
    assert orders(generator=generators[1]) == expected


# PyTorch's options


def test_custom_samplers_and_collate_functions() -> None:
    dataset = TensorDataset(np.arange(10), -np.arange(10))
    batches = list(DataLoader(dataset, batch_size=2, sampler=[7, 1, 1], collate_fn=None))
    assert [x.tolist() for x, _ in batches] == [[7, 1], [1]]
    assert len(DataLoader(dataset, batch_size=2, sampler=[7, 1, 1], drop_last=True)) == 1
    assert list(DataLoader(dataset, batch_size=4, collate_fn=len)) == [4, 4, 2]
    keyed = {"a": 1.5, "b": 2.5}
    assert next(iter(DataLoader(keyed, batch_size=2, sampler=iter(keyed)))).tolist() == [1.5, 2.5]
    assert [b.tolist() for b in DataLoader(Squares(4), 2, sampler=np.array([3, 0]), collate_fn=lambda rows: np.stack([r[0] for r in rows]))] == [[[3] * 3, [0] * 3]]  # fmt: skip


def test_without_batches_items_are_unchanged() -> None:
    loader = DataLoader(Squares(3), batch_size=None)
    assert len(loader) == 3
    assert [y for _, y in loader] == [0, 1, 4]
    assert list(DataLoader(Squares(3), batch_size=None, collate_fn=lambda item: item[1] + 1)) == [1, 2, 5]
    nl.manual_seed(0)
    assert sorted(y for _, y in DataLoader(Squares(3), batch_size=None, shuffle=True)) == [0, 1, 4]


def test_options_without_effect_are_accepted_and_others_refused_by_name() -> None:
    options = {"num_workers": 0, "pin_memory": True, "timeout": 0, "persistent_workers": True, "in_order": False}
    assert len(list(DataLoader(Squares(3), **options))) == 3
    for options, error, match in [
        ({"num_workers": -1}, ValueError, "num_workers must be at least 0, got -1"),
        ({"batch_sampler": [[0]], "batch_size": 2}, ValueError, "batch_sampler determines the batches"),
        ({"sampler": True}, TypeError, "sampler must be an iterable of keys, got True"),
        ({"timeout": -1}, ValueError, "timeout"),
        ({"workers": 2}, TypeError, "'workers'"),
        ({"sampler": [0], "shuffle": True}, ValueError, "sampler"),
        ({"batch_size": None, "drop_last": True}, ValueError, "drop_last"),
    ]:
        with pytest.raises(error, match=match):
            DataLoader(Squares(3), **options)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"generator": 7}, TypeError, "generator must be an nnlite.Generator.*got 7"),
        ({"generator": np.random.default_rng(0)}, TypeError, "generator must be an nnlite.Generator"),
        ({"generator": nl.Generator(0), "seed": 0}, ValueError, "seed and generator exclude each other"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": 1.5}, TypeError, "seed must be an integer or None, got 1.5"),
    ],
)
def test_datasets_that_cannot_be_shuffled(options, error, match) -> None:
    with pytest.raises(error, match=match):
        DataLoader(TensorDataset(np.arange(5)), shuffle=True, **options)


@pytest.mark.parametrize("dataset", [TensorDataset(np.arange(5)), [10, 11, 12, 13, 14]])
@pytest.mark.parametrize("mask", [np.arange(5) > 2, [False, True, True]])
def test_a_mask_is_not_a_sampler(dataset, mask) -> None:
    with pytest.raises(TypeError, match="use np.flatnonzero"):
        list(DataLoader(dataset, batch_size=5, sampler=mask))


def test_a_generator_is_seeded_as_in_pytorch() -> None:
    generator = nl.Generator().manual_seed(7)
    first = orders(2, generator=generator)
    assert first == orders(2, generator=nl.Generator(7))
    assert generator.manual_seed(7) is generator
    assert first == orders(2, generator=generator)
