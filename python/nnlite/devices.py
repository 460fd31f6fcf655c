"""The CPU, the only device, and answers to programs that look for others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from ._core import Tensor

__all__ = ["accelerator", "backends", "cuda", "device", "mps", "xpu"]


class device:
    """`device("cpu")`, the only one. Raises ValueError for any other.

    >>> import nnlite as nl
    >>> print(nl.device("cuda" if nl.cuda.is_available() else "cpu"))
    cpu
    """

    type, index = "cpu", None

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        require_cpu(type)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device)

    def __hash__(self) -> int:
        return hash(device)

    def __str__(self) -> str:
        return self.type

    def __repr__(self) -> str:
        return f"device(type={self.type!r})"


def require_cpu(device: Any) -> None:
    """Raises ValueError for a device other than the CPU, given by name or as an object; None passes."""
    if device is not None and str(device) not in ("cpu", "cpu:0"):
        raise ValueError(f"nnlite runs on the CPU only, not on {str(device)!r}")


def is_device(value: Any) -> bool:
    """Whether `value` names a device, not an element type."""
    if not isinstance(value, str):
        return isinstance(value, device)
    try:
        np.dtype(value)
    except TypeError:
        return True
    return False


def requested(
    *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False, copy: bool = False
) -> tuple[Any, bool]:
    """What the arguments of a `to` ask for: a type, directly or as a tensor's, or None for just a device; and a copy."""
    switches = [value for value in args if isinstance(value, bool)]  # non_blocking, copy
    for value in args:
        if isinstance(value, Tensor):
            dtype = value.dtype
        elif is_device(value):
            device = value
        elif value is not None and not isinstance(value, bool):
            dtype = value
    require_cpu(device)
    return dtype, copy or switches[1:] == [True]


class _Absent:
    """A kind of device that is not there."""

    def is_available(self) -> bool:
        return False

    is_built = is_initialized = is_available

    def device_count(self) -> int:
        return 0

    def manual_seed(self, seed: int) -> None:
        """Does nothing."""

    manual_seed_all = manual_seed

    def empty_cache(self) -> None:
        """Does nothing."""

    current_accelerator = empty_cache


cuda = mps = xpu = accelerator = _Absent()
backends = SimpleNamespace(cuda=cuda, cudnn=_Absent(), mps=mps)  # cudnn.deterministic and its kin may be set
