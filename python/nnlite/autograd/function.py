"""Functions with a backward pass of their own."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

from .. import _core
from .._core import Tensor
from .grad_mode import no_grad


class FunctionCtx:
    """What one call of a Function keeps for its backward pass; other attributes may be set at will."""

    needs_input_grad: tuple[bool, ...] = ()
    _saved: tuple[Any, ...] = ()  # an output by its number: kept itself, it would keep its own record alive
    _to_save: tuple[Any, ...] = ()
    _plain: tuple[Tensor, ...] = ()
    _outputs: tuple[Tensor, ...] = ()
    _args: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors, or None, for `saved_tensors`."""
        wrong = next((x for x in tensors if not isinstance(x, Tensor | None)), None)
        if wrong is not None:
            raise TypeError(f"save_for_backward takes tensors, got {type(wrong).__name__}; set an attribute of ctx")
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What save_for_backward got."""
        return tuple(self._outputs[x] if isinstance(x, int) else x for x in self._saved)

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Results that get no gradient."""
        self._plain = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Accepted; an output that is not used always gets the gradient 0."""

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Raises: a Function cannot change its inputs."""
        raise NotImplementedError("a Function cannot change its inputs in place: return a new tensor")


class Function:
    """The base of functions that define `forward(ctx, ...)` and `backward(ctx, *grad_outputs)`, static methods.

    `apply(...)` calls it. forward runs unrecorded and returns a tensor or a tuple; backward returns one gradient, or None, for
    each argument of forward. As in PyTorch, `setup_context(ctx, inputs, output)` may take the ctx in place of forward. With
    create_graph=True, backward itself is recorded. A step that calls a Function cannot be captured (`fit(compile=False)`).

    >>> import nnlite as nl
    >>> class Cube(nl.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x**2 * grad
    >>> x = nl.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The results."""
        raise NotImplementedError("a Function needs a static method forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of forward's arguments."""
        raise NotImplementedError("a Function needs a static method backward(ctx, *grad_outputs)")

    setup_context: Any = None

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """forward(ctx, *args), with gradients by backward."""
        if _core.is_tracing():
            raise _core.CaptureError(f"a captured step cannot call {cls.__name__}; pass compile=False")
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(isinstance(x, Tensor) and x.requires_grad for x in args)
        with no_grad():
            if cls.setup_context is None:
                results = cls.forward(ctx, *args)
            else:
                results = cls.forward(*args)
                cls.setup_context(ctx, args, results)
        outputs = results if isinstance(results, tuple) else (results,)
        if _core.is_grad_enabled() and any(ctx.needs_input_grad):
            outputs = cls._recorded(ctx, args, outputs)
        else:
            ctx._saved, ctx._to_save = ctx._to_save, ()
        return tuple(outputs) if isinstance(results, tuple) else outputs[0]

    @classmethod
    def _recorded(cls, ctx: FunctionCtx, args: tuple[Any, ...], outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        inputs = [x for x in args if isinstance(x, Tensor)]
        places = [
            i
            for i, y in enumerate(outputs)
            if isinstance(y, Tensor) and y.dtype.kind == "f" and not any(y is x for x in ctx._plain)
        ]
        if not places:
            return outputs
        results = [outputs[i] for i in places]
        ctx._saved = tuple(next((i for i, y in enumerate(results) if x is y), x) for x in ctx._to_save)
        kept = sum(1 << i for i, x in enumerate(inputs[:63]) if any(x is saved for saved in ctx._to_save))
        ctx._to_save, ctx._plain, ctx._args = (), (), args
        row = _Row(results)
        values = [y.detach() for y in results]
        count, name = len(outputs), cls.__name__

        def backward(recorded: Tensor | None, grad: Tensor) -> list[Tensor | None]:
            ctx._outputs = tuple(values if recorded is None else row.parts(recorded))
            all_grads: list[Tensor | None] = [None] * count
            for i, part in zip(places, row.parts(grad), strict=True):
                all_grads[i] = part
            given = cls.backward(ctx, *all_grads)
            ctx._outputs = ()
            gradients = given if isinstance(given, tuple) else (given,)
            if len(gradients) < len(args) or any(g is not None for g in gradients[len(args) :]):
                raise RuntimeError(f"{name}.backward returned {len(gradients)} gradients for {len(args)} arguments")
            return [
                g.to(x.dtype) if isinstance(g, Tensor) else g
                for g, x in zip(gradients, args, strict=False)
                if isinstance(x, Tensor)
            ]

        made = iter(row.parts(_core.call_function(f"{name}Backward", backward, inputs, row.joined, kept)))
        return tuple(next(made) if i in places else y for i, y in enumerate(outputs))


class _Row:
    """Several tensors as one, since an operation has one result."""

    def __init__(self, tensors: list[Tensor]) -> None:
        self._kinds = [(x.shape, x.numel(), x.dtype) for x in tensors]
        self.joined = tensors[0] if len(tensors) == 1 else _core.concatenate([x.reshape(-1) for x in tensors])

    def parts(self, joined: Tensor) -> list[Tensor]:
        """The tensors of such a row."""
        if len(self._kinds) == 1:
            return [joined]
        ends = list(itertools.accumulate((size for _, size, _ in self._kinds), initial=0))
        return [
            joined[begin : begin + size].reshape(shape).to(dtype)
            for begin, (shape, size, dtype) in zip(ends, self._kinds, strict=False)
        ]


class _Once(Function):
    """The first `count` of its arguments, which have no second derivative by any."""

    @staticmethod
    def forward(ctx: FunctionCtx, count: int, *given: Any) -> Any:
        return given[:count]

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        raise RuntimeError("a function marked with once_differentiable is differentiated twice")


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a `backward` that computes with arrays or in other ways that have no gradient: a second derivative raises."""

    @functools.wraps(fn)
    def wrapper(ctx: FunctionCtx, *args: Any) -> Any:
        with no_grad():
            given = fn(ctx, *args)
        gradients = given if isinstance(given, tuple) else (given,)
        return _Once.apply(len(gradients), *gradients, *args, *ctx._args)

    return wrapper
