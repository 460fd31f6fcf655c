"""In-place changes: how the tape records them, which memory they reach, and when they are refused."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, optim

CHANGED = "modified by an inplace operation"


def leaf(*shape: int, seed: int = 0) -> nl.Tensor:
    return nl.tensor(np.random.default_rng(seed).uniform(0.5, 1.5, shape), requires_grad=True)


NEEDING: dict[str, Callable[[nl.Tensor, nl.Tensor], Any]] = {
    "mul": lambda a, w: a * w, "div": lambda a, w: a / w, "pow": lambda a, w: a**2.0, "matmul": lambda a, w: a @ w,
    "log": lambda a, w: a.log(), "square": lambda a, w: a * a, "linear": lambda a, w: nn.functional.linear(a, w),
    "mse": lambda a, w: nn.functional.mse_loss(a, w), "maximum": nl.maximum,
}  # fmt: skip
FREE: dict[str, Callable[[nl.Tensor, nl.Tensor], Any]] = {
    "add": lambda a, w: a + w, "sub": lambda a, w: a - w, "scale": lambda a, w: 3 * a.detach() + w, "sum": lambda a, w: a.sum(),
    "tanh": lambda a, w: a.tanh(), "exp": lambda a, w: a.exp(), "relu": lambda a, w: a.relu(), "softmax": lambda a, w: a.softmax(1),
    "reshape": lambda a, w: a.reshape(9).clone(), "index": lambda a, w: a[[0, 2]], "cat": lambda a, w: nl.cat([a, w]),
}  # fmt: skip
CHANGES: dict[str, Callable[[nl.Tensor], Any]] = {
    "+=": lambda a: a.__iadd__(10), "*=": lambda a: a.__imul__(2), "mul_": lambda a: a.mul_(2), "zero_": lambda a: a.zero_(),
    "copy_": lambda a: a.copy_(np.ones(a.shape)), "normal_": lambda a: a.normal_(), "item": lambda a: a.__setitem__((0, 0), 5.0),
    "row": lambda a: a[1].zero_(), "reshaped": lambda a: a.reshape(9).__iadd__(1), "detached": lambda a: a.detach().zero_(),
    "clamp_": lambda a: a.clamp_(max=0.1),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", NEEDING)
def test_a_value_that_a_gradient_needs_must_not_change(name: str, change: str) -> None:
    a, w = leaf(3, 3) * 1, leaf(3, 3, seed=1)
    loss = NEEDING[name](a, w).sum()
    CHANGES[change](a)
    with pytest.raises(RuntimeError, match=CHANGED):
        loss.backward()
    assert w.grad is None, "a refused change modified the tensor"


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", FREE)
def test_a_value_that_no_gradient_needs_may_change(name: str, change: str) -> None:
    gradients = []
    for changed in (False, True):
        x = leaf(3, 3)
        a = x * 1
        loss = FREE[name](a, leaf(3, 3, seed=1)).sum()
        if changed:
            CHANGES[change](a)
        loss.backward()
        gradients.append(np.zeros(9) if x.grad is None else x.grad.numpy())
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize("how", ["step", "load_state_dict", "fit", "no_grad", "init"])
def test_a_weight_must_not_change_between_two_backward_passes(how: str) -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x, y = np.ones((8, 2), np.float32), np.zeros((8, 1), np.float32)
    output = model(x)
    first, second = output.sum(), (output * output).sum()
    first.backward(retain_graph=True)
    if how == "step":
        optimizer.step()
    elif how == "load_state_dict":
        model.load_state_dict(model.state_dict())
    elif how == "fit":
        nl.Trainer(model, nn.MSELoss(), optimizer).fit(x, y, epochs=1, batch_size=4, progress=False)
    elif how == "init":
        nn.init.zeros_(model[2].weight)
    else:
        with nl.no_grad():
            model[2].weight.mul_(2.0)
    with pytest.raises(RuntimeError, match=rf"{CHANGED}.*\[linear\].*expected version"):
        second.backward()


def test_the_same_two_losses_before_the_step_are_fine() -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    output = model(np.ones((3, 2), np.float32))
    output.sum().backward(retain_graph=True)
    (output * output).sum().backward()
    optimizer.step()
    model(np.ones((3, 2), np.float32)).sum().backward()


WRITES: dict[str, tuple[Callable[[Any], Any], Callable[[np.ndarray], Any]]] = {
    "row": (lambda w: w[0].zero_(), lambda a: a[0].fill(0)),
    "rows": (lambda w: w[1:3].fill_(2.0), lambda a: a[1:3].fill(2)),
    "last row": (lambda w: w[-1].copy_(np.arange(4)), lambda a: a.__setitem__(-1, np.arange(4))),
    "part of a row": (lambda w: w[1, 1:3].zero_(), lambda a: a[1, 1:3].fill(0)),
    "element": (lambda w: w[2, 3].fill_(7.0), lambda a: a.__setitem__((2, 3), 7)),
    "reshape": (lambda w: w.reshape(2, 6)[0].zero_(), lambda a: a.reshape(2, 6)[0].fill(0)),
    "flatten": (lambda w: w.flatten().mul_(2.0), lambda a: np.multiply(a, 2, out=a)),
    "unsqueeze": (lambda w: w.unsqueeze(0)[0, 1].zero_(), lambda a: a[1].fill(0)),
    "row of rows": (lambda w: w[1:][0].zero_(), lambda a: a[1].fill(0)),
    "init": (lambda w: nn.init.zeros_(w[0]), lambda a: a[0].fill(0)),
    "detached": (lambda w: w.detach()[1].zero_(), lambda a: a[1].fill(0)),
    "iteration": (lambda w: [row.mul_(i) for i, row in enumerate(w)], lambda a: np.multiply(a, np.arange(3)[:, None], out=a)),
    "column": (lambda w: w.__setitem__(np.s_[:, 1], 5.0), lambda a: a.__setitem__(np.s_[:, 1], 5)),
    "column -=": (lambda w: w[:, 1].__isub__(1.0), lambda a: np.subtract(a[:, 1], 1, out=a[:, 1])),
    "mask": (lambda w: w.__setitem__(np.eye(3, 4) > 0, -1.0), lambda a: a.__setitem__(np.eye(3, 4) > 0, -1)),
    "pairs": (lambda w: w.__setitem__(([0, 2], [1, 3]), [8.0, 9.0]), lambda a: a.__setitem__(([0, 2], [1, 3]), [8, 9])),
    "steps": (lambda w: w.__setitem__(np.s_[::-2, ::2], [[1.0, 2.0]]), lambda a: a.__setitem__(np.s_[::-2, ::2], [[1, 2]])),
    "transposed": (lambda w: w.__setitem__(..., np.ones((4, 3)).T), lambda a: a.fill(1)),
    "shifted": (lambda w: w.__setitem__(slice(1, None), w[:-1]), lambda a: a.__setitem__(slice(1, None), a[:-1].copy())),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("kind", ["parameter", "gradient", "buffer"])
def test_a_write_reaches_the_tensor(name: str, kind: str) -> None:
    values = np.random.default_rng(0).normal(size=(3, 4))
    tensor = nn.Parameter(values) if kind == "parameter" else nl.tensor(values)
    if kind == "gradient":
        owner = nn.Parameter(values)
        owner.grad = tensor
        tensor = owner.grad
    write, expected = WRITES[name]
    with nl.no_grad():
        write(tensor)
    expected(values)
    np.testing.assert_array_equal(tensor.detach().numpy(), values)


COPIES: dict[str, Callable[[Any], Any]] = {
    "T.copy_": lambda w: w.T.copy_(np.ones((4, 3))), "column": lambda w: w[:, 0].zero_(), "steps": lambda w: w[::2].fill_(1.0),
    "transpose": lambda w: w.transpose(0, 1).mul_(2.0), "permute": lambda w: w.permute(1, 0).normal_(), "T +=": lambda w: w.T.__iadd__(1.0),
    "row of T +=": lambda w: w.T[0].__iadd__(1.0), "copy of a copy": lambda w: w[:, ::2][:, 0].__iadd__(1.0),
    "row of T detached": lambda w: w.T[0].detach().zero_(), "reshaped T": lambda w: w.T.reshape(-1).__imul__(2.0),
    "init": lambda w: nn.init.zeros_(w[:, 0]), "row of T": lambda w: w.T[0].zero_(), "item of T": lambda w: w.T.__setitem__(0, 1.0),
    "detached": lambda w: w.detach().T.zero_(), "T detached": lambda w: w.T.detach().zero_(), "clamp_": lambda w: w[:, 1].clamp_(0.0, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", COPIES)
def test_changing_a_temporary_copy_raises(name: str) -> None:
    w = nn.Parameter(np.ones((3, 4)))
    w.grad = nl.tensor(np.ones((3, 4)))
    for tensor in (w, w.grad, nl.tensor(np.ones((3, 4)))):
        with nl.no_grad(), pytest.raises(RuntimeError, match=r"w\[:, 0\] = value"):
            COPIES[name](tensor)
        assert (tensor.detach().numpy() == 1).all()
    w.T.clone().detach().zero_()


LEAVES: dict[str, Callable[[Any], Any]] = {
    "zero_": lambda w: w.zero_(), "+=": lambda w: w.__iadd__(1.0), "item": lambda w: w.__setitem__(0, 1.0), "row": lambda w: w[0].zero_(),
    "row +=": lambda w: w[0].__iadd__(1.0), "column +=": lambda w: w[:, 0].__iadd__(1.0), "add_": lambda w: w.add_(1.0),
    "reshaped": lambda w: w.reshape(-1).mul_(2.0),
}  # fmt: skip


@pytest.mark.parametrize("name", LEAVES)
def test_a_leaf_that_requires_a_gradient_refuses(name: str) -> None:
    with pytest.raises(RuntimeError, match="no_grad"):
        LEAVES[name](nn.Parameter(np.ones((3, 4))))


def test_in_place_operators_keep_type_and_object() -> None:
    w, wide = nn.Parameter(np.ones((2, 3), np.float32)), nl.tensor(np.full((2, 3), 0.1))
    before = w
    with nl.no_grad():
        w -= 0.5 * wide
        w *= nl.tensor(np.array(2.0))
    assert w is before
    assert w.dtype == np.float32
    theirs = torch.ones(2, 3)
    theirs -= 0.5 * torch.full((2, 3), 0.1, dtype=torch.float64)
    theirs *= torch.tensor(2.0, dtype=torch.float64)
    np.testing.assert_array_equal(w.detach().numpy(), theirs.numpy())
    with pytest.raises(RuntimeError, match="shape"):
        w.detach().__iadd__(np.ones((4, 2, 3), np.float32))
    with pytest.raises(RuntimeError, match="int64"):
        nl.tensor([1, 2]).__iadd__(0.5)


def test_a_scalar_does_not_widen_the_type() -> None:
    x, scale = nl.tensor([1.0, 2.0]), nl.tensor(np.array(3.0), requires_grad=True)
    for result in (x * scale, scale * x, nl.maximum(x, scale), nl.where(np.array([True, False]), x, scale)):
        assert result.dtype == np.float32
    (x * scale).sum().backward()
    assert scale.grad is not None
    assert scale.grad.dtype == np.float64
    assert scale.grad.item() == 3.0
    assert (nl.tensor(1.0) * scale).dtype == np.float64


def test_a_cycle_of_in_place_changes_is_freed() -> None:
    def run() -> weakref.ref[Any]:
        x = leaf(4)
        y = x * 1
        y += y.exp()
        y[0] = y.sum()
        z = y[1:3]
        z *= y[0]
        assert y.requires_grad
        return weakref.ref(x)

    reference = run()
    gc.collect()
    assert reference() is None


def test_chains_of_copies_are_freed() -> None:
    x = nl.tensor(np.ones((2, 3)))
    first = weakref.ref(x)
    for _ in range(200_000):
        x = x[:, ::-1]
    gc.collect()
    assert first() is None
    np.testing.assert_array_equal(x.numpy(), np.ones((2, 3)))


def test_growing_sums_do_not_slow_down() -> None:
    total = nl.tensor(0.0)
    x = nl.tensor(1.0, requires_grad=True)
    for _ in range(20_000):
        total += x * 2
    total.backward()
    assert x.grad is not None
    assert x.grad.item() == 40_000


@pytest.mark.parametrize("change", ["item", "+=", "zero_"])
def test_a_trace_refuses_to_write(change: str) -> None:
    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 1)

        def forward(self, x: nl.Tensor) -> nl.Tensor:
            y = self.linear(x)
            CHANGES[change](y)
            return y

    model = Writes()
    trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    x, y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    with pytest.raises(nl.CaptureError, match="compile=False"):
        trainer.fit(x, y, epochs=1, progress=False)
    trainer.fit(x, y, epochs=1, progress=False, compile=False)
