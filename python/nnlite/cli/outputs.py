"""Output files: checked before the work, never lost after it."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files.atomic import require_writable
from ..files.model_file import load_with_metadata, save
from ..nn import Module
from .streams import say

_DATA_FILE = re.compile(r"ubyte|idx\d|\.(csv|tsv|npz|npy|gz)$")


def require_outputs(
    outputs: Mapping[str, str | None], inputs: Sequence[str], overwrite: bool, streams: bool = False
) -> None:
    """OSError for an output {option: file} that cannot be written, ValueError for one that would replace an input."""
    named = {option: path for option, path in outputs.items() if path is not None}
    for path in named.values():
        require_writable(path, streams=streams)
    seen: dict[str, str] = {}
    for option, path in named.items():
        other = next((other for other, earlier in seen.items() if _same(path, earlier)), None)
        if other is not None:
            raise ValueError(f"{other} and {option} name the same file, {path}")
        seen[option] = path
        if not overwrite and any(_replaces(path, source) for source in inputs):
            raise ValueError(f"{option} {path} would overwrite an input: add --overwrite to allow it")


def require_picture(path: str) -> str:
    """The picture's file name; an error if matplotlib cannot draw it."""
    from ..plots import figure  # only this command needs matplotlib

    return figure.require_picture(path)


def require_resumable(checkpoint: str | None, resume: bool) -> None:
    """ValueError for --resume without a folder, and for a folder with a checkpoint without --resume."""
    if resume and checkpoint is None:
        raise ValueError("--resume continues from a checkpoint: name its folder with --checkpoint FOLDER")
    if checkpoint is not None and not resume and _checkpoint_in(checkpoint).exists():
        raise ValueError(
            f"{_checkpoint_in(checkpoint)} is left from another training: continue it with --resume, delete it, or use "
            "another folder"
        )


def completed_epochs(checkpoint: str) -> int:
    """Complete epochs in a folder's checkpoint; 0 without a readable one."""
    try:
        return int(load_with_metadata(_checkpoint_in(checkpoint))[1]["checkpoint"]["epoch"])
    except (OSError, ValueError, KeyError, TypeError):  # which the fit will explain
        return 0


def _checkpoint_in(folder: str) -> Path:
    return Path(folder) / "checkpoint.safetensors"


def _same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):  # one of them does not exist yet
        return os.path.realpath(path) == os.path.realpath(other)


def _replaces(path: str, source: str) -> bool:
    if not os.path.exists(path) or not os.path.exists(source):
        return False
    if os.path.isdir(source):
        return _same(os.path.dirname(os.path.realpath(path)), source) and bool(_DATA_FILE.search(path))
    return _same(path, source)


def save_model(path: str, model: Module, metadata: Mapping[str, Any]) -> None:
    """Saves the model; if that fails, in a temporary folder, with an error that says so."""
    try:
        save(model, path, metadata=metadata)
    except OSError as error:
        rescued = os.path.join(tempfile.mkdtemp(prefix="nnlite-"), os.path.basename(path))
        try:
            save(model, rescued, metadata=metadata)
        except OSError:
            os.rmdir(os.path.dirname(rescued))
            raise error from None
        raise OSError(error.errno, f"{error.strerror}; the model is in {rescued} instead", path) from None


def keep_interrupted(path: str | None, checkpoint: str | None, model: Module, metadata: Mapping[str, Any]) -> None:
    """After Ctrl-C: says how to resume, and saves the weights so far beside the file for the finished model."""
    if checkpoint is not None and _checkpoint_in(checkpoint).exists():
        say(f"nnlite: the training is saved in {checkpoint}: the same command with --resume continues it")
    if path is not None:
        stem, ending = os.path.splitext(path)
        save_model(f"{stem}.interrupted{ending}", model, metadata)
        say(f"nnlite: the model so far is in {stem}.interrupted{ending}")
