"""Datasets, subsets and splits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nnlite as nl
from nnlite.data import DataLoader, Subset, TensorDataset, random_split
from nnlite.data.dataset import arrays_of, collate, take

X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10)


class Squares:
    """A dataset that holds no arrays."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.full(3, index, np.float32), index * index


class Doubled(TensorDataset):
    """A subclass that changes its items."""

    def __getitem__(self, index):
        return tuple(2 * value for value in super().__getitem__(index))


def test_rows_are_tuples() -> None:
    dataset = TensorDataset(X, Y)
    assert len(dataset) == 10
    row, label = dataset[3]
    assert row.tolist() == [6, 7]
    assert label == 3
    assert [part.shape for part in dataset[1:4]] == [(3, 2), (3,)]
    assert dataset[[9, 0]][1].tolist() == [9, 0]


def test_tensors_and_lists_are_accepted_and_arrays_not_copied() -> None:
    dataset = TensorDataset(nl.tensor(X.astype(np.float32), requires_grad=True), list(range(10)), X)
    assert [tensor.shape for tensor in dataset.tensors] == [(10, 2), (10,), (10, 2)]
    assert dataset.tensors[2] is X


def test_rows_of_tensors_are_tensors() -> None:
    x, y = nl.tensor(X.astype(np.float32)), nl.tensor(Y)
    dataset = TensorDataset(x, y)
    assert dataset.tensors[0] is x
    for item in (dataset[3], dataset[1:3], Subset(dataset, [0, 3])[1]):
        assert all(isinstance(part, nl.Tensor) for part in item)
    assert dataset[3][0].tolist() == [6, 7]
    assert [part.tolist() for part in next(iter(DataLoader(dataset, batch_size=2)))] == [[[0, 1], [2, 3]], [0, 1]]


@pytest.mark.parametrize("arrays", [(), (X, Y[:9]), (X, np.array(3)), (np.array(3),)])
def test_arrays_of_different_lengths_are_refused(arrays) -> None:
    with pytest.raises(ValueError, match="TensorDataset needs"):
        TensorDataset(*arrays)


def test_subset_selects_in_order_and_nests() -> None:
    outer = Subset(Subset(TensorDataset(X, Y), [9, 7, 5, 3]), [-1, 0])
    assert [item[1] for item in (outer[0], outer[1])] == [3, 9]
    assert outer[:][1].tolist() == [3, 9]
    assert arrays_of(outer)[1].tolist() == [3, 9]


def test_subset_of_items() -> None:
    subset = Subset(Squares(5), np.array([4, -4]))
    assert subset[1][1] == 1  # -4 counts from the end, even where the dataset does not know negative numbers
    assert subset[:][1].tolist() == [16, 1]


@pytest.mark.parametrize(
    ("indices", "error", "match"),
    [
        ([0, 10], IndexError, "index 10 at position 1 is outside a dataset of 10 rows"),
        ([-11], IndexError, "index -11 at position 0"),
        ([True] * 10, TypeError, "flatnonzero"),
        ([0.5], TypeError, "integers"),
        ([[1]], TypeError, "shape"),
        (3, TypeError, "shape"),
    ],
)
def test_subset_refuses_invalid_rows(indices, error, match) -> None:
    with pytest.raises(error, match=match):
        Subset(TensorDataset(X, Y), indices)


def test_an_empty_subset() -> None:
    assert len(Subset(TensorDataset(X, Y), [])) == 0
    assert arrays_of(Subset(TensorDataset(X, Y), []))[0].shape == (0, 2)


def test_a_subclass_may_change_its_items() -> None:
    assert arrays_of(Doubled(X, Y))[1].tolist() == (2 * Y).tolist()
    assert take(Subset(Doubled(X, Y), [4]), np.array([0]))[1].tolist() == [8]


