"""Rows held back for validation."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.training.rows import Rows
from nnlite.training.splitting import hold_out

X = np.arange(100, dtype=np.float32)[:, None]
SORTED = np.repeat([0, 1, 2, 3], 25)


def parts(target: np.ndarray, share: float, shuffle: bool | str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    train, held = hold_out(Rows((X[: len(target)],), target), share, shuffle, seed)
    return train.inputs[0][:, 0].astype(int), held.inputs[0][:, 0].astype(int)


@pytest.mark.parametrize("shuffle", [False, True, "stratified"])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.33, 0.99])
def test_each_row_is_in_exactly_one_part(shuffle, share):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train, held = parts(SORTED, share, shuffle)
    assert len(held) == int(100 * share)
    assert sorted([*train, *held]) == list(range(100))
    assert (np.diff(train) > 0).all()
    assert (np.diff(held) > 0).all()


def test_the_last_rows_of_a_sorted_table_warn():
    with pytest.warns(UserWarning, match=r"class 3.*shuffle_split=True.*'stratified'"):
        parts(SORTED, 0.25, False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts(SORTED, 0.2, False)
        parts(np.arange(100), 0.2, False)  # numbers, not classes
        parts(SORTED, 0.25, True)


def test_stratified_parts_have_equal_shares():
    target = np.repeat([0, 1, 2], [60, 30, 10])
    _, held = parts(target, 0.2, "stratified")
    assert np.bincount(target[held]).tolist() == [12, 6, 2]
    assert parts(target, 0.2, "stratified", seed=1)[1].tolist() != held.tolist()


def test_random_parts_follow_the_seed():
    assert parts(SORTED, 0.2, True, 3)[1].tolist() == parts(SORTED, 0.2, True, 3)[1].tolist()
    assert parts(SORTED, 0.2, True, 3)[1].tolist() != parts(SORTED, 0.2, True, 4)[1].tolist()


@pytest.mark.parametrize(("share", "shuffle", "match"), [
    (0.2, "random", "False, True or 'stratified'"), (0.001, True, "no row to validate on"), (1.0, True, r"\[0, 1\)"),
    (True, True, r"\[0, 1\)"), ("0.2", True, r"\[0, 1\)"),
])  # fmt: skip
def test_bad_splits(share, shuffle, match):
    with pytest.raises(ValueError, match=match):
        parts(SORTED, share, shuffle)
    with pytest.raises(ValueError, match="one class per row"):
        parts(SORTED.astype(np.float32), 0.2, "stratified")


def test_fit_draws_its_validation_rows():
    model = nn.Linear(1, 4)
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=1e-4), metrics=None)
    history = trainer.fit(X / 100, SORTED, validation_split=0.25, shuffle_split="stratified", progress=False)
    assert "val_loss" in history


@pytest.mark.parametrize("target", [
    np.repeat([0.0, 1.0], [70, 30]), np.repeat([0.0, 1.0], [70, 30])[:, None], np.repeat([-1.0, 1.0], [70, 30]),
    np.repeat(np.eye(2, dtype=np.float32), [70, 30], 0), np.repeat(np.eye(2, dtype=int), [70, 30], 0),
    np.repeat([False, True], [70, 30]),
])  # fmt: skip
def test_binary_and_one_hot_targets_are_classes(target):
    with pytest.warns(UserWarning, match="only those hold the class"):
        parts(target, 0.3, False)
    _, held = parts(target, 0.2, "stratified")
    assert (held < 70).sum() == 14


@pytest.mark.parametrize("target", [
    np.linspace(0, 1, 100), np.repeat([[0.5, 0.5], [0, 1]], 50, 0), np.repeat([[1, 1], [0, 1]], 50, 0), np.zeros((100, 2)),
])  # fmt: skip
def test_quantities_probabilities_and_several_labels_are_not_classes(target):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts(target, 0.5, False)
    with pytest.raises(ValueError, match="one class per row"):
        parts(target, 0.2, "stratified")
