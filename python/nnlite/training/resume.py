"""Resuming a fit: everything that determines its remaining bits, in one file that is always complete."""

from __future__ import annotations

import errno
import time
import warnings
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from types import NoneType
from typing import Any, Protocol

import numpy as np

from ..errors import ModelFileError
from ..files.atomic import remove_leftovers
from ..files.model_file import load_with_metadata, save
from .loss import LossTotal

_NAME = "checkpoint.safetensors"
_ARRAY = "array"  # {"array": name} represents an array in the JSON
_BEFORE = {"drop_last": False, "clip_norm": None, "clip_value": None}  # for files of earlier versions
_PARTS: dict[str, Any] = {
    "settings": dict, "callbacks": list, "model": dict, "optimizer": dict, "generator": dict, "history": dict,
    "others": (dict, NoneType), "options": (list, NoneType), "script": (dict, NoneType),
    "first_epoch": int, "epoch": int, "stop_training": bool, "batch": int, "loss": dict, "outputs": (np.ndarray, NoneType), "rates": dict,
}  # fmt: skip


class Resumable(Protocol):
    """A fit that saves and loads its own state."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None: ...


class Checkpoints:
    """The checkpoint of one fit in `folder`, rewritten about every `seconds`."""

    def __init__(self, folder: str | Path, resume: bool, seconds: float) -> None:
        if not (isinstance(seconds, int | float) and seconds >= 0):
            raise ValueError(f"checkpoint_seconds must be a number of at least 0, got {seconds!r}")
        self.path = Path(folder) / _NAME
        self._resume = resume
        self._seconds = seconds
        self._next = 0.0
        if not resume and self.path.exists():
            raise FileExistsError(
                errno.EEXIST,
                "a fit left a checkpoint here: continue it with resume=True, delete it, or use another folder",
                str(self.path),
            )
        Path(folder).mkdir(parents=True, exist_ok=True)
        remove_leftovers(Path(folder))

    @classmethod
    def of(cls, folder: str | Path | None, resume: bool, seconds: float) -> Checkpoints | None:
        """Those in `folder`; None without one."""
        if folder is not None:
            return cls(folder, resume, seconds)
        if resume:
            raise ValueError("resume=True needs the folder of the checkpoint: fit(..., checkpoint=folder, resume=True)")
        return None

    @property
    def resumes(self) -> bool:
        """Whether there is a fit to resume."""
        return self._resume and self.path.exists()

    def begin(self, fit: Resumable) -> None:
        """Resumes the file's fit, if there is one; else writes a first checkpoint, to fail early if it cannot.

        If the file does not fit, nothing changes: RuntimeError for another model, ModelFileError for a file that is
        not a complete checkpoint, ValueError for the checkpoint of another fit.
        """
        own = fit.state_dict()
        if not self.resumes:
            self.save(own)
            return
        saved = _read(self.path)
        _require_same_fit(own, saved, self.path)
        try:
            fit.load_state_dict(saved)
        except Exception as error:
            fit.load_state_dict(own)
            if isinstance(error, RuntimeError):
                raise
            raise ModelFileError(
                f"{self.path} is not a complete checkpoint: {type(error).__name__}: {error}"
            ) from error
        _warn_of_other_options(saved["options"] or [], own["options"], self.path)
        _warn_of_another_script(saved["script"] or {}, own["script"], self.path)
        self._next = time.monotonic() + self._seconds

    def due(self) -> bool:
        """Whether the next is due."""
        return time.monotonic() >= self._next

    def save(self, state: Mapping[str, Any]) -> None:
        """Replaces the file by a fit's state between two batches."""
        arrays: dict[str, Any] = {}
        plain = _without_arrays(state, "", arrays)
        save(arrays, self.path, metadata={"checkpoint": plain})
        self._next = time.monotonic() + self._seconds


