"""L-BFGS."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .._core import Tensor, concatenate
from ..autograd.grad_mode import enable_grad, no_grad
from ..nn.options import number
from .line_search import Point, strong_wolfe
from .optimizer import Optimizer, Parameters


class _Memory:
    """State between steps, under PyTorch's names; its vectors never change in place."""

    def __init__(self) -> None:
        self.n_iter = 0
        self.func_evals = 0
        self.d: Tensor | None = None  # the last direction, and the step along it
        self.t = 0.0
        self.old_dirs: list[Tensor] = []  # differences of gradients, and of weights
        self.old_stps: list[Tensor] = []
        self.ro: list[float] = []
        self.H_diag = 1.0
        self.prev_flat_grad: Tensor | None = None
        self.prev_loss: float | None = None

    def copy(self) -> _Memory:
        """A copy that shares the vectors."""
        other = _Memory()
        vars(other).update({name: [*value] if isinstance(value, list) else value for name, value in vars(self).items()})
        return other

    def direction(self, gradient: Tensor, size: int) -> Tensor:
        """Minus the inverse Hessian's approximation times the gradient, by the two-loop recursion."""
        if self.d is None or self.prev_flat_grad is None or self.n_iter == 1:
            self.old_dirs, self.old_stps, self.ro, self.H_diag = [], [], [], 1.0
            return -gradient
        self._remember(gradient - self.prev_flat_grad, self.d * self.t, size)
        q, alphas = -gradient, []
        for y, s, rho in zip(reversed(self.old_dirs), reversed(self.old_stps), reversed(self.ro), strict=True):
            alphas.append(_dot(s, q) * rho)
            q.add_(y, alpha=-alphas[-1])
        r = q * self.H_diag
        for y, s, rho, alpha in zip(self.old_dirs, self.old_stps, self.ro, reversed(alphas), strict=True):
            r.add_(s, alpha=alpha - _dot(y, r) * rho)
        return r

    def _remember(self, y: Tensor, s: Tensor, size: int) -> None:
        curvature = _dot(y, s)
        if not curvature > 1e-10:
            return
        excess = max(0, len(self.ro) + 1 - size)
        self.old_dirs = [*self.old_dirs[excess:], y]
        self.old_stps = [*self.old_stps[excess:], s]
        self.ro = [*self.ro[excess:], 1.0 / curvature]
        self.H_diag = curvature / _dot(y, y)


