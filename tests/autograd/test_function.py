"""autograd.Function: the same functions with PyTorch and with nnlite."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_gradients import LIBRARIES, X, assert_same, leaf, plain

import nnlite as nl
from nnlite import nn

Program = Callable[[Any], Any]


def cube(lib: Any) -> Any:
    class Cube(lib.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any, factor: float) -> Any:
            ctx.save_for_backward(x, None)
            ctx.factor = factor
            return x**3 * factor

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            x, nothing = ctx.saved_tensors
            assert nothing is None
            assert ctx.needs_input_grad == (True, False)
            return 3 * x**2 * grad * ctx.factor, None

    return Cube


def one_result(lib: Any) -> Any:
    x = leaf(lib)
    y = cube(lib).apply(x, 2.0)
    y.sum().backward()
    return y, x.grad, y.requires_grad, y.is_leaf, y.grad_fn.name()


def in_a_chain(lib: Any) -> Any:
    x = leaf(lib)
    (cube(lib).apply(x * 2, 0.5) * x).sum().backward()
    return x.grad


def several_results(lib: Any) -> Any:
    """A tuple of results, one saved, one without gradient; an unused one has the gradient 0."""

    class Split(lib.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, a: Any, b: Any) -> Any:
            first, second, place = a * b, (a + b).exp().sum(), a * 0
            ctx.save_for_backward(a, b, second)
            ctx.mark_non_differentiable(place)
            return first, second, place

        @staticmethod
        def backward(ctx: Any, d_first: Any, d_second: Any, d_place: Any) -> Any:
            a, b, second = ctx.saved_tensors
            both = d_second * (a + b).exp() + second * 0
            return d_first * b + both, d_first * a + both

    a, b = leaf(lib), leaf(lib, X + 1)
    first, second, place = Split.apply(a, b)
    only = lib.autograd.grad(first.sum(), [a, b], retain_graph=True)
    (first.sum() + second * 2).backward()
    return only, a.grad, b.grad, place.requires_grad, first.shape[0]


def with_a_separate_context(lib: Any) -> Any:
    class Scaled(lib.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(x: Any, factor: float) -> Any:
            return x * factor

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.factor = inputs[1]

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * ctx.factor, None

    x = leaf(lib)
    Scaled.apply(x, 3.0).sum().backward()
    return x.grad


def no_gradient(lib: Any) -> Any:
    class Stop(lib.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            return x * y

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad, None

    x, y = leaf(lib), leaf(lib)
    (Stop.apply(x, y) + y).sum().backward()
    return x.grad, y.grad


def without_a_record(lib: Any) -> Any:
    x = leaf(lib)
    with lib.no_grad():
        quiet = cube(lib).apply(x, 1.0)
    constant = cube(lib).apply(lib.tensor(X), 1.0)
    return quiet.requires_grad, constant.requires_grad, quiet, constant


def a_straight_through_estimator(lib: Any) -> Any:
    class Rounded(lib.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return lib.tensor(np.round(np.asarray(x.detach())))

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad

    x = leaf(lib)
    (Rounded.apply(x * 1.3) ** 2).sum().backward()
    return x.grad


PROGRAMS = [
    one_result, in_a_chain, several_results, with_a_separate_context, no_gradient, without_a_record,
    a_straight_through_estimator,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_functions_give_pytorchs_results(program: Program) -> None:
    expected, found = (plain(program(lib)) for lib in LIBRARIES)
    if program is no_gradient:
        expected[1], found[1] = (np.sum(value).tolist() for value in (expected[1], found[1]))
    assert_same(found, expected)


def returning(result: Any) -> Any:
    class Wrong(nl.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            return x * y

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return result

    return Wrong


def test_wrong_gradients_are_named() -> None:
    x = leaf(nl)
    with pytest.raises(RuntimeError, match=r"Wrong.backward returned 1 gradients for 2 arguments"):
        returning(nl.tensor(X)).apply(x, 2.0).sum().backward()
    with pytest.raises(ValueError, match=r"WrongBackward returned a gradient of shape \(\)"):
        returning((nl.tensor(1.0), None)).apply(x, 2.0).sum().backward()
    with pytest.raises(NotImplementedError, match="static method forward"):
        nl.autograd.Function.apply(x)
    with pytest.raises(TypeError, match="takes tensors, got float"):
        nl.autograd.function.FunctionCtx().save_for_backward(1.0)  # type: ignore[arg-type]


def test_a_saved_input_that_changes_is_noticed() -> None:
    for lib in LIBRARIES:
        x = leaf(lib) * 1
        y = cube(lib).apply(x, 2.0)
        x.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def test_errors_of_a_backward_reach_the_caller() -> None:
    class Failing(nl.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        Failing.apply(leaf(nl)).sum().backward()


def test_capture_refuses_a_function() -> None:
    class Cubed(nn.Linear):
        def forward(self, input: Any) -> nl.Tensor:
            result: nl.Tensor = cube(nl).apply(super().forward(input), 1.0)
            return result

    model = Cubed(2, 2)
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(), nl.optim.SGD(model.parameters(), lr=0.1))
    x, y = np.ones((8, 2), np.float32), np.zeros(8, np.int64)
    with pytest.raises(nl.CaptureError, match="cannot call Cube; pass compile=False"):
        trainer.fit(x, y, epochs=1, progress=False)
    before = model.fingerprint()
    trainer.fit(x, y, epochs=1, progress=False, compile=False)
    assert model.fingerprint() != before


def test_a_forgotten_call_lets_everything_go() -> None:
    class Kept:
        pass

    class Saving(nl.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = x * 2
            ctx.save_for_backward(x, y)
            ctx.kept = kept
            return y

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * 2

    kept = Kept()
    gone = weakref.ref(kept)
    y = Saving.apply(leaf(nl))
    kept = None  # type: ignore[assignment]
    assert gone() is not None
    del y
    gc.collect()
    assert gone() is None