def _warn_of_another_script(begun_with: Mapping[str, str], here: Mapping[str, str], path: Path) -> None:
    for name, own in here.items():
        begun = str(begun_with.get(name, own))
        pairs = zip_longest(begun.splitlines(), own.splitlines(), fillvalue="nothing")
        first, second = next(((a.strip(), b.strip()) for a, b in pairs if a != b), ("", ""))
        if first != second:
            warnings.warn(
                f"{path}: {name} was {first} and is now {second}, which the fit continues with: make them equal, or start "
                "again in another folder",
                stacklevel=6,
            )


def _warn_of_other_options(begun_with: list[Any], here: list[Any], path: Path) -> None:
    for number, (begun, own) in enumerate(zip(begun_with, here, strict=False)):
        other = [
            f"{name}={begun[name]!r} (here {own[name]!r})" for name in own if begun.get(name, own[name]) != own[name]
        ]
        if other:
            warnings.warn(
                f"{path}: the fit began with {', '.join(other)} in parameter group {number} and continues with the "
                "checkpoint's optimizer, not this script's options: change them in a callback, or start again in "
                "another folder",
                stacklevel=6,
            )


def _read(path: Path) -> dict[str, Any]:
    arrays, metadata = load_with_metadata(path)
    if "checkpoint" not in metadata:
        raise ModelFileError(f"{path} holds a model, not the checkpoint of a fit")
    try:
        state = _upgraded(_with_arrays(metadata["checkpoint"], arrays))
        wrong = [name for name, kind in _PARTS.items() if not isinstance(state[name], kind)]
    except (KeyError, TypeError) as error:
        raise ModelFileError(f"{path} is not a complete checkpoint: {error} is missing") from None
    options = state["options"]
    if isinstance(options, list) and not all(isinstance(group, dict) for group in options):
        wrong.append("options")
    if wrong:
        raise ModelFileError(f"{path} is not a complete checkpoint: {', '.join(wrong)} cannot be read")
    return dict(state)


def _upgraded(state: dict[str, Any]) -> dict[str, Any]:
    """A state in this version's format; 0.1.0 kept only the model, and a mean loss times rows."""
    if "total" in state:
        settings = state["settings"]
        rows = min(state["batch"] * settings["batch_size"], settings["the shapes of the data"][0][0])
        state["loss"] = vars(LossTotal(state["total"], float(rows)))
    return {"others": None, "options": None, "script": None, "rates": {}, **state}


def _require_same_fit(own: Mapping[str, Any], state: Mapping[str, Any], path: Path) -> None:
    for name, value in own["settings"].items():
        saved = state["settings"].get(name, _BEFORE.get(name, value))
        if saved != value:
            raise ValueError(
                f"{path} is the checkpoint of another fit: {name} was {saved} and is now {value}; make them "
                "equal, or start again in another folder"
            )
    saved_names = [callback[0] if isinstance(callback, list) and callback else None for callback in state["callbacks"]]
    names = [name for name, _ in own["callbacks"]]
    if saved_names != names:
        raise ValueError(
            f"{path} is the checkpoint of a fit with the callbacks {saved_names}, but this one has {names}; pass the "
            "same in the same order"
        )


def _without_arrays(value: Any, name: str, arrays: dict[str, Any]) -> Any:
    """`value` as plain data for JSON; its arrays go into `arrays` under names that give their place."""
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {_ARRAY: name}
    if isinstance(value, Mapping):
        return {str(key): _without_arrays(item, f"{name}/{key}".lstrip("/"), arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, f"{name}/{i}", arrays) for i, item in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold {name}, a {type(value).__name__}: only numbers, text, lists and arrays")


def _with_arrays(value: Any, arrays: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if list(value) == [_ARRAY]:
            return arrays[value[_ARRAY]]
        return {key: _with_arrays(item, arrays) for key, item in value.items()}
    return [_with_arrays(item, arrays) for item in value] if isinstance(value, list) else value