class LBFGS(Optimizer):
    """L-BFGS: quasi-Newton steps from the last `history_size` gradients (Liu, Nocedal 1989), for noise-free losses.

    `step(closure)` makes up to `max_iter` iterations, with at most `max_eval` evaluations (5/4 max_iter by default). It ends
    early where no element of the gradient exceeds `tolerance_grad`, or loss and weights change by less than
    `tolerance_change`. Steps have length `lr`; line_search_fn="strong_wolfe" searches from there and makes it reliable.
    It stores 2 history_size copies of the parameters, which form one group. A failed step changes nothing.
    `Trainer.fit` makes one step per batch, operation by operation: use one batch of all rows.

    Raises ValueError for options out of range and for a second group, TypeError for options that are not numbers and for
    a step without a closure.

    >>> import nnlite as nl
    >>> from nnlite import nn, optim
    >>> x = nn.Parameter(nl.tensor([-1.2, 1.0], dtype="float64"))
    >>> optimizer = optim.LBFGS([x], line_search_fn="strong_wolfe", max_iter=100)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> first = optimizer.step(closure)
    >>> [round(value, 3) for value in x.tolist()]
    [1.0, 1.0]
    """

    requires_closure = True

    _not_negative = ("lr", "tolerance_grad", "tolerance_change")

    def __init__(
        self,
        params: Parameters,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        self._memory = _Memory()
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)

    @property
    def updates(self) -> int:
        """A count that every change of parameters raises."""
        return self._memory.func_evals

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds the only group; ValueError for a second."""
        if self.param_groups:
            raise ValueError("LBFGS takes one parameter group: pass model.parameters()")
        super().add_param_group(param_group)

    def _check_kinds(self, options: Mapping[str, Any]) -> None:
        for name in self.defaults.keys() - {"line_search_fn"}:
            number(f"LBFGS: {name}", options[name])

    def _check(self, options: Mapping[str, Any]) -> None:
        super()._check(options)
        for name in ("max_iter", "max_eval", "history_size"):
            if not options[name] >= 1:
                raise ValueError(f"LBFGS: {name} must be at least 1, got {options[name]}")
        if options["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(f"LBFGS: line_search_fn must be None or 'strong_wolfe', got {options['line_search_fn']!r}")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Minimises the loss that `closure` returns, having computed its gradients; returns the first loss."""
        if closure is None:
            raise TypeError("LBFGS evaluates the loss several times a step: pass step() a closure that computes it")
        parameters = self.param_groups[0]["params"]
        before, memory = [parameter.detach().clone() for parameter in parameters], self._memory.copy()
        try:
            with no_grad():
                return self._minimise(lambda: _recorded(closure))
        except BaseException:
            self._memory = memory
            self._put(before)
            raise

    def _minimise(self, closure: Callable[[], Any]) -> Any:
        group, memory = self.param_groups[0], self._memory
        lr, max_iter, max_eval = float(group["lr"]), int(group["max_iter"]), int(group["max_eval"])
        first = closure()
        memory.func_evals += 1
        loss, gradient, evaluations = float(first), self._gradient(), 1
        self._convert(gradient.dtype)
        for iteration in range(1, max_iter + 1):
            if _largest(gradient) <= group["tolerance_grad"]:
                break
            memory.n_iter += 1
            d = memory.d = memory.direction(gradient, int(group["history_size"]))
            before = Point(0.0, loss, gradient, _dot(gradient, d))
            memory.prev_flat_grad, memory.prev_loss = gradient, loss
            memory.t = min(1.0, 1.0 / _size(gradient)) * lr if memory.n_iter == 1 else lr
            if before.slope > -group["tolerance_change"]:
                break
            used = 0
            if group["line_search_fn"] is not None:
                found, used = self._search(closure, before, d, max_eval - evaluations)
                memory.t, loss, gradient, _ = found
                self._move(memory.t, d)
            else:
                self._move(memory.t, d)
                if iteration < max_iter:  # the last gradient would not be used
                    loss, gradient, used = float(closure()), self._gradient(), 1
            evaluations += used
            memory.func_evals += used
            if evaluations >= max_eval or abs(memory.t) * _largest(d) <= group["tolerance_change"]:
                break
            if abs(loss - before.loss) < group["tolerance_change"]:
                break
        return first

    def _search(self, closure: Callable[[], Any], start: Point, d: Tensor, most: int) -> tuple[Point, int]:
        weights = [parameter.detach().clone() for parameter in self.param_groups[0]["params"]]

        def evaluate(step: float) -> Point:
            self._move(step, d)
            loss, gradient = float(closure()), self._gradient()
            self._put(weights)
            return Point(step, loss, gradient, _dot(gradient, d))

        return strong_wolfe(
            evaluate, start, self._memory.t, _largest(d), self.param_groups[0]["tolerance_change"], most
        )

    def _gradient(self) -> Tensor:
        """All gradients as one vector, zeros where there is none."""
        parameters = self.param_groups[0]["params"]
        dtype = np.result_type(*(parameter.dtype for parameter in parameters))
        parts = [
            Tensor(np.zeros(p.numel(), dtype)) if p.grad is None else p.grad.detach().reshape(-1).to(dtype)
            for p in parameters
        ]
        return concatenate(parts)

    def _move(self, step: float, direction: Tensor) -> None:
        begin = 0
        for parameter in self.param_groups[0]["params"]:
            end = begin + parameter.numel()
            parameter.add_(direction[begin:end].reshape(parameter.shape).to(parameter.dtype), alpha=step)
            begin = end

    def _put(self, weights: list[Tensor]) -> None:
        for parameter, values in zip(self.param_groups[0]["params"], weights, strict=True):
            parameter.detach().copy_(values)

    def _convert(self, dtype: np.dtype[Any]) -> None:
        """Converts the memory to the parameters' type."""
        memory = self._memory
        if memory.d is None or memory.prev_flat_grad is None or memory.d.dtype == dtype:
            return
        memory.d, memory.prev_flat_grad = memory.d.to(dtype), memory.prev_flat_grad.to(dtype)
        memory.old_dirs = [y.to(dtype) for y in memory.old_dirs]
        memory.old_stps = [s.to(dtype) for s in memory.old_stps]

    def state_dict(self) -> dict[str, Any]:
        """State and group in PyTorch's layout: all state belongs to the first parameter, vectors are NumPy arrays."""
        state = {name: _as_arrays(value) for name, value in vars(self._memory).items()}
        return {**super().state_dict(), "state": {0: state} if self._memory.func_evals else {}}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Loads options and state, of PyTorch's LBFGS too; errors as in `Optimizer`."""
        memory = _loaded(state_dict, sum(p.numel() for p in self.param_groups[0]["params"]))
        super().load_state_dict(state_dict)
        self._memory = memory


def _loaded(state_dict: Mapping[str, Any], length: int) -> _Memory:
    """The memory of a state dict; TypeError or ValueError for vectors that do not fit."""
    states = state_dict.get("state") if isinstance(state_dict, Mapping) else None
    if not isinstance(states, Mapping) or not states:
        return _Memory()  # the base class raises
    state = next(iter(states.values()))
    if not isinstance(state, Mapping):
        raise TypeError(f"the state of LBFGS must be a dictionary, got {type(state).__name__}")

    def vector(name: str, value: Any) -> Tensor:
        array = np.asarray(value.detach() if hasattr(value, "detach") else value)
        if array.dtype.kind != "f" or array.shape != (length,):
            raise ValueError(
                f"{name} of LBFGS has shape {array.shape} and dtype {array.dtype}, not ({length},) of floats"
            )
        return Tensor(array)

    found = _Memory()
    for name, own in [*vars(found).items()]:
        value = state.get(name)
        if value is None:
            continue
        if name in ("d", "prev_flat_grad"):
            value = vector(name, value)
        elif name in ("old_dirs", "old_stps"):
            value = [vector(name, item) for item in value]
        elif name == "ro":
            value = [number("ro", item) for item in value]
        else:
            value = (int if isinstance(own, int) else float)(number(name, value))
        setattr(found, name, value)
    if not len(found.ro) == len(found.old_dirs) == len(found.old_stps):
        raise ValueError("old_dirs, old_stps and ro of LBFGS must be lists of equal length")
    return found


def _as_arrays(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_arrays(item) for item in value]
    return value.numpy().copy() if isinstance(value, Tensor) else value


def _recorded(closure: Callable[[], Any]) -> Any:
    with enable_grad():
        return closure()


def _dot(a: Tensor, b: Tensor) -> float:
    """In float64 and the library's order of summation, so that bits do not depend on BLAS."""
    return float((a.double() * b.double()).sum())


def _size(x: Tensor) -> float:
    """The sum of all magnitudes, or the smallest number above 0."""
    return float(x.double().abs().sum()) or math.ulp(0.0)


def _largest(x: Tensor) -> float:
    return float(x.abs().max())
