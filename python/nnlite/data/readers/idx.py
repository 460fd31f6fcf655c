"""The IDX format of MNIST: a magic number, the sizes, the elements, all big-endian (Y. LeCun's description)."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..scaling import Arrays

Array = np.ndarray[Any, Any]
DESCRIPTION = "a folder of IDX files (MNIST's names)"

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_DIMENSIONS = 32  # what every NumPy can hold
_PIECE = 1 << 20


def read_idx(path: str | Path) -> Array:
    """Reads an IDX file, plain or gzipped, in native byte order: uint8, int8, int16, int32, float32 or float64.

    Raises OSError if the file cannot be read, and ValueError naming the path if it is not an IDX file, or is damaged, cut
    short or too long. Memory is only allocated for bytes that the file has, whatever its header claims.

    >>> import numpy as np, tempfile
    >>> from nnlite.data import read_idx, write_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/labels.gz", np.array([3, 1], np.uint8))
    ...     read_idx(f"{folder}/labels.gz")
    array([3, 1], dtype=uint8)
    """
    with Path(path).open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            return _read(path, file)
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(path, unpacked)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} is a damaged gzip file: {error}") from None


def _read(path: str | Path, file: IO[bytes] | gzip.GzipFile) -> Array:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not 1 <= magic[3] <= _MOST_DIMENSIONS:
        raise ValueError(f"{path} is not an IDX file: it starts with {magic.hex(' ') or 'nothing'}")
    dtype, rank = np.dtype(_TYPES[magic[2]]), magic[3]
    sizes = file.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise ValueError(f"{path} is cut short: {4 + len(sizes)} bytes cannot hold the sizes of {rank} dimensions")
    shape = struct.unpack(f">{rank}I", sizes)
    wanted = math.prod(shape) * dtype.itemsize
    data = _at_most(file, wanted + 1)
    if len(data) != wanted:
        problem = f"cut short, it has {len(data)}" if len(data) < wanted else "too long, it has more"
        raise ValueError(
            f"{path}: shape {shape} of {dtype.name} takes {wanted} bytes after the sizes; the file is {problem}"
        )
    try:
        array = np.frombuffer(data, dtype).reshape(shape)
    except ValueError:  # no elements, but sizes whose product NumPy refuses
        raise ValueError(f"{path} has the impossible shape {shape}") from None
    return array.astype(dtype.newbyteorder("="), copy=False)


def _at_most(file: IO[bytes] | gzip.GzipFile, count: int) -> bytearray:
    """Up to `count` bytes, in pieces: a single read would allocate all that a header claims."""
    data = bytearray()
    while len(data) < count:
        piece = file.read(min(_PIECE, count - len(data)))
        if not piece:
            break
        data += piece
    return data


def write_idx(path: str | Path, array: Array) -> None:
    """Writes an IDX file, gzipped if the path ends in .gz; TypeError for a type that IDX does not have."""
    codes = {np.dtype(name): code for code, name in _TYPES.items()}
    dtype = array.dtype.newbyteorder(">")
    if dtype not in codes:
        raise TypeError(f"IDX holds uint8, int8, int16, int32, float32 and float64, not {array.dtype}")
    if not 1 <= array.ndim <= _MOST_DIMENSIONS:
        raise ValueError(f"IDX holds arrays of 1 to {_MOST_DIMENSIONS} dimensions, not of shape {array.shape}")
    header = bytes([0, 0, codes[dtype], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    data = header + array.astype(dtype).tobytes()
    Path(path).write_bytes(gzip.compress(data, mtime=0) if str(path).endswith(".gz") else data)


def find_idx(folder: str | Path, part: str, kind: str) -> Path | None:
    """The file of a part ("train", "t10k") and kind ("images", "labels") under MNIST's names, or None."""
    names = [f"{part}-{kind}{separator}idx{rank}-ubyte" for separator in "-." for rank in (1, 2, 3, 4)]
    for name in names:
        for suffix in ("", ".gz"):
            path = Path(folder) / (name + suffix)
            if path.is_file():
                return path
    return None


def matches(name: str) -> bool:
    """Whether `name` is a folder."""
    return Path(name).is_dir()


def load(name: str, seed: int = 0) -> Arrays:
    """Training images and labels, and the test set if the folder has one. Only uint8 images are divided by 255."""
    folder = Path(name)
    x, y = _pair(folder, "train")
    test = _pair(folder, "t10k") if find_idx(folder, "t10k", "images") is not None else None
    return Arrays(name, x, y, test=test, pixels=255.0 if x.dtype == np.uint8 else 0.0)


def inputs(name: str, seed: int = 0) -> Array:
    """The test images, else the training images."""
    images = find_idx(name, "t10k", "images") or find_idx(name, "train", "images")
    if images is None:
        raise ValueError(f"{name} has neither t10k-images-idx3-ubyte nor train-images-idx3-ubyte (plain or .gz)")
    return read_idx(images)


def _pair(folder: Path, part: str) -> tuple[Array, Array]:
    images, labels = find_idx(folder, part, "images"), find_idx(folder, part, "labels")
    if images is None or labels is None:
        raise ValueError(f"{folder} has no {part}-images-idx3-ubyte and {part}-labels-idx1-ubyte (plain or .gz)")
    x, y = read_idx(images), read_idx(labels)
    if len(x) != len(y):
        raise ValueError(f"{images.name} has {len(x)} images and {labels.name} {len(y)} labels")
    return x, y
