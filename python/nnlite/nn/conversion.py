"""Conversion of a module's element type, in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from .._core import Tensor
from ..devices import requested

DType = np.dtype[Any]
C = TypeVar("C", bound="Convertible")

_TYPES: tuple[DType, ...] = (np.dtype(np.float32), np.dtype(np.float64))


def floating_dtype(*args: Any, **kwargs: Any) -> DType | None:
    """The type that arguments of `Module.to` ask for, directly or as a tensor's; None for just the device "cpu"."""
    wanted, _ = requested(*args, **kwargs)
    if wanted is None:
        return None
    for supported in _TYPES:
        if wanted == supported:
            return supported
    raise TypeError(f"a module can be float32 or float64, not {getattr(wanted, '__name__', wanted)}")


def convert(tensors: Iterable[Tensor], dtype: DType) -> None:
    """Gives floating tensors and their gradients the type `dtype`; each stays the same object. All or nothing."""
    pairs = []
    for tensor in tensors:
        for each in (tensor, tensor.grad):
            if each is not None and each.dtype.kind == "f" and each.dtype != dtype:
                pairs.append((each, each.detach().to(dtype)))
    for each, converted in pairs:
        each.data = converted


class Convertible:
    """The methods of a module that change its element type."""

    parameters: Callable[[], Iterable[Tensor]]
    buffers: Callable[[], Iterable[Tensor]]

    def to(self: C, *args: Any, **kwargs: Any) -> C:
        """Makes all floating parameters, buffers and gradients float32 or float64: `to(np.float64)`, `to("float64")`.

        In place: shared tensors stay shared, and an optimizer keeps training them, with its state converted.
        `to("cpu")` changes nothing. Raises TypeError for other types, ValueError for other devices.
        """
        dtype = floating_dtype(*args, **kwargs)
        if dtype is not None:
            convert([*self.parameters(), *self.buffers()], dtype)
        return self

    def double(self: C) -> C:
        """Makes all floating parameters and buffers float64, in place: see `to`."""
        return self.to(np.float64)

    def float(self: C) -> C:
        """Makes all floating parameters and buffers float32, in place: see `to`."""
        return self.to(np.float32)

    def half(self: C) -> C:
        """Not supported: raises TypeError."""
        return self.to(np.float16)

    def bfloat16(self: C) -> C:
        """Not supported: raises TypeError."""
        return self.to(dtype="bfloat16")

    def type(self: C, dst_type: Any) -> C:
        """`to(dst_type)`."""
        return self.to(dtype=dst_type)

    def cuda(self: C, device: Any = None) -> C:
        """Not supported: raises ValueError."""
        return self.to(device="cuda")

    def cpu(self: C) -> C:
        """This module, which is on the CPU."""
        return self
