"""Saving and loading models: safetensors files that no crash leaves half-written."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .._core import Tensor
from ..errors import ModelFileError
from ..nn import Module, Sequential
from .architecture import describe_model
from .atomic import write_atomically
from .safetensors import decode, decode_header, encode, memoryview_of

Array = np.ndarray[Any, Any]
State = dict[str, Array]

_FORMAT = 1
_OWN = "nnlite"  # the key of what `save` writes beside the arrays
_OTHERS = {"format": "pt"}  # expected by libraries around PyTorch


Saved = Module | Mapping[str, Array | Tensor]
Place = str | os.PathLike[str] | BinaryIO


def save(model: Saved | Place, path: Place | Saved, *, metadata: Mapping[str, Any] | None = None) -> None:
    """Writes a model's parameters and buffers (or a state dict) to `path`, with `metadata` (JSON-able) beside them.

    The arguments have PyTorch's order; `save(path, model)` works too, and `path` may be a file open for writing bytes. The
    file, readable as safetensors, is written under another name, flushed to the disk and renamed, so that at any moment
    `path` is the complete old or new file. Raises TypeError for metadata or arrays that it cannot hold, OSError naming the
    path if it cannot be written; the old file then stays.

    >>> import nnlite as nl, tempfile
    >>> model = nl.nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nl.save(model, f"{folder}/model.safetensors")
    ...     model.load_state_dict(nl.load(f"{folder}/model.safetensors"))
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    """
    model, path = _in_order(model, path)
    state = _checked(model.state_dict() if isinstance(model, Module) else model)
    told = {**_architecture_of(model), **(metadata or {})}
    description = {"format": _FORMAT, "order": list(state), "metadata": _plain(told, "metadata")}
    text = json.dumps({**description, "sha256": _checksum(description, state)})
    pieces = encode(state, {**_OTHERS, _OWN: text})
    if isinstance(path, str | os.PathLike):
        write_atomically(path, pieces, "the model")
    else:
        for piece in pieces:
            path.write(piece)


def _in_order(first: Any, second: Any) -> tuple[Saved, Place]:
    for model, path in [(first, second), (second, first)]:
        if isinstance(model, Module | Mapping) and (isinstance(path, str | os.PathLike) or hasattr(path, "write")):
            return model, path
    raise TypeError(
        f"save takes a Module or a state dict, then a path: got a {type(first).__name__} and a {type(second).__name__}"
    )


def _architecture_of(model: Any) -> dict[str, Any]:
    """The layers of a Sequential, for `load_model`, if all are nnlite's."""
    if not isinstance(model, Sequential):
        return {}
    try:
        return {"architecture": describe_model(model)}
    except TypeError:
        return {}


def _plain(value: Any, name: str) -> Any:
    """Metadata as JSON returns it; NumPy's scalars and arrays as numbers and lists. TypeError for anything else."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item, f"{name}[{i}]") for i, item in enumerate(value)]
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{name} is a {type(value).__name__}; metadata holds what JSON can: None, booleans, numbers, text, "
            "and lists and dictionaries of these"
        )
    plain = {_key(key, name): _plain(item, f"{name}[{key!r}]") for key, item in value.items()}
    if len(plain) < len(value):
        raise TypeError(f"{name} has two keys that are the same text: {', '.join(map(repr, value))}")
    return plain


def _key(key: Any, name: str) -> str:
    if not isinstance(key, str | int | float | bool | np.generic) and key is not None:
        raise TypeError(f"{name} has the key {key!r}, a {type(key).__name__}; keys are text or numbers")
    plain = key.item() if isinstance(key, np.generic) else key
    return plain if isinstance(plain, str) else json.dumps(plain)


def _checked(state: Mapping[str, Array | Tensor]) -> State:
    """A user's state dict as contiguous arrays of types that a model file can hold."""
    result: State = {}
    for name, value in state.items():
        if not isinstance(name, str) or name == "__metadata__":
            raise TypeError(f"the keys of a state dict are names of arrays, got {name!r}")
        array = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(f"{name} has dtype {array.dtype}; a model file holds booleans, integers and floats")
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        result[name] = np.ascontiguousarray(native).reshape(array.shape)  # ascontiguousarray makes () into (1,)
    return result


