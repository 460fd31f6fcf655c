"""One training at a time on a model."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from ..nn import Module


class _State:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.fitting = False


_states: "weakref.WeakKeyDictionary[Module, _State]" = weakref.WeakKeyDictionary()
_states_lock = threading.Lock()


def _state_of(model: Module) -> _State:
    with _states_lock:
        return _states.setdefault(model, _State())


@contextmanager
def fitting(model: Module) -> Iterator[None]:
    """Holds the model for a fit; RuntimeError when another thread is using it, or a fit is under way."""
    state = _state_of(model)
    if not state.lock.acquire(blocking=False):
        raise RuntimeError("this model is in use by another thread; one fit at a time, and none while it predicts")
    try:
        if state.fitting:
            raise RuntimeError("fit was called inside a fit of the same model")
        state.fitting = True
        try:
            yield
        finally:
            state.fitting = False
    finally:
        state.lock.release()


@contextmanager
def predicting(model: Module) -> Iterator[None]:
    """Waits for other predictions; RuntimeError while another thread fits the model."""
    state = _state_of(model)
    if not state.lock.acquire(blocking=False):
        if state.fitting:
            raise RuntimeError("this model is being trained by another thread; predict afterwards, or on a copy")
        state.lock.acquire()
    try:
        yield
    finally:
        state.lock.release()
