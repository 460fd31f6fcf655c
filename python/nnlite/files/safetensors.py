"""The safetensors format (version 0.3 of its description, by Hugging Face): named arrays behind a JSON header.

Implemented here, not by the package of that name: a failed allocation in its native code ends the process, and this way
neither saving nor loading copies the arrays.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_TYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "F16": "<f2", "U32": "<u4", "I32": "<i4",
    "F32": "<f4", "U64": "<u8", "I64": "<i8", "F64": "<f8",
}  # fmt: skip
_NAMES = {np.dtype(code): name for name, code in _TYPES.items()}
# Types that NumPy lacks, as integers of their bits; float32 holds all their values.
_WIDENED = {"BF16": "<u2", "F8_E4M3": "u1", "F8_E5M2": "u1"}
_METADATA = "__metadata__"
_ALIGNMENT = 8  # of the first byte behind the header


def encode(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> list[Any]:
    """The pieces of a file, one after another: header, then the arrays' own memory where it can be written as it is.

    >>> pieces = encode({"weight": np.zeros((2, 3), np.float32)}, {"made by": "hand"})
    >>> decode(b"".join(pieces))[0]["weight"].shape
    (2, 3)
    """
    header: dict[str, Any] = {_METADATA: dict(metadata)}
    pieces: list[Any] = []
    end = 0
    # Wide types first, so that every array is aligned.
    for name, array in sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])):
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        header[name] = {
            "dtype": _NAMES[little.dtype],
            "shape": list(array.shape),
            "data_offsets": [end, end + little.nbytes],
        }
        pieces.append(memoryview_of(little))
        end += little.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return [len(text).to_bytes(8, "little") + text, *pieces]


def memoryview_of(array: Array) -> memoryview:
    """The bytes of a contiguous array, without a copy."""
    return array.reshape(-1).view(np.uint8).data


def decode_header(data: bytes | bytearray) -> tuple[dict[str, Any], int]:
    """(the header's entries, where the arrays begin); ValueError where there is none."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise ValueError(f"it has no header, or is truncated ({len(data)} bytes)")
    try:
        header = json.loads(data[8 : 8 + size].decode(), object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    return header, 8 + size


def decode(data: bytes | bytearray) -> tuple[dict[str, Array], dict[str, str]]:
    """(arrays, metadata) of a complete file: views of `data`, which must hold all bytes that its header claims.

    bfloat16 and 8-bit floats become float32. Raises ValueError unless the header's arrays fill the rest of the file without
    gap or overlap.
    """
    header, begin = decode_header(data)
    metadata = header.pop(_METADATA, None)
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"its {_METADATA} is not made of strings")
    arrays: dict[str, Array] = {}
    spans = []
    for name, entry in header.items():
        arrays[name], span = _array_of(name, entry, data, begin)
        spans.append(span)
    end = 0
    for first, last in sorted(spans):
        if first != end:
            raise ValueError(f"its arrays overlap or leave a gap at byte {end}")
        end = last
    if end != len(data) - begin:
        raise ValueError(f"its arrays take {end} bytes, but {len(data) - begin} follow the header")
    return arrays, metadata


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name appears twice in its header")
    return found


def _array_of(name: str, entry: Any, data: bytes | bytearray, begin: int) -> tuple[Array, tuple[int, int]]:
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= set(entry):
        raise ValueError(f"its entry {name!r} does not describe an array")
    shape, offsets, code = entry["shape"], entry["data_offsets"], entry["dtype"]
    if not (_are_sizes(shape) and _are_sizes(offsets) and len(offsets) == 2 and len(shape) <= 32):
        raise ValueError(f"its entry {name!r} has impossible sizes")
    if not isinstance(code, str) or code not in _TYPES.keys() | _WIDENED.keys():
        raise ValueError(f"its entry {name!r} has the unsupported type {code!r}")
    dtype, (first, last) = np.dtype(_TYPES.get(code) or _WIDENED[code]), offsets
    if last - first != math.prod(shape) * dtype.itemsize or last > len(data) - begin:
        raise ValueError(f"its entry {name!r} of shape {shape} does not fit its bytes {first} to {last}")
    array = np.frombuffer(data, dtype, math.prod(shape), begin + first).reshape(shape)
    if code in _WIDENED:
        return _widened(array, code), (first, last)
    return array if array.flags.aligned else array.copy(), (first, last)


def _widened(bits: Array, code: str) -> Array:
    """float32 of the same values."""
    if code == "BF16":  # the upper half of a float32
        return np.asarray((bits.astype(np.uint32) << np.uint32(16)).view(np.float32).reshape(bits.shape))
    if code == "F8_E5M2":  # the upper half of a float16
        return np.asarray(
            (bits.astype(np.uint16) << np.uint16(8)).view(np.float16).astype(np.float32).reshape(bits.shape)
        )
    every = np.arange(256)  # E4M3: no infinity, and NaN where all bits but the sign are set
    exponent, fraction = every >> 3 & 15, every & 7
    size = np.where(exponent > 0, np.ldexp(1 + fraction / 8, exponent - 7), np.ldexp(fraction / 8, -6))
    values: Array = np.where(every & 127 == 127, np.nan, np.where(every > 127, -size, size)).astype(np.float32)
    return np.asarray(values[bits])


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)