def _checksum(description: Mapping[str, Any], state: Mapping[str, Array]) -> str:
    """SHA-256 of everything in a file, names and settings included."""
    digest = hashlib.sha256(json.dumps({**description, "sha256": ""}).encode())
    for name, array in sorted(state.items()):
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(memoryview_of(np.ascontiguousarray(array, array.dtype.newbyteorder("<"))))
    return digest.hexdigest()


def load(path: Place) -> State:
    """The state dict of any safetensors file, or of one open for reading: arrays under their names, for `model.load_state_dict`.

    bfloat16 and 8-bit floats, which NumPy lacks, become float32 of the same values. Raises OSError if the file cannot be read,
    ModelFileError (a ValueError) if it is incomplete or another kind of file; files of `save` are checked against their
    checksum. A file can neither run code nor allocate more memory than it has bytes.
    """
    data = _contents(path)
    try:
        if not _is_foreign(decode_header(data)[0]):
            return _own_contents(path, data)[0]
        return decode(data)[0]
    except ModelFileError:
        raise
    except ValueError as error:
        raise ModelFileError(f"{path} is not a complete model file: {error}{_likely(data)}") from None


def _is_foreign(header: Mapping[str, Any]) -> bool:
    """Whether another program wrote the file; a file of `save` with a damaged description is not foreign."""
    metadata = header.get("__metadata__")
    return not isinstance(metadata, dict) or not (_OWN in metadata or "sha256" in "".join(map(str, metadata.values())))


def _likely(data: bytearray) -> str:
    """What else the file may be."""
    if data.startswith(b"PK"):
        return (
            "; it is a zip archive, such as torch.save and np.savez write: save with safetensors.torch.save_file, or read "
            "it with torch.load or np.load and pass the arrays to load_state_dict"
        )
    return ""


def load_with_metadata(path: Place) -> tuple[State, dict[str, Any]]:
    """(state dict, metadata) of a file that `save` wrote; raises as `load`."""
    data = _contents(path)
    try:
        return _own_contents(path, data)
    except ModelFileError:
        raise
    except ValueError as error:
        raise ModelFileError(f"{path} is not a complete model file: {error}{_likely(data)}") from None


def _own_contents(path: Place, data: bytearray) -> tuple[State, dict[str, Any]]:
    description = _description(path, decode_header(data)[0])
    arrays, _ = decode(data)
    if description["sha256"] != _checksum(description, arrays):
        raise ModelFileError(f"{path} is damaged: its contents do not match its checksum")
    order, metadata = description.get("order"), description.get("metadata")
    if not isinstance(order, list) or not isinstance(metadata, dict) or sorted(map(str, order)) != sorted(arrays):
        raise ModelFileError(f"{path} is damaged: its description does not fit its contents")
    return {name: arrays[name] for name in order}, metadata


def _contents(path: Place) -> bytearray:
    """A file's bytes, in memory that arrays can share."""
    if not isinstance(path, str | os.PathLike):
        return bytearray(path.read())
    with Path(path).open("rb") as file:
        data = bytearray(os.fstat(file.fileno()).st_size)
        count = file.readinto(data)
    del data[count:]  # the file shrank meanwhile
    return data


def _description(path: Place, header: Mapping[str, Any]) -> dict[str, Any]:
    """What `save` wrote beside the arrays, read before anything is allocated for them."""
    try:
        others = dict(header.get("__metadata__", {}))
        text = others.pop(_OWN, None)
        description = json.loads(text) if text is not None else None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{path} is not a model file: {error}") from None
    if not isinstance(description, dict) or description.get("format") != _FORMAT:
        raise ModelFileError(
            f"{path} is not in the format {_FORMAT} that save() writes: nl.load reads the arrays of other safetensors files"
        )
    if others not in ({}, _OTHERS):
        raise ModelFileError(f"{path} is damaged: it has other metadata, {others}")
    if not isinstance(description.get("sha256"), str):
        raise ModelFileError(f"{path} is damaged: its description has no checksum")
    return description
