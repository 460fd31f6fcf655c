"""Saving and loading models: safetensors files, written so that no crash leaves half of one."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ModelFileError
from .nn import Module

Array = np.ndarray[Any, Any]
State = dict[str, Array]

_FORMAT = "nnlite-1"


def save(path: str | Path, model: Module | Mapping[str, Array], *, metadata: Mapping[str, Any] | None = None) -> None:
    """Writes a model's parameters and buffers (or a state dict) to `path`, with `metadata` (JSON-able) beside them.

    The file is written next to `path` under another name, flushed to the disk and then renamed, so that at any moment `path` is
    the old file or the new one, whole. Other programs read it as safetensors. Raises OSError naming the path when it cannot be
    written; the previous file then stays.
    """
    from safetensors.numpy import save as serialise

    state = model.state_dict() if isinstance(model, Module) else {k: np.asarray(v) for k, v in model.items()}
    state = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in state.items()}
    header = {
        "format": _FORMAT,
        "sha256": _checksum(state),
        "order": json.dumps(list(state)),
        "metadata": json.dumps(dict(metadata or {})),
    }
    _write_atomically(Path(path), serialise(state, header))


def _checksum(state: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(state.items()):
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def _write_atomically(path: Path, data: bytes) -> None:
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent or Path("."))
    except OSError as error:
        raise OSError(error.errno, f"cannot save the model: {error.strerror}", str(path)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise OSError(error.errno, f"cannot save the model: {error.strerror}", str(path)) from error
        raise


def _umask() -> int:
    """The permissions that a plain open() would leave out."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """The rename itself must reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load(path: str | Path) -> State:
    """The state dict of a file that `save` wrote: arrays under PyTorch's keys, for `model.load_state_dict`.

    Raises OSError where the file cannot be read, ModelFileError (a ValueError) where it is not whole or no such file.
    """
    return load_with_metadata(path)[0]


def load_with_metadata(path: str | Path) -> tuple[State, dict[str, Any]]:
    """(state dict, metadata) of a file that `save` wrote; raises as `load`."""
    data = Path(path).read_bytes()
    header = _header(path, data)
    try:
        from safetensors.numpy import load as deserialise

        arrays = deserialise(data)
    except Exception as error:  # the reader's own exception type is not a stable part of its interface
        raise ModelFileError(f"{path} is not a whole model file: {error}") from None
    if header.get("sha256") != _checksum(arrays):
        raise ModelFileError(f"{path} is damaged: its contents do not match the checksum that it was saved with")
    try:
        order, metadata = json.loads(header["order"]), json.loads(header["metadata"])
        state = {name: arrays[name] for name in order}
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged: its description cannot be read ({error})") from None
    if len(state) != len(arrays) or not isinstance(metadata, dict):
        raise ModelFileError(f"{path} is damaged: its description does not fit its contents")
    return state, metadata


def _header(path: str | Path, data: bytes) -> dict[str, str]:
    """The strings in the header of a safetensors file, checked before anything is allocated."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise ModelFileError(f"{path} is not a model file, or is cut short ({len(data)} bytes)")
    try:
        header = json.loads(data[8 : 8 + size]).get("__metadata__")
    except (ValueError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{path} is not a model file: {error}") from None
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise ModelFileError(f"{path} was not saved by nnlite {_FORMAT.split('-')[1]}.x: use safetensors to read its arrays")
    return header
