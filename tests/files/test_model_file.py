"""Model files: round trips, atomicity, and damaged or hostile files."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import struct
import time
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnlite as nl
from mutations import bit_flips, outcomes, truncations
from nnlite import ModelFileError, nn
from nnlite.files import model_file
from nnlite.files.model_file import load, load_with_metadata, save

DTYPES = [np.float32, np.float64, np.float16, np.int64, np.int32, np.int16, np.int8, np.uint8, np.bool_]
STATE = {"0.weight": np.array([[1.5, -2.0]], np.float32), "0.bias": np.array([np.nan], np.float32)}
METADATA = {"classes": ["cat", "dog"], "mean": 0.25}


def assert_same(actual, expected) -> None:
    assert list(actual) == list(expected)
    for name, array in expected.items():
        assert actual[name].dtype == array.dtype
        assert actual[name].shape == array.shape
        assert actual[name].tobytes() == array.tobytes()


arrays = st.sampled_from(DTYPES).flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1).filter(lambda n: n != "__metadata__"), arrays, max_size=4),
       st.dictionaries(st.text(), json_values, max_size=3))  # fmt: skip
def test_saved_arrays_are_loaded(tmp_path_factory, state, metadata) -> None:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    try:
        save(path, state, metadata=metadata)
    except UnicodeEncodeError:  # half of a surrogate pair is not valid text
        return
    actual, found = load_with_metadata(path)
    assert_same(actual, state)
    assert found == metadata


def test_files_that_are_open_hold_the_same_bytes(tmp_path) -> None:
    path, memory = tmp_path / "model.safetensors", io.BytesIO()
    save(STATE, path, metadata=METADATA)
    save(STATE, memory, metadata=METADATA)
    assert memory.getvalue() == path.read_bytes()
    memory.seek(0)
    assert_same(load(memory), STATE)
    with pytest.raises(ModelFileError, match="is not a complete model file"):
        load(io.BytesIO(memory.getvalue()[:-1]))


def test_a_model_round_trips(tmp_path) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))
    model(np.ones((5, 3), np.float32))
    nl.save(str(tmp_path / "m"), model)
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))
    assert other.fingerprint() != model.fingerprint()
    other.load_state_dict(nl.load(tmp_path / "m"))
    assert other.fingerprint() == model.fingerprint()


def test_strided_big_endian_and_read_only_arrays_and_tensors(tmp_path) -> None:
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    frozen = base.copy()
    frozen.flags.writeable = False
    state = {
        "t": base.T,
        "s": base[::2, ::3],
        "b": base.astype(">f4"),
        "r": frozen,
        "x": nl.tensor(base, requires_grad=True),
    }
    save(tmp_path / "m", state)
    actual = load(tmp_path / "m")
    for name, value in state.items():
        np.testing.assert_array_equal(actual[name], value.detach().numpy() if name == "x" else value)
        assert actual[name].flags.writeable


def test_other_libraries_read_the_file(tmp_path) -> None:
    save(tmp_path / "m", STATE)
    theirs = safetensors.numpy.load_file(tmp_path / "m")
    assert_same(dict(sorted(theirs.items())), dict(sorted(STATE.items())))


def test_equal_models_give_equal_files(tmp_path) -> None:
    for name in ("a", "b"):
        save(tmp_path / name, STATE, metadata=METADATA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("state", "metadata", "match"),
    [
        ({"a": np.array([object()])}, None, "a has dtype object"),
        ({"a": np.array(["text"])}, None, "a has dtype <U4"),
        ({"a": np.zeros(1, np.complex64)}, None, "a has dtype complex64"),
        ({"a": np.zeros(1, np.longdouble)}, None, "a has dtype"),
        ({3: np.zeros(1)}, None, "keys of a state dict are names of arrays, got 3"),
        ({"__metadata__": np.zeros(1)}, None, "keys of a state dict are names of arrays"),
        (STATE, {"a": object()}, "JSON"),
    ],
)
def test_values_that_a_file_cannot_hold(tmp_path, state, metadata, match) -> None:
    with pytest.raises(TypeError, match=match):
        save(tmp_path / "m", state, metadata=metadata)
    assert not list(tmp_path.iterdir())


# Writing


def test_numpy_numbers_in_metadata_are_numbers(tmp_path) -> None:
    metadata = {
        "rate": np.float32(0.5), "n": np.int64(3), "yes": np.bool_(True), "all": np.arange(2), "in": [(np.float64(1),)],
        np.int64(7): {None: np.array(2)},
    }  # fmt: skip
    save(tmp_path / "m", STATE, metadata=metadata)
    expected = {"rate": 0.5, "n": 3, "yes": True, "all": [0, 1], "in": [[1.0]], "7": {"null": 2}}
    assert load_with_metadata(tmp_path / "m")[1] == expected


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"a": [{"b": {1, 2}}]}, r"metadata\['a'\]\[0\]\['b'\] is a set"), ({(1, 2): 3}, r"the key \(1, 2\), a tuple"),
        ({"a": 1 + 2j}, r"metadata\['a'\] is a complex"), ({1: 2, "1": 3}, "two keys that are the same text"),
        ({"a": np.array([1 + 2j])}, r"metadata\['a'\]\[0\] is a complex"),
    ],
)  # fmt: skip
def test_metadata_that_json_cannot_hold_is_named(tmp_path, metadata, words) -> None:
    with pytest.raises(TypeError, match=words):
        save(tmp_path / "m", STATE, metadata=metadata)
    assert not os.listdir(tmp_path)


def test_permissions_are_the_default_or_those_of_the_old_file(tmp_path) -> None:
    old = os.umask(0o027)
    try:
        save(tmp_path / "new", STATE)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o604)
    save(tmp_path / "new", STATE)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o604


def test_a_link_stays_a_link(tmp_path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "real")
    save(tmp_path / "link", STATE)
    assert (tmp_path / "link").is_symlink()
    assert_same(load(tmp_path / "folder" / "real"), STATE)


def test_a_path_without_a_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    save("m", STATE)
    assert os.listdir() == ["m"]


def test_a_name_of_maximum_length(tmp_path) -> None:
    save(tmp_path / ("m" * 255), STATE)
    assert_same(load(tmp_path / ("m" * 255)), STATE)


@pytest.mark.parametrize(
    ("name", "code"), [("nowhere/m", errno.ENOENT), ("folder", errno.EISDIR), ("pipe", errno.EINVAL)]
)
def test_impossible_paths(tmp_path, name, code) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(OSError, match="cannot save the model") as caught:
        save(tmp_path / name, STATE)
    assert caught.value.errno == code
    assert str(tmp_path / name) in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("call", ["open", "writelines", "flush", "fchmod", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_the_old_file_survives_any_failure(tmp_path, monkeypatch, call, error) -> None:
    path = tmp_path / "m"
    save(path, STATE)
    before = path.read_bytes()

    def fail(*_):
        raise error

    class Failing:
        """A file with one failing method."""

        def __init__(self, file) -> None:
            self._file = file

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None:
            self._file.close()

        def __getattr__(self, name):
            return fail if name == call else getattr(self._file, name)

    if call in ("writelines", "flush"):
        genuine = os.fdopen
        monkeypatch.setattr(model_file.os, "fdopen", lambda *arguments: Failing(genuine(*arguments)))
    else:
        monkeypatch.setattr(model_file.os, call, fail)
    with pytest.raises(type(error)) as caught:
        save(path, {"other": np.zeros(5)})
    monkeypatch.undo()
    if isinstance(error, OSError):
        assert caught.value.errno == errno.ENOSPC
        assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m"]


def test_everything_is_flushed_before_and_after_the_rename(tmp_path, monkeypatch) -> None:
    calls = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor):
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_replace(source, target):
        calls.append("rename")
        replace(source, target)

    monkeypatch.setattr(model_file.os, "fsync", note_fsync)
    monkeypatch.setattr(model_file.os, "replace", note_replace)
    save(tmp_path / "m", STATE)
    assert calls == ["file", "rename", "folder"]


# Reading


def test_a_missing_file_is_an_os_error(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(tmp_path / "nowhere")


@pytest.fixture
def golden(tmp_path):
    """The bytes of a small file."""
    save(tmp_path / "golden", STATE, metadata=METADATA)
    return (tmp_path / "golden").read_bytes()


def test_every_truncation_is_refused(tmp_path, golden) -> None:
    for result in outcomes(load_with_metadata, tmp_path / "m", truncations(golden)):
        assert isinstance(result, ModelFileError)


def test_every_bit_flip_is_refused(tmp_path, golden) -> None:
    for result in outcomes(load_with_metadata, tmp_path / "m", bit_flips(golden)):
        assert isinstance(result, ModelFileError)


def test_the_same_bytes_are_accepted(tmp_path, golden) -> None:
    for state, metadata in outcomes(load_with_metadata, tmp_path / "m", iter([golden, golden])):
        assert_same(state, STATE)
        assert metadata == METADATA


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(tmp_path_factory, data) -> None:
    path = tmp_path_factory.mktemp("model") / "m"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="m is not"):
        load(path)


def container(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def described(known: object = None, **tensors: object) -> dict[str, object]:
    known = {"format": 1, "order": [], "metadata": {}, "sha256": "0"} if known is None else known
    return {"__metadata__": {"nnlite": json.dumps(known)}, **tensors}


HOSTILE = {
    "length of 2^63": struct.pack("<Q", 2**63) + b"{}" * 500,
    "length beyond the end": struct.pack("<Q", 1000) + b"{}",
    "no header": container(b""),
    "a list": container([]),
    "a number": container(b"1" * 5000),
    "not text": container(b"\xff\xfe{}"),
    "deep": container(b"[" * 100_000),
    "deep objects": container(b'{"a":' * 50_000),
    "a description that is none": container({"__metadata__": 3}),
    "another program's description": container({"__metadata__": {"format": "pt", "epoch": 3}}),
    "a description under another name": container({"__metadata__": {"nnlita": '{"format": 1, "sha256": "0"}'}}),
    "more beside the description": container({"__metadata__": {**described()["__metadata__"], "format": "np"}}),
    "a description of no text": container({"__metadata__": {"nnlite": {"format": 1}}}),
    "a description that is no JSON": container({"__metadata__": {"nnlite": "{"}}),
    "a deep description": container({"__metadata__": {"nnlite": "[" * 100_000}}),
    "another format": container(described({"format": 2})),
    "half a description": container(described({"format": 1})),
    "a checksum of another type": container(described({"format": 1, "order": [], "metadata": {}, "sha256": 3})),
    "a wrong checksum": container(described()),
    "a huge tensor": container(
        described(a={"dtype": "F32", "shape": [2**62], "data_offsets": [0, 2**63 - 1]}), bytes(100)
    ),
    "a shape that overflows": container(described(a={"dtype": "F32", "shape": [2**33, 2**33], "data_offsets": [0, 0]})),
    "an unknown type": container(described(a={"dtype": "Q9", "shape": [1], "data_offsets": [0, 4]}), bytes(4)),
    "offsets backwards": container(described(a={"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}), bytes(4)),
    "overlapping tensors": container(
        described(**{n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in "ab"}), bytes(4)
    ),
    "more bytes than tensors": container(described(a={"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}), bytes(8)),
    "an 8-bit float": container(described(a={"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}), bytes(1)),
    "a pickle": b"\x80\x04\x95" + bytes(100),
    "a zip": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_quickly(tmp_path, name) -> None:
    path = tmp_path / "m"
    path.write_bytes(HOSTILE[name])
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(ModelFileError, match=str(path)):
        load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.perf_counter() - start < 1
    assert peak < 100 * len(HOSTILE[name]) + 1_000_000


def forged(order: object, metadata: object) -> bytes:
    """A file with a valid checksum and a wrong description."""
    description = {"format": 1, "order": order, "metadata": metadata}
    description["sha256"] = model_file._checksum(description, STATE)
    return safetensors.numpy.save(STATE, {"nnlite": json.dumps(description)})


@pytest.mark.parametrize(
    ("order", "metadata"),
    [
        (["0.weight"], {}),
        (["0.weight", "0.bias", "c"], {}),
        (3, {}),
        ([[]], {}),
        ([[], "a"], {}),
        (["0.bias"] * 2, {}),
        (None, {}),
        (list(STATE), []),
        (list(STATE), 3),
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path, order, metadata) -> None:
    (tmp_path / "m").write_bytes(forged(order, metadata))
    with pytest.raises(ModelFileError, match="is damaged: its description"):
        load(tmp_path / "m")


def test_a_model_of_another_shape_is_unchanged(tmp_path) -> None:
    save(tmp_path / "m", nn.Linear(3, 2))
    other = nn.Linear(4, 2)
    before = other.fingerprint()
    with pytest.raises(RuntimeError, match=r"weight has shape \(2, 3\) in the state dict, \(2, 4\) in the model"):
        other.load_state_dict(load(tmp_path / "m"))
    assert other.fingerprint() == before