def test_arrays_of_items_are_stacked() -> None:
    x, y = arrays_of(Squares(4))
    assert x.shape == (4, 3)
    assert x.dtype == np.float32
    assert y.tolist() == [0, 1, 4, 9]


@pytest.mark.parametrize(
    "items", [[np.zeros(2), np.zeros(3)], [(1, 2), (1,)], [(np.zeros(2), 1), (np.zeros(2), np.ones(1))]]
)
def test_items_of_different_shapes_are_named(items) -> None:
    with pytest.raises(ValueError, match="the one at position 1 has"):
        collate(items)


@given(st.integers(0, 60), st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 2**64 - 1))
def test_a_split_by_fractions_is_a_partition(n: int, weights: list[int], seed: int) -> None:
    shares = [weight / sum(weights) for weight in weights]
    parts = random_split(TensorDataset(np.arange(n)), shares, seed)
    assert sorted(int(i) for part in parts for i in part.indices) == list(range(n))
    for part, share in zip(parts, shares, strict=True):
        assert abs(len(part) - n * share) <= 1 + 1e-9


def test_split_by_counts() -> None:
    first, second = random_split(TensorDataset(X, Y), [7, 3])
    assert (len(first), len(second)) == (7, 3)
    assert random_split(TensorDataset(X, Y), [10, 0])[1][:][0].shape == (0, 2)


def test_split_rounds_as_pytorch_does() -> None:
    for n, shares in ((10, [0.75, 0.25]), (11, [0.3, 0.3, 0.4]), (7, [0.5, 0.5])):
        theirs = torch.utils.data.random_split(range(n), shares)
        assert [len(part) for part in random_split(TensorDataset(np.arange(n)), shares)] == [len(p) for p in theirs]


def test_split_depends_only_on_the_seed() -> None:
    dataset = TensorDataset(X, Y)
    orders = [random_split(dataset, [10], seed)[0].indices.tolist() for seed in (0, 0, 1)]
    nl.manual_seed(5)
    assert orders[0] == orders[1] == random_split(dataset, [10])[0].indices.tolist()
    assert orders[0] != orders[2]


@pytest.mark.parametrize("lengths", [[7, 4], [0.5, 0.4], [], [-1, 11], [float("nan"), 1], [5.5, 5.5], [float("inf")]])
def test_split_refuses_lengths_that_do_not_add_up(lengths) -> None:
    with pytest.raises(ValueError, match="random_split"):
        random_split(TensorDataset(X, Y), lengths)


class TestWhatIsNoDataset:
    @pytest.mark.parametrize("use", [DataLoader, lambda dataset: random_split(dataset, [0.5, 0.5])])
    def test_frames_and_dictionaries_of_columns(self, use) -> None:
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame({"a": [1.0, 2.0], "b": [0, 1]})
        for value in (frame, frame["a"]):
            with pytest.raises(TypeError, match=r"indexed by labels, not by row numbers: use TensorDataset"):
                use(value)
        with pytest.raises(TypeError, match=r"a dict with the keys 'x', 'y' is not a dataset of rows"):
            use({"x": [1, 2], "y": [0, 1]})
        with pytest.raises(TypeError, match=r"use TensorDataset\(x, y\)"):
            use(([1, 2], [0, 1]))

    def test_invalid_lengths(self) -> None:
        for lengths in (0.8, 8, ["a", "b"], None):
            with pytest.raises(TypeError, match=r"lengths must be a list of numbers, such as \[0.8, 0.2\]"):
                random_split(TensorDataset(range(10)), lengths)


def test_a_generator_splits() -> None:
    dataset = TensorDataset(range(10))
    first, second = (random_split(dataset, [7, 3], generator=nl.Generator(5)) for _ in range(2))
    assert [part.indices.tolist() for part in first] == [part.indices.tolist() for part in second]
    generator = nl.Generator(5)
    splits = [random_split(dataset, [7, 3], generator=generator)[0].indices.tolist() for _ in range(2)]
    assert splits[0] != splits[1]
