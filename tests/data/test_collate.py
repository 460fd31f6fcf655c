"""Items collated into batches as by PyTorch's default_collate."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nnlite as nl
from nnlite.data import DataLoader, default_collate

Point = namedtuple("Point", ["x", "label"])


def same(ours: Any, theirs: Any) -> None:
    """Compares structure, values and types; PyTorch turns tuples into lists."""
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, nl.Tensor)
        if theirs.dtype in (torch.float32, torch.float64, torch.int64):
            assert ours.dtype == theirs.numpy().dtype
        np.testing.assert_array_equal(ours, theirs.numpy())
    elif isinstance(theirs, dict):
        assert type(ours) is type(theirs)
        assert list(ours) == list(theirs)
        for key, value in theirs.items():
            same(ours[key], value)
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        assert hasattr(ours, "_fields") == hasattr(theirs, "_fields")
        for one, other in zip(ours, theirs, strict=True):
            same(one, other)
    else:
        assert type(ours) is type(theirs)
        assert ours == theirs


def items(depth: int = 2) -> st.SearchStrategy[Any]:
    """Forms of an item: functions of a row's number."""
    leaves = st.sampled_from(
        [
            lambda i: i, lambda i: i / 2, lambda i: i % 2 == 0, lambda i: f"row {i}", lambda i: b"row",
            lambda i: np.full((2, 3), i, np.float32), lambda i: np.int32(i), lambda i: np.float32(i), lambda i: np.zeros(0),
        ]
    )  # fmt: skip
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda fs: lambda i: [f(i) for f in fs]),
            st.lists(inner, min_size=1, max_size=3).map(lambda fs: lambda i: tuple(f(i) for f in fs)),
            st.dictionaries(st.sampled_from("abc"), inner, min_size=1).map(
                lambda fs: lambda i: {k: f(i) for k, f in fs.items()}
            ),
            st.tuples(inner, inner).map(lambda fs: lambda i: Point(fs[0](i), fs[1](i))),
        ),
        max_leaves=6,
    )


@given(items(), st.integers(1, 4))
def test_every_form_of_item(form: Any, size: int) -> None:
    batch = [form(i) for i in range(size)]
    same(default_collate(batch), torch.utils.data.default_collate(batch))


@pytest.mark.parametrize("make", [OrderedDict, lambda d: defaultdict(list, d), dict])
def test_kinds_of_dictionaries(make) -> None:
    batch = [make({"x": np.ones(2), "n": i}) for i in range(3)]
    same(default_collate(batch), torch.utils.data.default_collate(batch))
    assert batch[0]["n"] == 0


def test_tensors_are_items_too() -> None:
    batch = [{"x": nl.tensor([1.0, 2.0], requires_grad=True), "y": torch.tensor(3)}] * 2
    result = default_collate(batch)
    assert result["x"].tolist() == [[1, 2], [1, 2]]
    assert result["y"].tolist() == [3, 3]


@pytest.mark.parametrize(
    ("batch", "error", "match"),
    [
        ([[1], [1, 2]], ValueError, "1 entries and the one at position 1 has 2"),
        ([(1,), 5], ValueError, "position 1 has none: it is a int"),
        ([{"a": 1}, {"b": 1}], ValueError, r"keys \['a'\] and the one at position 1 has \['b'\]"),
        ([{"x": np.zeros(2)}, {"x": np.zeros(3)}], ValueError, r"shape \(2,\) and the one at position 1 has \(3,\)"),
        ([1, None], TypeError, "position 1 is a NoneType"),
        ([object()], TypeError, "is a object"),
        ([np.array(["a"])], TypeError, "ndarray"),
        ([], ValueError, "no items"),
    ],
)
def test_items_that_cannot_be_collated(batch, error, match) -> None:
    with pytest.raises(error, match=match):
        default_collate(batch)


class Records:
    def __init__(self, form: Any) -> None:
        self.form = form

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        return self.form(index)


@given(items(), st.integers(1, 6), st.booleans())
def test_loaders_give_pytorchs_batches(form: Any, size: int, drop_last: bool) -> None:
    options = {"batch_size": size, "drop_last": drop_last}
    ours, theirs = DataLoader(Records(form), **options), torch.utils.data.DataLoader(Records(form), **options)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        same(one, other)
