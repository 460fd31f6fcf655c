"""Predictions from a frozen model."""

import copy
import os
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core import CaptureError, FrozenProgram, Tensor
from ..autograd.grad_mode import no_grad
from ..descriptions import brief
from ..nn import Module
from .arrays import Array, as_array
from .capture import confirm, record, run_model, undone_on_failure
from .loss import RecordedLoss
from .rows import Rows, input_dtypes

if TYPE_CHECKING:
    from ..loading import LoadedModel

_KEPT = 16  # programs; each holds the buffers of its rows
_ROWS_AT_ONCE = 128


class Predictor:
    """A frozen copy of the model in evaluation mode, for fast predictions: NumPy in, NumPy out.

    `predictor(x)` maps x (N, ...) to outputs (N, ...) with the bits of `model(x)`; several inputs are separate arguments.
    Each input shape is recorded once, weights are kept in the layout that the product reads, and one row through a small
    network costs little more than a function call. Later changes to the model have no effect: make a new Predictor.
    Threads may share one.

    A Predictor of a path or a `LoadedModel` takes raw rows, and returns the values of a regression in the target's unit.

    Raises TypeError for anything but arrays of numbers, ValueError for shapes that do not fit the model. NaN and infinity
    are allowed.

    >>> import numpy as np
    >>> import nnlite as nl
    >>> from nnlite import nn
    >>> model = nn.MLP([4, 8, 3])
    >>> predictor = nl.Predictor(model)
    >>> row = np.ones((1, 4), np.float32)
    >>> bool((predictor(row) == model(row).detach().numpy()).all())
    True
    """

    def __init__(self, model: "Module | LoadedModel | str | Path") -> None:
        self._loaded: LoadedModel | None = None
        if not isinstance(model, Module):
            from ..loading import opened  # few need its readers of tables

            self._loaded = opened(model)
            model = self._loaded.model
        self._model = copy.deepcopy(model).eval()
        self._programs: OrderedDict[Any, FrozenProgram | None] = OrderedDict()
        self._recent: FrozenProgram | None = None

    def __repr__(self) -> str:
        return f"Predictor({brief(self._model)})"

    def __getstate__(self) -> dict[str, Any]:
        # A copy, in this process or another, records its own programs.
        return {**self.__dict__, "_programs": OrderedDict(), "_recent": None}

    def __call__(self, *inputs: Any) -> Array:
        if self._recent is not None:
            output = self._recent(*inputs)
            if output is not None:
                return output
        if self._loaded is None:
            return self._of_any_shape(inputs)
        if len(inputs) != 1:
            raise TypeError(f"a Predictor of a file takes one argument, the rows, got {len(inputs)}")
        return self._loaded.in_unit(self._of_any_shape((self._loaded.inputs(inputs[0]),)))

    def _of_any_shape(self, inputs: tuple[Any, ...]) -> Array:
        if not inputs:
            raise TypeError("a Predictor needs the model's inputs, e.g. predictor(x)")
        names = ["x"] if len(inputs) == 1 else [f"input {i}" for i in range(len(inputs))]
        raw = tuple(as_array(name, value) for name, value in zip(names, inputs, strict=True))
        for name, array in zip(names, raw, strict=True):
            if len(array) != len(raw[0]):
                raise ValueError(f"{names[0]} has {len(raw[0])} rows and {name} has {len(array)}")
        dtypes = input_dtypes(self._model, None, Rows(raw))
        arrays = [np.ascontiguousarray(array, dtype) for array, dtype in zip(raw, dtypes, strict=True)]
        rows = len(arrays[0])
        if rows <= _ROWS_AT_ONCE:
            return self._run(arrays)
        parts = [
            self._run([array[begin : begin + _ROWS_AT_ONCE] for array in arrays])
            for begin in range(0, rows, _ROWS_AT_ONCE)
        ]
        return np.concatenate(parts)

    def _run(self, arrays: list[Array]) -> Array:
        program = self._program(arrays)
        if program is None:
            with no_grad():
                output = run_model(self._model, [Tensor(array, array.dtype) for array in arrays], len(arrays[0]))
            return np.array(output.detach().numpy())  # a copy: it may be an input or one of the model's own tensors
        self._recent = program if self._loaded is None else None  # raw rows are not the network's inputs
        result = program(*arrays)
        assert result is not None
        return result

    def _program(self, arrays: list[Array]) -> FrozenProgram | None:
        """The program for arrays of this kind, recorded if not kept; any other thread may evict it."""
        # A forked child records its own: another thread of its parent may have been running one.
        key = (os.getpid(), *((array.shape, array.dtype.str) for array in arrays))
        try:
            return self._programs[key]
        except KeyError:
            program = self._programs[key] = self._record(arrays)
            while len(self._programs) > _KEPT:
                self._programs.popitem(last=False)
            return program

    def _record(self, arrays: list[Array]) -> FrozenProgram | None:
        """None for a model that reads values, which runs operation by operation."""
        shapes, dtypes = [array.shape for array in arrays], [array.dtype for array in arrays]

        def step(inputs: list[Tensor]) -> tuple[Tensor, RecordedLoss]:
            return run_model(self._model, inputs, len(arrays[0])), RecordedLoss()

        try:
            with no_grad(), undone_on_failure(self._model):
                first = record(step, shapes, dtypes)
                confirm(first, lambda: record(step, shapes, dtypes), self._model)
                return FrozenProgram(first.trace, first.inputs, first.output)
        except CaptureError:
            return None
