"""One fit at a time per model."""

from __future__ import annotations

import os
import threading
from typing import Any

from ..nn import Module


class _Use:
    """Kept with the model: a table of weak references would lose a Ctrl-C that arrives while one is finalised."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.fitting = False
        self.process = os.getpid()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Use, ()  # nobody uses a copy of the model


def _use_of(model: Module) -> _Use:
    use: _Use | None = model.__dict__.get("_use")
    if use is None:
        use = model.__dict__.setdefault("_use", _Use())
    if use.process != os.getpid():
        _take_over(use)
    return use


def _take_over(use: _Use) -> None:
    """In a forked child: threads that held the model in the parent do not exist here."""
    if use.lock.acquire(blocking=False):
        use.lock.release()
    else:
        use.lock, use.fitting = threading.RLock(), False
    use.process = os.getpid()


class fitting:
    """Holds the model for a fit; RuntimeError when another thread is using it, or a fit is under way."""

    def __init__(self, model: Module) -> None:
        self._use = _use_of(model)

    def __enter__(self) -> None:
        use = self._use
        if not use.lock.acquire(blocking=False):
            raise RuntimeError("this model is in use by another thread; one fit at a time, and none while it predicts")
        if use.fitting:
            use.lock.release()
            raise RuntimeError("fit was called inside a fit of the same model")
        use.fitting = True

    def __exit__(self, *exception: object) -> None:
        self._use.fitting = False
        self._use.lock.release()


class predicting:
    """Waits for other predictions; RuntimeError while another thread fits the model."""

    def __init__(self, model: Module) -> None:
        self._use = _use_of(model)

    def __enter__(self) -> None:
        use = self._use
        if not use.lock.acquire(blocking=False):
            if use.fitting:
                raise RuntimeError("this model is being trained by another thread; predict afterwards, or on a copy")
            use.lock.acquire()

    def __exit__(self, *exception: object) -> None:
        self._use.lock.release()
