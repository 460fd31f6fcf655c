"""Clipping of gradients: PyTorch's results, and the same bits on every processor and instruction set."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, optim

ORDERS = [2.0, 1.0, math.inf, -math.inf, 0.5, 3, 0.0]


def twins(dtype: str = "float32", **changes: float) -> tuple[list[nn.Parameter], list[torch.nn.Parameter]]:
    """Parameters of several shapes with equal gradients, one of them without."""
    ours, theirs = [], []
    for i, shape in enumerate([(4, 3), (), (1000,), (2, 0), (5, 1)]):
        gradient = np.asarray(np.random.default_rng(i).standard_normal(shape), dtype)
        if gradient.size > 3 and "element" in changes:
            gradient.flat[3] = changes["element"]
        ours.append(nn.Parameter(nl.tensor(np.zeros(shape, dtype))))
        theirs.append(torch.nn.Parameter(torch.zeros(shape, dtype=getattr(torch, dtype))))
        ours[-1].grad, theirs[-1].grad = nl.tensor(gradient), torch.tensor(gradient)
    ours.append(nn.Parameter(nl.tensor(np.zeros(3, dtype))))
    theirs.append(torch.nn.Parameter(torch.zeros(3)))
    return ours, theirs


def assert_equal_gradients(ours: list[nn.Parameter], theirs: list[torch.nn.Parameter]) -> None:
    for a, b in zip(ours, theirs, strict=True):
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None:
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=2e-6)


@pytest.mark.parametrize("limit", [0.1, 7.0, 1e9])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norm(dtype: str, order: float, limit: float) -> None:
    ours, theirs = twins(dtype)
    if math.isinf(order):  # PyTorch refuses the maximum and minimum of an empty tensor
        ours, theirs = ours[:3], theirs[:3]
    expected = torch.nn.utils.clip_grad_norm_(theirs, limit, order)
    norm = optim.clip_grad_norm_(iter(ours), limit, order, foreach=False)
    assert norm.item() == pytest.approx(expected.item(), rel=3e-6)
    assert str(expected.dtype).endswith(str(norm.dtype))
    assert_equal_gradients(ours, theirs)


@pytest.mark.parametrize("element", [math.nan, math.inf])
@pytest.mark.parametrize("order", [2.0, 1.0, math.inf])
def test_norms_that_are_not_finite(order: float, element: float) -> None:
    ours, theirs = (parameters[:3] for parameters in twins(element=element))
    with pytest.raises(RuntimeError, match=f"order {order:g} .* {element}"):
        optim.clip_grad_norm_(ours, 1.0, order, error_if_nonfinite=True)
    assert_equal_gradients(ours, theirs)  # unchanged
    expected = float(torch.nn.utils.clip_grad_norm_(theirs, 1.0, order))
    np.testing.assert_equal(optim.clip_grad_norm_(ours, 1.0, order).item(), expected)
    assert_equal_gradients(ours, theirs)


def test_no_gradient_and_one() -> None:
    assert optim.clip_grad_norm_([], 1.0) == 0
    assert optim.clip_grad_norm_(nn.Linear(2, 2).parameters(), 1.0) == 0
    parameter = nn.Parameter(nl.tensor([1.0, 1.0]))
    parameter.grad = nl.tensor([3.0, 4.0])
    assert optim.clip_grad_norm_(parameter, 1.0) == 5
    np.testing.assert_allclose(parameter.grad.numpy(), [0.6, 0.8], rtol=1e-6)


def test_mixed_types() -> None:
    (single, *_), _ = twins("float32")
    (double, *_), _ = twins("float64")
    norm = optim.clip_grad_norm_([single, double], 0.5)
    assert single.grad.dtype == np.float32
    assert double.grad.dtype == np.float64
    assert norm.item() == pytest.approx(
        math.sqrt(2) * np.linalg.norm(np.random.default_rng(0).standard_normal(12)), rel=1e-6
    )
    assert optim.clip_grad_norm_([single, double], 1.0).item() == pytest.approx(0.5, rel=1e-5)


def test_values() -> None:
    ours, theirs = twins(element=math.nan)
    optim.clip_grad_value_(ours, 0.3, foreach=True)
    torch.nn.utils.clip_grad_value_(theirs, 0.3)
    assert_equal_gradients(ours, theirs)


CODE = """
import hashlib, math, nnlite as nl
from nnlite import nn, optim
found = hashlib.sha256()
for order in (2.0, 1.0, math.inf, 0.5, 3.0):
    model = nn.MLP([300, 101, 7]).double()  # large enough for orders of addition to differ
    generator = nl.Generator(1)
    for p in model.parameters():
        p.grad = nl.tensor(generator.normal(p.shape, dtype="float64"))
    found.update(repr(optim.clip_grad_norm_(model.parameters(), 0.7, order).item()).encode())
    for p in model.parameters():
        found.update(p.grad.numpy().tobytes())
print(found.hexdigest())
"""


def test_the_same_bits_for_every_blas_and_instruction_set(run_python: Callable[..., str]) -> None:
    isas = nl.show_config()["available_isas"]
    blas = ["Nehalem", "Haswell", "SkylakeX"] if platform.machine() == "x86_64" else ["ARMV8", "NEOVERSEN1", "THUNDERX"]
    found = {run_python(CODE, OPENBLAS_CORETYPE=core, NNLITE_ISA=isas[i % len(isas)]) for i, core in enumerate(blas)}
    assert len(found) == 1
