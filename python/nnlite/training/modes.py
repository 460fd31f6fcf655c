"""Context managers: the default generator, training or evaluation mode."""

from typing import Any

from .. import _core
from ..nn import Module


class default_generator:
    """Makes a generator the default within the block."""

    def __init__(self, generator: _core.Generator) -> None:
        self._wanted = generator

    def __enter__(self) -> None:
        self._previous = _core.use_generator(self._wanted)

    def __exit__(self, *exception: object) -> None:
        _core.use_generator(self._previous)


class mode:
    """Training or evaluation mode within the block; every module then gets its own mode back. Functions have none."""

    def __init__(self, model: Any, training: bool) -> None:
        self._model = model
        self._training = training

    def __enter__(self) -> None:
        if not isinstance(self._model, Module):
            self._previous: list[tuple[Module, bool]] = []
            self._is_plain = True
            return
        switched = _core.switch_mode(self._model, self._training)
        self._is_plain = switched is not None
        self._previous = switched or [(module, module.training) for module in self._model.modules()]
        if not self._is_plain:
            self._model.train(self._training)

    def __exit__(self, *exception: object) -> None:
        if not self._is_plain:
            self._model.train(self._previous[0][1])  # an overridden train() may have more to restore
        for module, training in self._previous:
            module.__dict__["training"] = training
