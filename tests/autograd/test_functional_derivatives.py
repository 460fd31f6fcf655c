"""autograd.functional, and hooks and Functions under create_graph: the same program with PyTorch and with nnlite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_function import cube
from test_gradients import LIBRARIES, X, assert_same, leaf, plain

import nnlite as nl

A, B = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.3])


def one(a: Any) -> Any:
    return (a * a * a).sum() + a[0] * a[1]


def two(a: Any, b: Any) -> Any:
    return (a.exp().sum() * b * b).sum()


def several(a: Any, b: Any) -> Any:
    return a * b.sum(), (b * b).sum()


def flat(a: Any) -> Any:
    return a.sum() * 2


def tensors(lib: Any, *arrays: Any) -> tuple[Any, ...]:
    return tuple(lib.tensor(array) for array in arrays)


def functional(name: str, func: Callable[..., Any], arrays: Any, v: Any = None) -> Callable[[Any], Any]:
    def program(lib: Any) -> Any:
        called = getattr(lib.autograd.functional, name)
        inputs = tensors(lib, *arrays) if isinstance(arrays, tuple) else lib.tensor(arrays)
        if v is None:
            return called(func, inputs)
        return called(func, inputs, tensors(lib, *v) if isinstance(v, tuple) else lib.tensor(v))

    program.__name__ = f"{name}_of_{func.__name__}"
    return program


def recorded_results(lib: Any) -> Any:
    x = leaf(lib)
    jacobian = lib.autograd.functional.jacobian(lambda x: x**3, x, create_graph=True)
    return jacobian, lib.autograd.grad((jacobian**2).sum(), x)


def hooks_see_recorded_gradients(lib: Any) -> Any:
    x, seen = leaf(lib), []
    h = x * x
    h.register_hook(lambda g: seen.append((lib.is_grad_enabled(), g.requires_grad)) or g * x)
    (g,) = lib.autograd.grad((h * h).sum(), x, create_graph=True)
    return g, lib.autograd.grad(g.sum(), x), seen


def function_of_a_function(lib: Any) -> Any:
    x = leaf(lib)
    (g,) = lib.autograd.grad(cube(lib).apply(x * 2, 0.5).sum(), x, create_graph=True)
    (second,) = lib.autograd.grad((g * g).sum(), x, create_graph=True)
    return g, second, lib.autograd.grad(second.sum(), x)


def function_that_saves_its_result(lib: Any) -> Any:
    class Exp(lib.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = x.exp()
            ctx.save_for_backward(y)
            return y, y.sum()

        @staticmethod
        def backward(ctx: Any, grad: Any, grad_sum: Any) -> Any:
            (y,) = ctx.saved_tensors
            return (grad + grad_sum) * y

    x = leaf(lib)
    y, total = Exp.apply(x)
    (g,) = lib.autograd.grad((y * y).sum() + total, x, create_graph=True)
    return g, lib.autograd.grad(g.sum(), x)


PROGRAMS = [
    functional("vjp", several, (A, B), (A, np.array(2.0))),
    functional("vjp", one, A),
    functional("jvp", several, (A, B), (A, B)),
    functional("jvp", one, A, A),
    functional("jvp", flat, A, A),
    functional("jacobian", one, A),
    functional("jacobian", several, (A, B)),
    functional("hessian", one, A),
    functional("hessian", two, (A, B)),
    functional("hessian", flat, A),
    functional("vhp", two, (A, B), (A, B)),
    functional("hvp", two, (A, B), (A, B)),
    functional("hvp", one, A, A),
    functional("hvp", flat, A, A),
    recorded_results, hooks_see_recorded_gradients, function_of_a_function, function_that_saves_its_result,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_programs_give_pytorchs_results(program: Callable[[Any], Any]) -> None:
    expected, found = (plain(program(lib)) for lib in LIBRARIES)
    assert_same(found, expected)


@pytest.mark.parametrize("lib", LIBRARIES)
@pytest.mark.parametrize("name", ["vjp", "jvp", "jacobian", "hessian", "vhp", "hvp"])
def test_strict_refuses_independence(name: str, lib: Any) -> None:
    constant = lib.tensor(np.array(1.0))
    v = [] if name in ("jacobian", "hessian") else [constant if name == "vjp" else lib.tensor(A)]
    called = getattr(lib.autograd.functional, name)
    for func in (lambda a: constant * 1, *([flat] if name in ("hessian", "vhp", "hvp") else [])):
        with pytest.raises(RuntimeError, match="depend|does not require"):
            called(func, lib.tensor(A), *v, strict=True)


def test_mistakes_are_named() -> None:
    functional = nl.autograd.functional
    with pytest.raises(RuntimeError, match="single number only"):
        functional.vjp(lambda a: a * 2, nl.tensor(A))
    with pytest.raises(RuntimeError, match=r"v has shapes \[\(2,\)\], it needs \[\(3,\)\]"):
        functional.vjp(lambda a: a * 2, nl.tensor(A), nl.tensor(B))
    with pytest.raises(TypeError, match="must return a Tensor .* got float"):
        functional.vjp(lambda a: 1.0, nl.tensor(A))
    with pytest.raises(RuntimeError, match="Tensor of one number"):
        functional.hessian(lambda a: a * 2, nl.tensor(A))
    with pytest.raises(NotImplementedError, match="forward-mode"):
        functional.jacobian(one, nl.tensor(A), strategy="forward-mode")


@pytest.mark.parametrize("lib", LIBRARIES)
def test_once_differentiable_functions_refuse_a_second_derivative(lib: Any) -> None:
    from importlib import import_module

    class Doubled(lib.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        @import_module(f"{lib.__name__}.autograd.function").once_differentiable
        def backward(ctx: Any, grad: Any) -> Any:
            assert not lib.is_grad_enabled()
            return grad * 2

    x, seed = leaf(lib), leaf(lib)
    assert plain(lib.autograd.grad(Doubled.apply(x).sum(), x)) == [(X * 0 + 2).tolist()]
    (g,) = lib.autograd.grad(Doubled.apply(x), x, seed, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()
    if lib is nl:  # PyTorch gives no gradient, silently
        for other in (x, seed):
            with pytest.raises(RuntimeError, match="differentiated twice"):
                lib.autograd.grad(g.sum() + other.sum(), other)
