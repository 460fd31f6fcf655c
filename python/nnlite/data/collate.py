"""Collating the items of a dataset into a batch."""

import copy
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from .. import _core


def as_tensor(array: Any) -> Any:
    """An array of numbers as a tensor of the same memory; anything else as it is."""
    is_array = isinstance(array, np.ndarray) and array.dtype.kind in "biuf"
    return _core.as_tensor(array) if is_array else array


def default_convert(data: Any) -> Any:
    """The arrays in an item, also within tuples, lists and dictionaries, as tensors."""
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    return type(data)(map(default_convert, data)) if type(data) in (tuple, list) else as_tensor(data)


def default_collate(batch: Iterable[Any]) -> Any:
    """Collates items into a batch by PyTorch's rules: entry by entry, arrays and numbers stacked along a new first dimension.

    Tuples give a tuple, lists a list, dictionaries a dictionary, named tuples the same type, strings a list. Raises
    ValueError that names the first item of another shape or size, TypeError for any other type.

    >>> from nnlite.data import default_collate
    >>> default_collate([{"x": [1.0, 2.0], "name": "a"}, {"x": [3.0, 4.0], "name": "b"}])
    {'x': [tensor([1., 3.], dtype=float64), tensor([2., 4.], dtype=float64)], 'name': ['a', 'b']}
    """
    items = list(batch)
    if not items:
        raise ValueError("cannot make a batch of no items")
    first = items[0]
    if isinstance(first, str | bytes):
        return items
    if isinstance(first, Mapping):
        return _mapping(items)
    if isinstance(first, Sequence):
        return _sequence(items)
    return _stacked(items)


def _mapping(items: list[Any]) -> Any:
    first = items[0]
    for i, item in enumerate(items):
        if not isinstance(item, Mapping) or any(key not in item for key in first):
            raise ValueError(
                f"{_ONE_FORM}; the first has the keys {list(first)} and the one at position {i} has {_form(item)}"
            )
    columns = {key: default_collate([item[key] for item in items]) for key in first}
    if isinstance(first, MutableMapping):
        result = copy.copy(first)
        result.update(columns)
        return result
    return columns


def _sequence(items: list[Any]) -> Any:
    first = items[0]
    for i, item in enumerate(items):
        if not isinstance(item, Sequence) or isinstance(item, str | bytes) or len(item) != len(first):
            raise ValueError(
                f"{_ONE_FORM}; the first has {len(first)} entries and the one at position {i} has {_form(item)}"
            )
    columns = [default_collate(column) for column in zip(*items, strict=True)]
    if isinstance(first, tuple):
        return type(first)(*columns) if hasattr(first, "_fields") else tuple(columns)
    return columns


def _stacked(items: list[Any]) -> Any:
    arrays = [np.asarray(item.detach() if hasattr(item, "detach") else item) for item in items]
    for i, array in enumerate(arrays):
        if array.dtype.kind not in "biufcmM":
            raise TypeError(
                f"a batch can hold arrays, numbers, strings, and lists, tuples and dictionaries of them; the item at position {i} "
                f"is a {type(items[i]).__name__}"
            )
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"{_ONE_FORM}; the first has shape {arrays[0].shape} and the one at position {i} has {array.shape}"
            )
    return as_tensor(np.stack(arrays))


_ONE_FORM = "all items of a batch must have the same structure"


def _form(item: Any) -> str:
    if isinstance(item, Mapping):
        return str(list(item))
    return f"{len(item)}" if isinstance(item, Sequence) else f"none: it is a {type(item).__name__}"
