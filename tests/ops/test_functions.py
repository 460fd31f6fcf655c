"""Functions of nnlite.ops: digits, captured steps, in place, NumPy's names, wrong arguments."""

from __future__ import annotations

import itertools
import operator
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, ops, optim

# name: (exact function, range, bound in ulp of float32, of float64)
DIGITS: dict[str, tuple[Callable[[Any], Any], tuple[float, float], float, float]] = {
    "cos": (mpmath.cos, (-50, 50), 0.51, 1),
    "tan": (mpmath.tan, (-50, 50), 0.51, 2.5),
    "atan": (mpmath.atan, (-5, 5), 0.51, 2),
    "asin": (mpmath.asin, (-1, 1), 0.51, 3),
    "acos": (mpmath.acos, (-1, 1), 0.51, 3),
    "sinh": (mpmath.sinh, (-80, 80), 0.51, 3),
    "cosh": (mpmath.cosh, (-80, 80), 0.51, 3),
    "erfc": (mpmath.erfc, (-3, 9), 3.5, 3.5),
    "log2": (lambda x: mpmath.log(x, 2), (0, 20), 0.51, 2.5),
    "log10": (mpmath.log10, (0, 20), 0.51, 2.5),
    "exp2": (lambda x: mpmath.mpf(2) ** x, (-100, 100), 0.51, 1),
    "rsqrt": (lambda x: 1 / mpmath.sqrt(x), (0, 20), 1.5, 1.5),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", DIGITS)
def test_errors(name: str, dtype: type) -> None:
    exact, (low, high), *bounds = DIGITS[name]
    mpmath.mp.dps = 40
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(low, high, 400), rng.uniform(0, 1e-3, 50)]).astype(dtype)
    worst, at = 0.0, 0.0
    for value, ours in zip(x, getattr(nl, name)(x).numpy(), strict=True):
        expected = exact(mpmath.mpf(float(value)))
        unit = mpmath.mpf(float(np.spacing(np.abs(dtype(float(expected))))))
        error = float(abs(mpmath.mpf(float(ours)) - expected) / unit)
        if error > worst:
            worst, at = error, float(value)
    assert worst <= bounds[dtype is np.float64], f"{name}({at!r}) is off by {worst:.2f} ulp"


