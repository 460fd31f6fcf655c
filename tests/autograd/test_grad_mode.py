"""no_grad, enable_grad and set_grad_enabled, as contexts and around every kind of function."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn

W = nn.Parameter(np.ones(2, np.float32))


def records() -> bool:
    assert (W * 2).requires_grad == nl.is_grad_enabled()
    return nl.is_grad_enabled()


@pytest.fixture(autouse=True)
def the_mode_is_left_as_it_was() -> Generator[None, None, None]:
    assert records()
    yield
    assert records()


@pytest.mark.parametrize("kind", ["with parentheses", "without", "set_grad_enabled"])
def test_functions(kind: str) -> None:
    decorator: Any = {"with parentheses": nl.no_grad(), "without": nl.no_grad}.get(kind) or nl.set_grad_enabled(False)

    @decorator
    def function(depth: int = 2) -> list[bool]:
        """What it says."""
        return [records(), *(function(depth - 1) if depth else [])]

    assert function() == [False] * 3
    assert (function.__name__, function.__doc__) == ("function", "What it says.")

    class Model(nn.Module):
        @decorator
        def method(self) -> bool:
            return records()

        @staticmethod
        @decorator
        def free() -> bool:
            return records()

    assert (Model().method(), Model.free()) == (False, False)

    @decorator
    def failing() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        failing()
    assert records()


def test_generators() -> None:
    seen = []

    @nl.no_grad()
    def values(n: int) -> Generator[int, Any, str]:
        try:
            for i in range(n):
                seen.append(records())
                try:
                    seen.append(((yield i), records()))
                except ValueError:
                    seen.append(("thrown", records()))
                    yield -1
        finally:
            seen.append(records())
        return "end"

    assert list(values(2)) == [0, 1]
    assert seen == [False, (None, False), False, (None, False), False]
    generator = values(3)
    assert (next(generator), records()) == (0, True)
    assert (generator.send("sent"), records()) == (1, True)
    assert seen[-2:] == [("sent", False), False]
    assert (generator.throw(ValueError()), records()) == (-1, True)
    seen.clear()
    generator.close()
    assert seen == [False]

    def outer() -> Generator[int, Any, str]:
        return (yield from values(1))

    running = outer()
    next(running)
    with pytest.raises(StopIteration, match="end"):
        next(running)
    with nl.no_grad():
        inside = nl.enable_grad()(values)(1)  # the innermost one applies
        seen.clear()
        next(inside)
        assert (seen, records()) == ([False], False)


def test_an_exception_of_a_generator_propagates() -> None:
    @nl.no_grad
    def broken() -> Generator[int, None, None]:
        yield 1
        raise LookupError("inside")

    generator = broken()
    next(generator)
    with pytest.raises(LookupError, match="inside"):
        next(generator)
    assert records()


def test_coroutines_and_asynchronous_generators() -> None:
    seen = []

    @nl.no_grad()
    async def coroutine(name: str) -> str:
        for _ in range(3):
            seen.append((name, records()))
            await asyncio.sleep(0)
        return name

    @nl.no_grad
    async def stream(n: int) -> AsyncGenerator[int, str]:
        try:
            for i in range(n):
                await asyncio.sleep(0)
                seen.append((i, records()))
                yield i
                seen.append((i, records()))
        finally:
            seen.append(("closed", records()))

    async def plain() -> None:
        for _ in range(5):
            seen.append(("plain", records()))
            await asyncio.sleep(0)

    async def main() -> None:
        assert asyncio.iscoroutinefunction(coroutine)
        assert await asyncio.gather(coroutine("a"), plain(), coroutine("b")) == ["a", None, "b"]
        async for _ in stream(2):
            assert records()
        async with aclosing(stream(5)) as early:
            async for _ in early:
                break
        thrown = stream(3)
        await thrown.asend(None)  # type: ignore[arg-type]
        with pytest.raises(ZeroDivisionError):
            await thrown.athrow(ZeroDivisionError())
        task = asyncio.ensure_future(coroutine("c"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert records()

    asyncio.run(main())
    assert {mode for name, mode in seen if name == "plain"} == {True}
    assert {mode for name, mode in seen if name != "plain"} == {False}
    assert [name for name, _ in seen].count("closed") == 3


def test_a_class_cannot_be_decorated() -> None:
    for decorator in (nl.no_grad, nl.no_grad(), nl.enable_grad()):
        with pytest.raises(TypeError, match="decorates functions"):
            decorator(nn.Linear)
        with pytest.raises(TypeError, match="decorates functions"):
            decorator(3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="True or False"):
        nl.set_grad_enabled("no")  # type: ignore[arg-type]


def test_contexts() -> None:
    mode = nl.no_grad()
    with mode, mode:
        assert not records()
    assert records()
    with nl.no_grad(), nl.enable_grad():
        assert records()
    with pytest.raises(ZeroDivisionError), nl.no_grad():
        raise ZeroDivisionError
    with nl.set_grad_enabled(False):
        assert not records()
        with nl.set_grad_enabled(True):
            assert records()
        assert not records()
    assert records()
    nl.set_grad_enabled(False)
    assert not records()
    nl.set_grad_enabled(True)


def test_each_thread_has_its_own_mode() -> None:
    seen = []

    @nl.no_grad()
    def generator() -> Generator[bool, None, None]:
        while True:
            yield records()

    shared = generator()

    def other() -> None:
        seen.append(records())
        seen.append(next(shared))
        seen.append(records())

    with nl.no_grad():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert seen == [True, False, True]
    assert next(shared) is False
