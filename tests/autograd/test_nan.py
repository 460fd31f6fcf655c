"""A NaN in an input, a target, an option or an upstream gradient is never lost: values and gradients follow PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import _core
from twins import BINARY, LOSSES, UNARY

NAN, INF = np.nan, np.inf
DTYPES = [np.float32, np.float64]
NUMBERS = np.array([NAN, 1.5, -1.5, 0.0, -0.0, 0.3, 30.0, -30.0, NAN])


def pairs(*values: Sequence[float]) -> list[np.ndarray]:
    """Every combination, as one long array for each argument."""
    return [grid.ravel() for grid in np.meshgrid(*values)]


def results(
    function: Callable[..., Any], tensor: Callable[..., Any], arrays: Sequence[np.ndarray], dy: np.ndarray
) -> list[np.ndarray]:
    """Value and gradients; 0 if PyTorch has none."""
    inputs = [tensor(a, requires_grad=True) for a in arrays]
    y = function(*inputs)
    y.backward(tensor(dy.reshape(tuple(y.shape))))
    return [
        y.detach().numpy(),
        *(np.zeros_like(a) if x.grad is None else x.grad.numpy() for x, a in zip(inputs, arrays, strict=True)),
    ]


def check(
    name: str,
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    arrays: Sequence[np.ndarray],
    dy: np.ndarray,
    dtype: type,
    loses_nans: bool = False,
) -> None:
    arrays, dy = [a.astype(dtype) for a in arrays], dy.astype(dtype)
    mine, other = results(ours, nl.tensor, arrays, dy), results(theirs, torch.tensor, arrays, dy)
    for part, (a, b) in enumerate(zip(mine, other, strict=True)):
        lost = np.isnan(b) & ~np.isnan(a)
        where = [x.reshape(-1)[lost.reshape(-1)][:1] for x in (*arrays, dy) if x.size == lost.size]
        assert not lost.any(), f"{name}: {'value' if part == 0 else f'gradient {part}'} loses a NaN at {where}"
        same = np.isnan(a) if loses_nans else np.isnan(b)
        np.testing.assert_allclose(
            a[~same], b[~same], rtol=2e-5, atol=1e-7 if dtype is np.float32 else 1e-13, err_msg=name
        )
        assert loses_nans or not np.isnan(a[~same]).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", _core.unary_names())
def test_unary(name: str, dtype: type) -> None:
    x, dy = pairs(NUMBERS, [1.0, NAN, -2.0])
    twin, options, loses_nans = UNARY[name].twin, UNARY[name].options, UNARY[name].loses_nans
    check(name, lambda t: _core.unary(name, t, *options), twin, [x], dy, dtype, loses_nans)
    value = results(lambda t: _core.unary(name, t, *options), nl.tensor, [x.astype(dtype)], dy.astype(dtype))[0]
    assert np.isnan(value[np.isnan(x)]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", _core.binary_names())
def test_binary(name: str, dtype: type) -> None:
    *operands, dy = pairs(NUMBERS, NUMBERS, [1.0, NAN])
    check(name, *BINARY[name], operands, dy, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"bce"}))  # PyTorch refuses a NaN as a probability
def test_losses(name: str, reduction: str, dtype: type) -> None:
    *operands, dy = pairs(NUMBERS, NUMBERS, [1.0, NAN])
    row = LOSSES[name]
    ours, twin = row.ours(reduction=reduction, **row.options), row.twin(reduction="sum", **row.options)

    def expected(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Element by element: a NaN must not reach PyTorch's other gradients through a reduction."""
        losses = torch.stack([twin(a, b) for a, b in zip(x, t, strict=True)])
        return {"none": losses, "mean": losses.mean(), "sum": losses.sum()}[reduction]

    for upstream in [dy] if reduction == "none" else [np.array(1.0), np.array(NAN)]:
        check(name, ours, expected, operands, upstream, dtype, row.loses_nans)


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_cross_entropy(dtype: type) -> None:
    x, t, dy = (a.astype(dtype) for a in pairs([0.0, 0.3, 1.0, NAN], [0.0, 0.4, 1.0, NAN], [1.0, NAN]))
    value, dx, dt = results(lambda a, b: _core.loss("bce", a, b, "none"), nl.tensor, [x, t], dy)
    np.testing.assert_array_equal(np.isnan(value), np.isnan(x) | np.isnan(t))
    np.testing.assert_array_equal(np.isnan(dx), np.isnan(x) | np.isnan(t) | np.isnan(dy))
    np.testing.assert_array_equal(np.isnan(dt), np.isnan(x) | np.isnan(dy))


TABLES = {
    "some": np.array([[1.0, NAN, 3.0], [2.0, 2.0, 1.0], [NAN, NAN, 0.0], [1.0, 2.0, 3.0]]),
    "none": np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 2.0]]),
    "all": np.array([[NAN]]),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("upstream", [1.0, NAN])
@pytest.mark.parametrize("dim", [None, 0, 1])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "amax", "amin", "softmax", "log_softmax"])
def test_reductions(name: str, dim: int | None, upstream: float, dtype: type) -> None:
    if dim is None and name.endswith("softmax"):
        return

    def reduced(x: Any) -> Any:
        y = getattr(x, name)() if dim is None else getattr(x, name)(dim)
        return y[0] if dim is not None and name in ("max", "min") else y

    for table in TABLES.values():
        dy = np.full(np.shape(reduced(nl.tensor(table)).detach().numpy()), upstream)
        check(name, reduced, reduced, [table], dy, dtype)


BOUNDS = [(NAN, 1.0), (-1.0, NAN), (NAN, NAN), (NAN, None), (None, NAN), (None, 0.5), (0.5, -0.5), (-0.5, 1.5)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_clamp(bounds: tuple[float | None, float | None], dtype: type) -> None:
    low, high = bounds
    x, dy = pairs(NUMBERS, [1.0, NAN])
    check("clamp", lambda t: t.clamp(low, high), lambda t: t.clamp(low, high), [x], dy, dtype)
    # The same bounds as tensors, with their gradients.
    given = [np.full(x.shape, bound) for bound in bounds if bound is not None]

    def clamped(t: Any, *tensors: Any) -> Any:
        rest = list(tensors)
        return t.clamp(*(None if bound is None else rest.pop(0) for bound in bounds))

    check("clamp", clamped, clamped, [x, *given], dy, dtype)


CODE = """
import hashlib, numpy as np, nnlite as nl
from nnlite import _core
values = np.array([np.nan, 1.5, -1.5, 0.0, 0.3, 30.0, np.nan])
a, b, dy = (g.ravel() for g in np.meshgrid(values, values, [1.0, np.nan]))
found = hashlib.sha256()
for dtype in (np.float32, np.float64):
    for function in [
        *(lambda x, t, n=n: _core.unary(n, x, 0.7, 1.9) + 0 * t for n in _core.unary_names()),
        *(lambda x, t, n=n: _core.binary(n, x, t) for n in _core.binary_names()),
        *(lambda x, t, n=n: _core.loss(n, x, t, "none", 0.7) for n in _core.loss_names()),
    ]:
        x, t = (nl.tensor(v.astype(dtype), requires_grad=True) for v in (a, b))
        y = function(x, t)
        y.backward(dy.astype(dtype))
        for part in (y.detach(), x.grad, t.grad):
            found.update(np.isnan(part.numpy()).tobytes())
print(found.hexdigest())
"""


def test_every_instruction_set_keeps_the_same_nans(run_python: Callable[..., str]) -> None:
    assert len({run_python(CODE, NNLITE_ISA=isa) for isa in nl.show_config()["available_isas"]}) == 1