class Mixed(nn.Module):
    """A forward pass of many functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, x: nl.Tensor) -> nl.Tensor:
        h = self.first(x)
        h = h.sin() + h.cos() * nl.tan(h * 0.1) + nl.atan2(h, h.square() + 1) + (h * 0.1).asin() + h.erfc()
        h = (
            h
            + h.floor()
            + nl.remainder(h, 0.7)
            + h.round(decimals=1)
            + nl.nan_to_num(h).trunc()
            + h.sinh().log1p().nan_to_num()
        )
        h = (
            h
            + h.std(1, keepdim=True)
            + h.norm(dim=1, keepdim=True)
            + h.logsumexp(1, keepdim=True)
            + h.cumsum(1)
            + h.prod(1, True)
        )
        a, b = h.chunk(2, 1)
        h = (
            nl.hstack([b, a.flip(1)])
            + h.roll(1, 1)
            + nl.einsum("bi,ij,kj->bk", h, self.first.weight.tril(), self.first.weight)
        )
        h = h.scatter_add(1, np.zeros((h.shape[0], 1), np.int64), h[:, :1]) + h.gather(
            1, np.zeros((h.shape[0], 6), np.int64)
        )
        return self.last(h.clamp(-3, 3))


def test_captured_steps_have_the_bits_of_the_loop() -> None:
    x = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)
    y = x[:, :2].copy()
    results = []
    for compiled in (True, False):
        nl.manual_seed(0)
        model = Mixed()
        trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=1e-3), seed=0)
        history = trainer.fit(x, y, epochs=2, batch_size=16, compile=compiled, progress=False)
        results.append((model.fingerprint(), history["loss"]))
    assert np.isfinite(results[0][1]).all()
    assert results[0] == results[1]


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(["add", "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide"], (2.5,)),
    **dict.fromkeys(["floor_divide", "fmod", "remainder"], (0.3,)),
    **dict.fromkeys(["atan2", "arctan2", "hypot"], ("tensor",)),
    **dict.fromkeys(["cumsum", "cumprod"], (1,)),
    "lerp": ("tensor", 0.3), "masked_fill": ("mask", 7.0), "clip": (0.2, 0.6),
    "index_add": (1, "index", "columns"), "scatter": (0, "places", 3.0), "scatter_add": (0, "places", "tensor"),
    "addcmul": ("tensor", "tensor"), "addcdiv": ("tensor", "tensor"), "index_fill": (1, "index", 7.0),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(name for name in ops.METHODS if name.endswith("_") and name != "floor_divide_"))
def test_in_place(name: str) -> None:
    rng = np.random.default_rng(0)
    values = {
        "start": rng.uniform(0.1, 0.9, (3, 4)), "tensor": rng.uniform(0.1, 0.9, (3, 4)), "columns": rng.uniform(size=(3, 2)),
        "mask": rng.uniform(size=(3, 4)) > 0.5, "index": np.array([2, 0]), "places": rng.integers(0, 3, (3, 4)),
    }  # fmt: skip

    def run(make: Callable[..., Any], index: Callable[..., Any]) -> tuple[Any, ...]:
        given = {k: make(v) if v.dtype.kind == "f" else index(v) for k, v in values.items()}
        leaf = make(values["start"])
        leaf.requires_grad_()
        x = leaf * 1
        args = [given.get(a, a) if isinstance(a, str) else a for a in ARGUMENTS.get(name[:-1], ())]
        result = getattr(x, name)(*args)
        assert result is x
        (x * given["tensor"]).sum().backward()
        return x.detach().numpy(), leaf.grad.numpy()

    for ours, theirs in zip(run(nl.tensor, lambda a: a), run(torch.tensor, torch.tensor), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_in_place_on_integers_and_booleans() -> None:
    def run(m: Any) -> list[Any]:
        x, mask = m.arange(-3, 3), m.tensor([True, False] * 3)
        results = [
            x.remainder_(4),
            x.masked_fill_(mask, 9),
            x.index_add_(0, m.tensor([1]), m.tensor([5])),
            x.cumsum_(0),
            mask.masked_fill_(mask, False),
        ]
        return [r.tolist() for r in (*results, x, mask)]

    assert run(nl) == run(torch)
    for change in (lambda x: x.sin_(), lambda x: x.div_(2), lambda x: x.bool().cumsum_(0)):
        for m in (nl, torch):
            with pytest.raises(RuntimeError):
                change(m.arange(3))


def test_arrays_and_numpys_names_are_taken() -> None:
    x = np.arange(6.0).reshape(2, 3)
    assert nl.sin(x).tolist() == nl.sin(input=nl.tensor(x)).tolist()
    assert nl.std(x, axis=0, keepdims=True).shape == (1, 3)
    assert nl.sum(x, axis=0).tolist() == [3, 5, 7]
    assert nl.tensor(x).cumsum(axis=1).tolist() == x.cumsum(1).tolist()


def test_operators() -> None:
    values, other = np.array([-7.5, -0.2, 0.0, 3.0, 8.25]), np.array([2.0, -0.5, 3.0, -3.0, 0.7])
    for operation in (operator.mod, operator.floordiv):
        for pair in ((values, other), (values, 4.3), (-4.3, other)):
            got, expected = (
                operation(*(make(x) if isinstance(x, np.ndarray) else x for x in pair))
                for make in (nl.tensor, torch.tensor)
            )
            np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.bool_, np.int64, np.float32])
def test_equal_elements_keep_their_order(dtype: type) -> None:
    values = np.random.default_rng(0).integers(0, 2, (6, 9)).astype(dtype)
    x, theirs = nl.tensor(values), torch.tensor(values)
    for dim, descending in itertools.product((0, 1), (False, True)):
        expected = torch.sort(theirs, dim=dim, descending=descending, stable=True)
        ordered = x.sort(dim, descending)
        assert ordered.values.tolist() == expected.values.tolist()
        assert ordered.indices.tolist() == x.argsort(dim, descending).tolist() == expected.indices.tolist()
        assert x.topk(3, dim, descending).indices.tolist() == expected.indices.narrow(dim, 0, 3).tolist()
    assert x.kthvalue(2).indices.tolist() == x.argsort()[:, 1].tolist()


def test_nans_are_the_largest() -> None:
    values = [2.0, np.nan, -np.inf, 2.0, np.nan, np.inf]
    x, theirs = nl.tensor(values), torch.tensor(values)
    for descending in (False, True):
        expected = torch.sort(theirs, descending=descending, stable=True)
        np.testing.assert_array_equal(x.sort(descending=descending).values.numpy(), expected.values.numpy())
        assert x.argsort(descending=descending).tolist() == expected.indices.tolist()
    assert x.median(0).indices.item() == 1
    assert np.isnan([x.median().item(), x.quantile(0.1).item()]).all()
    for name in ("cummax", "cummin"):
        ours, other = getattr(nl, name)(x, 0), getattr(torch, name)(theirs, 0)
        np.testing.assert_array_equal(ours.values.numpy(), other.values.numpy())
        assert ours.indices.tolist() == other.indices.tolist()


def test_integers_and_booleans() -> None:
    """What small programs do with labels and masks, as PyTorch does it."""

    def run(m: Any) -> list[Any]:
        labels, mask = m.tensor([2, 0, 1, 2]), m.tensor([True, False, True, False])
        results = [
            m.arange(5).flip(0), labels.repeat(2), labels.repeat_interleave(2), m.eye(3)[labels], labels.roll(1), labels.expand(2, 4),
            labels % 2, -labels // 2, -labels % 2, labels.fmod(-2), labels.sign(), labels.square(), labels.prod(), labels.cumsum(0),
            labels.div(2, rounding_mode="floor"), (-labels).div(2, rounding_mode="trunc"), labels.div(2), labels.sin(), labels % 1.5,
            labels.floor(), labels.round(), labels.masked_fill(mask, 7), labels.masked_select(mask), labels[mask], mask.masked_fill(mask, False),
            labels.gather(0, m.tensor([3, 3])), labels.index_select(0, m.tensor([1])), labels.scatter(0, m.tensor([1]), 9),
            labels.scatter_add(0, labels, labels), labels.index_add(0, m.tensor([1, 1]), m.tensor([5, 6])), labels.unique(), labels.bincount(minlength=5),
            labels.bincount(m.rand(4).double() * 0 + 0.5), mask.nonzero(), m.count_nonzero(labels), mask.flip(0), mask.cumsum(0), mask.prod(),
            labels.diag(), m.triu(labels.repeat(4, 1)), mask.repeat(4, 1).tril(), m.full((2,), 3), m.full((2,), True), m.full((2,), 1.5),
            m.zeros_like(labels), m.ones_like(labels, dtype=m.float64), m.zeros_like(mask), m.full_like(mask, 1),
            m.outer(labels, labels), m.dot(labels, labels), m.mm(labels.reshape(2, 2), labels.reshape(2, 2)), m.kron(labels, labels),
            m.einsum("i,j->ij", labels, labels), m.where(mask, labels, 0), m.hstack([labels, mask]), *labels.split(3), *mask.chunk(2),
            *m.meshgrid(m.arange(2), m.arange(3), indexing="ij"), *labels.sort(), labels.topk(2).values, labels.median(), labels.nan_to_num(),
        ]  # fmt: skip
        return [(r.tolist(), tuple(r.shape), str(r.dtype).removeprefix("torch.")) for r in results]

    for number, (ours, theirs) in enumerate(zip(run(nl), run(torch), strict=True)):
        assert ours == theirs, f"result {number}"


def test_random_functions_follow_their_generator() -> None:
    for draw in (
        lambda g: nl.randint(5, 9, (1000,), generator=g), lambda g: nl.randperm(50, generator=g),
        lambda g: nl.rand_like(nl.ones(3), generator=g), lambda g: nl.randn_like(nl.ones(3), generator=g),
    ):  # fmt: skip
        first, second = (draw(nl.Generator(7)).numpy() for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert (first != draw(nl.Generator(8)).numpy()).any()
    assert set(nl.randint(5, 9, (1000,)).tolist()) == {5, 6, 7, 8}
    assert sorted(nl.randperm(50).tolist()) == list(range(50))
    assert nl.randint(3, (2,)).dtype == nl.randperm(3).dtype == nl.arange(3).dtype == np.int64


def test_from_dlpack_shares_memory() -> None:
    theirs = torch.ones(3)
    ours = nl.from_dlpack(theirs)
    theirs[0] = 5
    assert ours.tolist() == [5, 1, 1]


X = nl.tensor(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: nl.std(X, 5), IndexError, "dimension 5 is out of range [-2, 1]"),
        (lambda: X.var((0, 0)), RuntimeError, "dim (0, 0) names a dimension twice"),
        (lambda: nl.mm(X, X[0]), RuntimeError, "mat2 must be a matrix, got shape (3,)"),
        (lambda: nl.einsum("ij,jk", X), RuntimeError, "has 2 operands, got 1"),
        (lambda: X.expand(2, 4), RuntimeError, "a tensor of shape (2, 3) cannot be expanded to (2, 4)"),
        (lambda: X.split([1, 1], 1), RuntimeError, "sections [1, 1] do not add up to the 3 elements of dimension 1"),
        (lambda: X.chunk(0), RuntimeError, "chunks must be greater than 0, got 0"),
        (lambda: X.gather(1, np.array([[3]])), RuntimeError, "index 3 is out of bounds for dimension 1 with size 3"),
        (lambda: X.index_select(0, np.array([2])), IndexError, "index 2 is out of range for dimension 0 of size 2"),
        (lambda: X.masked_fill(np.ones((2, 3)), 1), RuntimeError, "mask must be boolean, got float64"),
        (lambda: X.div(2, rounding_mode="up"), RuntimeError, "rounding_mode to be one of None, 'trunc', or 'floor' but found 'up'"),
        (lambda: X.topk(4), RuntimeError, "k is 4, dimension -1 of shape (2, 3) has fewer elements"),
        (lambda: X.kthvalue(0), RuntimeError, "k is 0, out of range for dimension -1"),
        (lambda: X.quantile(1.5), RuntimeError, "q must be a number or a vector of numbers in [0, 1], got 1.5"),
        (lambda: X.quantile(0.5, interpolation="cubic"), RuntimeError, "not 'cubic'"),
        (lambda: X.long().bincount(), RuntimeError, "must be a vector of integers"),
        (lambda: nl.arange(3) % 0, RuntimeError, "integer division by zero"),
        (lambda: nl.linspace(0, 1, -1), ValueError, "Number of samples, -1, must be non-negative"),
        (lambda: nl.randint(3, 3, (1,)), RuntimeError, "low must be less than high, got 3 and 3"),
        (lambda: X.mm(None), TypeError, "mm(): mat2 must be a Tensor, an array or numbers, got None"),
        (lambda: nl.sin("x"), TypeError, "sin(): input must be a Tensor, an array or numbers, got str"),
        (lambda: X.sin(1), TypeError, "sin() takes 1 positional argument but 2 were given"),
        (lambda: nl.sine(X), AttributeError, "sin"),
    ],
)  # fmt: skip
def test_messages(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)


def test_functions_are_imported_when_first_used() -> None:
    code = (
        "import sys, nnlite as nl; loaded = lambda: sorted(m for m in sys.modules if m.startswith('nnlite.ops.'))\n"
        "before = loaded(); nl.ones(2).sin(); print(before, 'nnlite.ops.elementwise' in loaded(), 'nnlite.ops.products' in loaded())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] True False"


def test_every_name_is_a_function_or_a_method() -> None:
    for name in ops.FUNCTIONS:
        assert callable(getattr(nl, name)), name
        assert getattr(nl, name).__doc__, name
    for name in ops.METHODS:
        assert callable(getattr(nl.Tensor, name)), name
        assert hasattr(torch.Tensor, name), name
