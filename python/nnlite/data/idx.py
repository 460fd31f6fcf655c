"""The IDX format of MNIST: a magic number, the sizes, the elements, all big-endian (Y. LeCun's description)."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path) -> np.ndarray[Any, Any]:
    """The array of an IDX file, plain or gzipped, in the machine's byte order.

    OSError where the file cannot be read; ValueError naming the path for one that is no IDX file, or is cut short or too long.
    """
    data = _contents(Path(path))
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES:
        raise ValueError(f"{path} is not an IDX file: it starts with {data[:4].hex(' ') or 'nothing'}")
    dtype, rank = np.dtype(_TYPES[data[2]]), data[3]
    start = 4 + 4 * rank
    if len(data) < start:
        raise ValueError(f"{path} is cut short: {len(data)} bytes cannot hold the sizes of {rank} dimensions")
    shape = struct.unpack(f">{rank}I", data[4:start])
    wanted = math.prod(shape) * dtype.itemsize
    if len(data) - start != wanted:
        problem = "cut short" if len(data) - start < wanted else "too long"
        raise ValueError(f"{path} is {problem}: shape {shape} of {dtype.name} takes {wanted} bytes, it has {len(data) - start}")
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def _contents(path: Path) -> bytes:
    data = path.read_bytes()
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is a damaged gzip file: {error}") from None


def write_idx(path: str | Path, array: np.ndarray[Any, Any]) -> None:
    """Writes an array as an IDX file, gzipped where the path ends in .gz."""
    codes = {np.dtype(name): code for code, name in _TYPES.items()}
    dtype = array.dtype.newbyteorder(">")
    if dtype not in codes:
        raise TypeError(f"IDX holds uint8, int8, int16, int32, float32 and float64, not {array.dtype}")
    header = bytes([0, 0, codes[dtype], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    data = header + array.astype(dtype).tobytes()
    Path(path).write_bytes(gzip.compress(data, mtime=0) if str(path).endswith(".gz") else data)


def find_idx(folder: str | Path, part: str, kind: str) -> Path | None:
    """The file of a part ("train", "t10k") and kind ("images", "labels") under MNIST's names, if it is there."""
    names = [f"{part}-{kind}{separator}idx{rank}-ubyte" for separator in "-." for rank in (1, 2, 3, 4)]
    for name in names:
        for suffix in ("", ".gz"):
            path = Path(folder) / (name + suffix)
            if path.is_file():
                return path
    return None
