"""Models from files, with their preprocessing and class names."""

import math
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from .autograd.grad_mode import no_grad
from .data.frames import frame_of
from .data.preprocessing import Preprocessor
from .data.sources import inputs_of, numeric
from .data.table import Table, table_of
from .errors import ModelFileError
from .files.architecture import build_model
from .files.model_file import load_with_metadata
from .metrics import predicted_classes
from .nn import Embedding, Sequential, functional

Array = np.ndarray[Any, Any]

_ROWS_AT_ONCE = 4096


class LoadedModel:
    """A model saved by `nnlite train --save` or `nl.save(model)`, ready for raw rows.

    Rows are an array (N, columns), a DataFrame, a list of rows or of dictionaries, a dictionary of columns, or a
    `nl.data.read_csv` table. Columns are matched by name where rows have names, else by position; ValueError names the missing
    ones. `model` is the network, `class_names` its classes (None in regression), `preprocessor` turns tables into inputs (None
    for a model trained on arrays).
    """

    def __init__(self, model: Sequential, metadata: dict[str, Any]) -> None:
        self.model = model.eval()
        self.metadata = metadata
        self.class_names = _class_names(metadata.get("class_names"))
        self._unit = (_number(metadata, "target_mean", 0.0), _number(metadata, "target_scale", 1.0))
        self._scaling = metadata.get("scaling")
        state = self._scaling.get("preprocessor") if isinstance(self._scaling, dict) else None
        self.preprocessor = None if state is None else Preprocessor.from_dict(state)
        if "scaling" in metadata and not isinstance(self._scaling, dict):
            raise ModelFileError("the file does not say how to make its model's inputs")

    def __getattr__(self, name: str) -> Any:
        """The network's attributes: its state, parameters, fingerprint."""
        if name == "model":  # not yet set while being copied
            raise AttributeError(name)
        return getattr(self.model, name)

    def inputs(self, rows: Any, **notation: Any) -> Array:
        """The network's inputs for raw rows. `missing` and `decimal` override the training table's."""
        if self.preprocessor is not None:
            return self.preprocessor.inputs(rows, **notation)
        array = _array(rows, **notation)
        takes_indices = self._scaling is None and any(isinstance(m, Embedding) for m in self.model.modules())
        if array.ndim < 2 and not takes_indices:
            raise ValueError(f"rows have shape {array.shape}; they must be (N, columns): write one row as [[...]]")
        if self._scaling is not None:
            return inputs_of("x", array, self._scaling, None)
        if takes_indices and np.all(array == np.round(array)):
            return np.ascontiguousarray(array, np.int64)
        dtype = next((parameter.dtype for parameter in self.model.parameters()), np.dtype(np.float32))
        return np.ascontiguousarray(array, dtype)

    def in_unit(self, outputs: Array) -> Array:
        """Outputs of a regression in the target's unit; others unchanged."""
        if self.class_names is not None or self._unit == (0.0, 1.0):
            return outputs
        return outputs.astype(np.float64) * self._unit[1] + self._unit[0]

    def __call__(self, rows: Any) -> Array:
        """The network's outputs for raw rows: (N, classes), or values (N,) in the target's unit."""
        return self.answers_to(self.inputs(rows))

    def answers_to(self, inputs: Array) -> Array:
        """The network's outputs, as from a call, for `inputs`."""
        if not len(inputs):
            raise ValueError("there are no rows")
        parts = [inputs[begin : begin + _ROWS_AT_ONCE] for begin in range(0, len(inputs), _ROWS_AT_ONCE)]
        with no_grad():
            return self.in_unit(np.concatenate([self.model(part).detach().numpy() for part in parts]))

    def predict(self, rows: Any) -> Array:
        """Each row's class name, or value in the target's unit; raw outputs if the file names no classes."""
        outputs = self(rows)
        return outputs if self.class_names is None else np.array(self.class_names)[predicted_classes(outputs)]

    def predict_proba(self, rows: Any) -> Array:
        """Class probabilities (N, classes); ValueError for a model without classes."""
        if self.class_names is None:
            raise ValueError("the model's file names no classes: use predict(rows)")
        return self.chances(self(rows))

    def chances(self, outputs: Array) -> Array:
        """Class probabilities (N, classes) of outputs."""
        if outputs.ndim == 1:
            positive = functional.sigmoid(outputs).numpy()
            return np.stack([1 - positive, positive], 1)
        return functional.softmax(outputs, 1).numpy()

    def __repr__(self) -> str:
        takes = "" if self.preprocessor is None else f", columns={[c.name for c in self.preprocessor.columns]}"
        return f"LoadedModel({self.model!r}, class_names={self.class_names}{takes})"


def load_model(path: str | Path) -> LoadedModel:
    """Loads a model saved by `nnlite train --save` or `nl.save(model)`, ready for raw rows.

    Raises OSError if the file cannot be read, ModelFileError if it is not a complete model file or holds weights without an
    architecture, as of a module with a custom `forward`: `nl.load` reads those.

    >>> import numpy as np, nnlite as nl, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nl.save(nl.nn.MLP([2, 4, 1]), f"{folder}/model.safetensors")
    ...     nl.load_model(f"{folder}/model.safetensors").predict([[1, 2], [3, 4]]).shape
    (2, 1)
    """
    state, metadata = load_with_metadata(path)
    if "architecture" not in metadata:
        raise ModelFileError(
            f"{path} holds only weights, no architecture; `nnlite train --save`, and nl.save of a Sequential of nnlite's "
            "layers, write what predicting needs"
        )
    model = build_model(metadata["architecture"], sum(array.size for array in state.values()))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ModelFileError(f"{path}: {error}") from None
    return LoadedModel(model, metadata)


def opened(model: Any) -> LoadedModel:
    """The model at a path, or a LoadedModel unchanged; TypeError for anything else."""
    if isinstance(model, str | Path):
        return load_model(model)
    if not isinstance(model, LoadedModel):
        raise TypeError(f"model must be an nn.Module, a path or a LoadedModel, got {type(model).__name__}")
    return model


def _array(rows: Any, **notation: Any) -> Array:
    if isinstance(rows, Table):
        return numeric(rows, **notation)
    by_name = isinstance(rows, list) and len(rows) > 0 and isinstance(rows[0], Mapping)
    if rows is None or by_name or isinstance(rows, str | PathLike | Mapping):
        return numeric(table_of(rows), **notation)
    return frame_of("x", rows)


def _number(metadata: dict[str, Any], key: str, default: float) -> float:
    value = metadata.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ModelFileError(f"the file describes a model with {key} = {value!r}")
    return float(value)


def _class_names(names: Any) -> list[str] | None:
    if names is not None and not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        raise ModelFileError(f"the file describes a model with class_names = {names!r}")
    return names
