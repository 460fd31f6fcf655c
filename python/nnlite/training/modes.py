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
        self._previous = [(module, module.training) for module in model.modules()] if isinstance(model, Module) else []
        self._model = model
        self._training = training
        # Others may override train() and have more to set.
        self._is_plain = all(
            type(module).__module__.startswith("nnlite.") and "train" not in vars(module)
            for module, _ in self._previous
        )

    def __enter__(self) -> None:
        if self._is_plain:
            for module, _ in self._previous:
                module.__dict__["training"] = self._training
        else:
            self._model.train(self._training)

    def __exit__(self, *exception: object) -> None:
        if not self._is_plain:
            self._model.train(self._previous[0][1])
        for module, training in self._previous:
            module.__dict__["training"] = training
