"""Everything that a fit changes: the model, whatever else its optimizer trains, and the progress."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._core import Generator, Tensor
from ..descriptions import brief, described
from ..nn import Module
from ..optim import LRScheduler, Optimizer
from .arrays import Array
from .history import History

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # differs from process to process

NamedMetric = tuple[str, Callable[[Array, Array], float]]


class EpochReads:
    """Whether anything read what changes between epochs: such a step is recorded at every epoch."""

    def __init__(self) -> None:
        self.seen = False


class TrainingState:
    """What is trained, how, and how far.

    `epoch` counts the epochs so far, `history` is that of the last or running fit, `generator` draws for dropout;
    `figures` are the history's keys, `more_figures` says whether callbacks may add some, and `stop_training` ends the fit
    after the epoch.
    """

    def __init__(self, model: Module, criterion: Callable[..., Any], optimizer: Optimizer, seed: int) -> None:
        self.model = model
        self.criterion = criterion
        self.optimizer = optimizer
        self.metrics: list[NamedMetric] = []
        self.seed = seed
        self.generator = Generator(seed)
        self.epoch_reads = EpochReads()
        self.epoch = 0
        self.history = History()
        self.stop_training = False
        self.figures: list[str] = []
        self.more_figures = False

    @property
    def epoch(self) -> int:
        """The number of epochs so far, or the number of the running one. A criterion may read it."""
        self.epoch_reads.seen = True
        return self._epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._epoch = value

    @property
    def history(self) -> History:
        """The history of the last or running fit. A criterion may read it."""
        self.epoch_reads.seen = True
        return self._history

    @history.setter
    def history(self, value: History) -> None:
        self._history = value

    def begin_history(self, with_validation: bool) -> None:
        """Starts an empty history for a new fit."""
        self.history = History()
        self.stop_training = False
        names = ["loss", *(name for name, _ in self.metrics)]
        self.figures = names + [f"val_{name}" for name in names if with_validation]

    def described_script(self) -> dict[str, str]:
        """What state dicts lack: activations, dropout rates, the loss and its options."""
        criterion = self.criterion
        loss = described(criterion) if isinstance(criterion, Module) else brief(criterion)
        parts = {"the model": repr(self.model), "the criterion": loss}
        return {name: _ADDRESS.sub("", text) for name, text in parts.items()}

    def other_tensors(self) -> dict[str, Tensor]:
        """What is trained or kept outside the model: the criterion's parameters and buffers, and the optimizer's others."""
        known = {id(tensor) for tensor in self.model.state_tensors().values()}
        own = self.criterion.state_tensors() if isinstance(self.criterion, Module) else {}
        found = {f"criterion.{name}": tensor for name, tensor in own.items()}
        trained = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        found.update({f"optimizer.{i}": parameter for i, parameter in enumerate(trained)})
        result: dict[str, Tensor] = {}
        for name, tensor in found.items():
            if id(tensor) not in known:
                known.add(id(tensor))
                result[name] = tensor
        return result

    def trained_state(self) -> dict[str, Any]:
        """Copies of everything that a fit changes: the model's state dict and, as "others", what is trained besides."""
        others = {name: tensor.detach().numpy().copy() for name, tensor in self.other_tensors().items()}
        return {"model": self.model.state_dict(), "others": others}

    def load_trained_state(self, state: Mapping[str, Any]) -> None:
        """Restores what `trained_state` returned; RuntimeError or TypeError, and nothing changed, if it does not fit.

        Without "others" only the model changes.
        """
        if not isinstance(state, Mapping) or "model" not in state:
            raise TypeError(f"the state must be a dictionary with 'model', as from trained_state(), got {state!r}")
        others, own = state.get("others"), self.other_tensors()
        if others is None:
            own, others = {}, {}
        if list(own) != list(others):
            raise RuntimeError(
                f"the state has {', '.join(others) or 'nothing'} besides the model, but this fit trains {', '.join(own) or 'nothing'}"
            )
        for name, tensor in own.items():
            if np.shape(others[name]) != tensor.shape:
                raise RuntimeError(
                    f"{name} has shape {np.shape(others[name])} in the state, {tensor.shape} in this fit"
                )
        self.model.load_state_dict(state["model"])
        for name, tensor in own.items():
            tensor.detach().copy_(others[name])


class Beginning:
    """Everything that a fit changes, as it was before."""

    def __init__(self, state: TrainingState, schedules: Sequence[LRScheduler] = ()) -> None:
        self._state = state
        self._schedules = [(schedule, schedule.state_dict()) for schedule in schedules]
        self._trained, self._optimizer = state.trained_state(), state.optimizer.state_dict()
        self._position = state.generator.state()

    def restore(self) -> None:
        """Restores it."""
        self._state.load_trained_state(self._trained)
        self._state.optimizer.load_state_dict(self._optimizer)
        self._state.generator.set_state(self._position)
        for schedule, saved in self._schedules:
            schedule.load_state_dict(saved)
