"""The safetensors format, against the package that defines it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnlite.files import safetensors as ours

TYPES = ["?", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8"]
arrays = st.sampled_from(TYPES).flatmap(
    lambda code: hnp.arrays(np.dtype(code), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda name: name != "__metadata__")
states = st.dictionaries(names, arrays, max_size=5)
texts = st.text(st.characters(exclude_categories=["Cs"]))


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name


@given(states, st.dictionaries(texts, texts, max_size=3))
def test_safetensors_reads_our_files(state, metadata) -> None:
    data = b"".join(ours.encode(state, metadata))
    assert_same(safetensors.numpy.load(data), state)
    found, described = ours.decode(bytearray(data))
    assert_same(found, state)
    assert described == metadata


@given(states, st.dictionaries(texts, texts, max_size=3))
def test_we_read_files_of_safetensors(state, metadata) -> None:
    # With empty metadata, safetensors writes a file that it cannot read.
    found, described = ours.decode(bytearray(safetensors.numpy.save(state, metadata or None)))
    assert_same(found, state)
    assert described == metadata


def test_unknown_fields_of_an_array_are_accepted() -> None:
    found, _ = ours.decode(file({"a": {**entry(), "more": 1}}, bytes(8)))
    assert found["a"].shape == (2,)


def test_an_array_of_more_dimensions_than_numpy_can_have() -> None:
    with pytest.raises(ValueError, match="impossible sizes"):
        ours.decode(file({"a": entry(shape=[1] * 40 + [2])}, bytes(8)))


@given(states)
def test_arrays_can_be_written_to_and_are_aligned(state) -> None:
    found, _ = ours.decode(bytearray(b"".join(ours.encode(state, {}))))
    for array in found.values():
        assert array.flags.aligned
        assert array.flags.writeable


def test_an_array_goes_into_the_file_without_a_copy() -> None:
    array = np.ones((3, 4), np.float32)
    _, piece = ours.encode({"a": array}, {})
    array[0, 0] = 7
    assert bytes(piece) == array.tobytes()


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float16"])
def test_every_value_of_narrow_floats_survives(name) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save

    dtype = getattr(torch, name)
    bits = torch.arange(2 ** (8 * dtype.itemsize)).to(torch.uint8 if dtype.itemsize == 1 else torch.uint16)
    values = bits.view(dtype).reshape(2, -1)
    found, _ = ours.decode(bytearray(save({"odd": torch.zeros(3, dtype=torch.uint8), "values": values})))
    np.testing.assert_array_equal(found["values"], values.float().numpy())
    assert found["values"].dtype == (np.float16 if name == "float16" else np.float32)


def test_metadata_may_be_null_and_the_header_padded() -> None:
    header = json.dumps({"__metadata__": None, "a": entry()}).encode() + b" " * 13
    found, metadata = ours.decode(file(header, bytes(8)))
    assert (found["a"].tolist(), metadata) == ([0.0, 0.0], {})


def file(header: object, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "no header"),
        (b"\xff" * 20, "no header"),
        (file([], b""), "not a JSON object"),
        (file(b"{", b""), "Expecting|property name"),
        (file(b"\xff", b""), "decode"),
        (file(b"[" * 100_000, b""), "nested too deeply"),
        (file(b'{"a": 1, "a": 2}', b""), "twice"),
        (file({"a": 1}, b""), "'a' does not describe"),
        (file({"a": {"dtype": "F32", "shape": [2]}}, bytes(8)), "does not describe"),
        (file({"a": entry(shape=[-1])}, bytes(8)), "impossible sizes"),
        (file({"a": entry(shape=[2.0])}, bytes(8)), "impossible sizes"),
        (file({"a": entry(shape=[True, 2])}, bytes(8)), "impossible sizes"),
        (file({"a": entry(offsets=[0])}, bytes(8)), "impossible sizes"),
        (file({"a": entry(dtype="F8_E8M0", offsets=(0, 2))}, bytes(2)), "unsupported type 'F8_E8M0'"),
        (file({"a": entry(dtype=["F32"])}, bytes(8)), "unsupported type"),
        (file({"a": entry(shape=[3])}, bytes(8)), "does not fit its bytes"),
        (file({"a": entry(shape=[2**62, 2**62])}, bytes(8)), "does not fit its bytes"),
        (file({"a": entry(offsets=[8, 0])}, bytes(8)), "does not fit its bytes"),
        (file({"a": entry(shape=[4], offsets=[0, 16])}, bytes(8)), "does not fit its bytes"),
        (file({"a": entry(offsets=[4, 12])}, bytes(12)), "gap at byte 0"),
        (file({"a": entry(), "b": entry()}, bytes(8)), "overlap or leave a gap at byte 8"),
        (file({"a": entry()}, bytes(9)), "take 8 bytes, but 9"),
        (file({"__metadata__": {"a": 1}}, b""), "not made of strings"),
        (file({"__metadata__": "a"}, b""), "not made of strings"),
    ],
)
def test_invalid_files_are_refused_as_by_safetensors(data, match) -> None:
    with pytest.raises(ValueError, match=match):
        ours.decode(data)
    if "twice" not in match and "E8M0" not in match:  # safetensors takes the last; a type that PyTorch can hold
        with pytest.raises(safetensors.SafetensorError):
            safetensors.deserialize(data)
