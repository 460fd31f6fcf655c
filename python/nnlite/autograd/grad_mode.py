"""Switching the tape off and on."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, TypeVar, overload

from .. import _core

F = TypeVar("F", bound=Callable[..., Any])
Mode = TypeVar("Mode", bound="_Switch")
Factory = Callable[[], "_GradMode"]


class _GradMode:
    """A context manager and decorator that sets whether operations are recorded on this thread.

    Around a generator, coroutine or asynchronous generator it applies while its code runs, not while it waits.
    """

    _enabled: bool
    _previous: tuple[bool, ...] = ()  # several if one object is entered again before its exit

    def __enter__(self) -> None:
        self._previous = (*self._previous, _core.set_grad_enabled(self._enabled))

    def __exit__(self, *exception: object) -> None:
        *rest, last = self._previous
        self._previous = tuple(rest)
        _core.set_grad_enabled(last)

    def __call__(self, function: F) -> F:
        if inspect.isclass(function) or not callable(function):
            raise TypeError(f"{type(self).__name__} decorates functions and methods, got {function!r}")
        wrapped: F = _wrapped(function, self._another)
        return wrapped

    def _another(self) -> _GradMode:
        return type(self)()


class _Switch(_GradMode):
    """A mode without arguments, which decorates with parentheses or without."""

    @overload
    def __new__(cls: type[Mode], function: None = None) -> Mode: ...
    @overload
    def __new__(cls, function: F) -> F: ...  # type: ignore[misc]
    def __new__(cls, function: Any = None) -> Any:
        return super().__new__(cls) if function is None else cls()(function)


class no_grad(_Switch):
    """Inside, nothing is recorded and no result requires a gradient.

    >>> import nnlite as nl
    >>> x = nl.tensor([1.0], requires_grad=True)
    >>> with nl.no_grad():
    ...     (x * 2).requires_grad
    False
    >>> @nl.no_grad
    ... def double(x):
    ...     return x * 2
    >>> double(x).requires_grad
    False
    """

    _enabled = False


class enable_grad(_Switch):
    """Inside, operations are recorded, also within `no_grad`."""

    _enabled = True


class inference_mode(_GradMode):
    """`no_grad` under another name; with mode=False, `enable_grad`."""

    def __new__(cls, mode: Any = True) -> Any:
        return super().__new__(cls) if isinstance(mode, bool) else cls()(mode)

    def __init__(self, mode: bool = True) -> None:
        self._enabled = not mode

    def _another(self) -> _GradMode:
        return inference_mode(not self._enabled)


class set_grad_enabled(_GradMode):
    """Switches recording on or off at the call; as a context manager it switches back at the end of the block.

    >>> import nnlite as nl
    >>> with nl.set_grad_enabled(False):
    ...     nl.is_grad_enabled()
    False
    >>> nl.is_grad_enabled()
    True
    """

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise TypeError(f"set_grad_enabled takes True or False, got {mode!r}")
        self._enabled = mode
        self._at_call = _core.set_grad_enabled(mode)

    def __enter__(self) -> None:
        super().__enter__()
        if len(self._previous) == 1:
            self._previous = (self._at_call,)

    def __call__(self, function: F) -> F:
        _core.set_grad_enabled(self._at_call)  # only the function is switched
        return super().__call__(function)

    def _another(self) -> _GradMode:
        return set_grad_enabled(self._enabled)


def _wrapped(function: Any, mode: Factory) -> Any:
    """`function` with its code run under a mode."""
    if inspect.isasyncgenfunction(function):
        return _async_generator_under(function, mode)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            return await _Steps(function(*args, **kwargs), mode)

        return coroutine
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            return (yield from _steps(function(*args, **kwargs), mode))

        return generator

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        with mode():
            return function(*args, **kwargs)

    return plain


def _steps(inner: Any, mode: Factory) -> Generator[Any, Any, Any]:
    """Passes on what a generator or coroutine yields and is sent; the mode applies while it runs."""
    resume = functools.partial(inner.send, None)
    while True:
        try:
            with mode():
                item = resume()
        except StopIteration as end:
            return end.value
        try:
            resume = functools.partial(inner.send, (yield item))
        except GeneratorExit:
            with mode():
                inner.close()
            raise
        except BaseException as error:
            resume = functools.partial(inner.throw, error)


class _Steps:
    """An awaitable that runs a coroutine under a mode."""

    def __init__(self, coroutine: Any, mode: Factory) -> None:
        self._coroutine, self._mode = coroutine, mode

    def __await__(self) -> Generator[Any, Any, Any]:
        return _steps(self._coroutine, self._mode)


def _async_generator_under(function: Any, mode: Factory) -> Any:
    @functools.wraps(function)
    async def generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner = function(*args, **kwargs)
        resume = functools.partial(inner.asend, None)
        while True:
            try:
                item = await _Steps(resume().__await__(), mode)
            except StopAsyncIteration:
                return
            try:
                resume = functools.partial(inner.asend, (yield item))
            except GeneratorExit:
                await _Steps(inner.aclose().__await__(), mode)
                raise
            except BaseException as error:
                resume = functools.partial(inner.athrow, error)

    return generator
