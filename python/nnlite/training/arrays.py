"""Anything array-like as a numeric array with contiguous rows."""

from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from ..data.frames import frame_of, is_frame, numbers_of

Array = np.ndarray[Any, Any]

_CHECKED_AT_ONCE = 1 << 22  # elements


def as_array(name: str, value: Any) -> Array:
    """`value` as a numeric array with contiguous rows; TypeError or ValueError that names what is wrong."""
    array = value.detach().numpy() if isinstance(value, Tensor) else _asarray(name, value)
    if array.dtype.kind not in "fiub":
        raise _not_numeric(name, value, array)
    if array.ndim == 0:
        raise ValueError(f"{name} is a single value; its first dimension must be rows")
    if array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    if not array.dtype.isnative or array.dtype.itemsize not in (1, 2, 4, 8) or array.dtype == np.float16:
        array = array.astype(_readable(array.dtype))
    return array if _rows_contiguous(array) else np.require(array, requirements=["C", "A"])


def _readable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A type that the native code reads: native byte order, no float16 or long double."""
    if dtype.kind == "f":
        return np.dtype(np.float64 if dtype.itemsize >= 8 else np.float32)
    native: np.dtype[Any] = dtype.newbyteorder("=")
    return native


def _asarray(name: str, value: Any) -> Array:
    # Plain arrays leave numpy.ma unimported: a child forked during an import of another thread would wait for ever.
    is_subclass = isinstance(value, np.ndarray) and type(value) is not np.ndarray
    if is_subclass and isinstance(value, np.ma.MaskedArray) and value.mask.any():
        raise ValueError(f"{name} has {value.mask.sum()} masked elements; fill them first: {name}.filled(value)")
    if is_frame(value):
        return frame_of(name, value)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} cannot be converted to one array ({error}); do its rows differ in length?") from None
    except (TypeError, RuntimeError) as error:  # such as a PyTorch tensor that requires grad
        raise TypeError(f"{name} cannot be converted to an array: {error}") from None
    return numbers_of(name, array, value) if hasattr(value, "fillna") else array  # a column of pandas


def _not_numeric(name: str, value: Any, array: Array) -> TypeError:
    if array.dtype == object and array.ndim == 0:
        fix = f"use {name}.toarray()" if hasattr(value, "toarray") else "pass an array, a Tensor or a dataset"
        return TypeError(f"{name} is a {type(value).__name__}, not an array: {fix}")
    where = ""
    odd = np.array([not isinstance(cell, int | float | np.number | np.bool_) for cell in array.flat])
    if odd.any():
        index = _index(int(odd.argmax()), array.shape)
        where = f" (the first such value is {array[index]!r} at index {_shown(index)})"
    return TypeError(
        f"{name} has dtype {array.dtype}, which is not numeric{where}; convert it first, for example "
        f"{_conversion(name, array)}"
    )


def _conversion(name: str, array: Array) -> str:
    """Code that converts an array of this type to numbers."""
    if array.dtype.kind == "M":
        return f"({name} - {name}.min()) / numpy.timedelta64(1, 'D')"
    if array.dtype.kind == "m":
        return f"{name} / numpy.timedelta64(1, 'D')"
    if array.ndim == 1 and isinstance(array[0], str | bytes) and not _reads_as_number(array[0]):
        return f"numpy.unique({name}, return_inverse=True)[1]"
    if array.dtype.names:
        return f"numpy.lib.recfunctions.structured_to_unstructured({name})"
    return f"{name}.real" if array.dtype.kind == "c" else f"{name}.astype('float32')"


def _reads_as_number(text: Any) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rows_contiguous(array: Array) -> bool:
    return array.flags.aligned and (array.ndim == 1 or bool(array[0].flags.c_contiguous))


def require_finite(name: str, array: Array, dtype: np.dtype[Any]) -> None:
    """ValueError naming the first NaN or infinity, or the first number too large for `dtype`."""
    if array.dtype.kind != "f":
        return
    # In blocks of rows: a memory map may exceed the memory.
    step = max(1, _CHECKED_AT_ONCE * len(array) // array.size)
    for begin in range(0, len(array), step):
        part = np.ascontiguousarray(array[begin : begin + step])
        if part.dtype.itemsize > dtype.itemsize:
            with np.errstate(over="ignore"):
                part = part.astype(dtype)
        at = _core.first_nonfinite(part)
        if at >= 0:
            row, *rest = _index(at, part.shape)
            raise _not_finite(name, array, (begin + row, *rest), dtype)


def _not_finite(name: str, array: Array, index: tuple[int, ...], dtype: np.dtype[Any]) -> ValueError:
    what = f"{name} holds {array[index]} at index {_shown(index)}"
    if np.isfinite(array[index]):
        return ValueError(f"{what}, too large for the model's {dtype}: scale {name}, or use model.double()")
    return ValueError(f"{what}; numbers must be finite: drop or fill such values first")


def first_where(wrong: Array) -> tuple[tuple[int, ...], Any] | None:
    """The index of the first true element, as a tuple and as messages show it."""
    if not wrong.any():
        return None
    index = _index(int(wrong.argmax()), wrong.shape)
    return index, _shown(index)


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape))


def _shown(index: tuple[int, ...]) -> Any:
    return index[0] if len(index) == 1 else index
