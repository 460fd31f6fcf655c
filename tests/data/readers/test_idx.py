"""IDX files: reading, writing, and damaged ones."""

from __future__ import annotations

import gzip
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mutations import bit_flips, outcomes, truncations
from nnlite.data import read_idx, write_idx
from nnlite.data.readers.idx import find_idx

DTYPES = [np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64]
SMALL = np.array([[1, 200, 3], [4, 5, 66]], np.uint8)


@given(
    st.sampled_from(DTYPES).flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))),
    st.sampled_from(["", ".gz"]),
)
def test_written_files_are_read_back(tmp_path_factory, array: np.ndarray, suffix: str) -> None:
    path = tmp_path_factory.mktemp("idx") / f"array{suffix}"
    write_idx(path, array)
    result = read_idx(path)
    assert result.dtype == array.dtype
    assert result.dtype.isnative
    assert result.flags.writeable
    np.testing.assert_array_equal(result, array)


def test_the_layout_is_mnists(tmp_path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(b"\0\0\x08\x01\0\0\0\x03\x07\x02\x01")
    assert read_idx(str(path)).tolist() == [7, 2, 1]
    write_idx(tmp_path / "again", np.array([7, 2, 1], np.uint8))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_non_native_order_is_written_as_it_reads(tmp_path) -> None:
    write_idx(tmp_path / "a", np.array([1, 2], "<i2"))
    write_idx(tmp_path / "b", np.array([1, 2], ">i2"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2)])
def test_empty_arrays(tmp_path, shape) -> None:
    write_idx(tmp_path / "a", np.zeros(shape, np.float32))
    assert read_idx(tmp_path / "a").shape == shape


@pytest.mark.parametrize("array", [np.zeros(2, np.int64), np.array(["a"]), np.zeros(2, np.complex64)])
def test_write_refuses_other_types(tmp_path, array) -> None:
    with pytest.raises(TypeError, match="IDX holds"):
        write_idx(tmp_path / "a", array)


def test_write_refuses_zero_dimensions(tmp_path) -> None:
    with pytest.raises(ValueError, match="1 to 32 dimensions"):
        write_idx(tmp_path / "a", np.array(1, np.uint8))


def header(*sizes: int, kind: int = 8, rank: int | None = None) -> bytes:
    return bytes([0, 0, kind, len(sizes) if rank is None else rank]) + struct.pack(f">{len(sizes)}I", *sizes)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "is not an IDX file: it starts with nothing"),
        (b"\x89PNG", "is not an IDX file: it starts with 89 50 4e 47"),
        (header(3, kind=0x0A) + b"abc", "is not an IDX file"),
        (header(), "is not an IDX file"),
        (header(*[1] * 40) + b"a", "is not an IDX file"),
        (header(1, rank=255), "is not an IDX file"),
        (header(2, rank=3), "cut short: 8 bytes cannot hold the sizes of 3 dimensions"),
        (header(3) + b"ab", r"shape \(3,\) of uint8 takes 3 bytes after the sizes; the file is cut short, it has 2"),
        (header(3) + b"abcd", "takes 3 bytes after the sizes; the file is too long"),
        (header(*[2**32 - 1] * 3) + b"abc", "cut short, it has 3"),
        (header(0, *[2**32 - 1] * 3), "impossible shape|shape"),
        (b"\x1f\x8bnonsense", "damaged gzip"),
        (gzip.compress(header(3) + b"abc", mtime=0)[:-1], "damaged gzip"),
        (gzip.compress(header(3) + b"ab", mtime=0), "cut short"),
        (gzip.compress(header(3) + b"abcd", mtime=0), "too long"),
    ],
)
def test_damaged_files_are_named(tmp_path, data, match) -> None:
    path = tmp_path / "bad-file"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=match) as caught:
        read_idx(path)
    assert "bad-file" in str(caught.value)


def test_a_missing_file_is_an_os_error(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


def test_every_truncation_is_refused(tmp_path) -> None:
    for suffix in ("", ".gz"):
        path = tmp_path / f"a{suffix}"
        write_idx(path, SMALL)
        results = list(outcomes(read_idx, path, truncations(path.read_bytes())))
        assert all(isinstance(result, ValueError) for result in results)


def test_every_bit_flip_of_a_packed_file_is_refused_or_harmless(tmp_path) -> None:
    path = tmp_path / "a.gz"
    write_idx(path, SMALL)
    results = list(outcomes(read_idx, path, bit_flips(path.read_bytes())))
    values = [result for result in results if not isinstance(result, ValueError)]
    assert len(values) < len(results) / 2
    assert all(np.array_equal(value, SMALL) for value in values)


def test_every_bit_flip_of_a_plain_file_is_refused_or_keeps_its_size(tmp_path) -> None:
    path = tmp_path / "a"
    write_idx(path, SMALL)
    for result in outcomes(read_idx, path, bit_flips(path.read_bytes())):
        assert isinstance(result, ValueError) or result.nbytes == SMALL.nbytes


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_claims_huge_sizes_allocates_little(tmp_path, packed) -> None:
    data = header(2**31, 2**31, kind=0x0E) + bytes(1000)
    path = tmp_path / "huge"
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(ValueError, match="cut short"):
        read_idx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.perf_counter() - start < 1
    assert peak < 4_000_000


def test_a_file_that_unpacks_to_more_than_it_claims_is_abandoned_early(tmp_path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(header(3) + bytes(50_000_000)))
    tracemalloc.start()
    with pytest.raises(ValueError, match="too long"):
        read_idx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize(
    "name",
    ["train-images-idx3-ubyte", "train-images.idx3-ubyte", "train-images-idx3-ubyte.gz", "train-images-idx2-ubyte"],
)
def test_files_are_found_under_mnists_names(tmp_path, name) -> None:
    assert find_idx(tmp_path, "train", "images") is None
    (tmp_path / name).touch()
    assert find_idx(str(tmp_path), "train", "images") == tmp_path / name
    assert find_idx(tmp_path, "train", "labels") is None
