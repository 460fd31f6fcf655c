"""Largest and smallest values, bounds, and options that are tensors: PyTorch's values and gradients, or an error that names the option."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnlite as nl
from comparison import compare, normal
from nnlite import nn
from nnlite.nn import functional

DTYPES = [np.float32, np.float64]
TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [-1.0, 0.0, 5.0], [5.0, 3.0, 1.0]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, 1, -1])
@pytest.mark.parametrize("name", ["amax", "amin"])
def test_ties_share_the_gradient(name: str, dim: int | None, keepdim: bool, dtype: type) -> None:
    options = {"keepdim": keepdim} if dim is None else {"dim": dim, "keepdim": keepdim}
    theirs = {"dim": (0, 1), "keepdim": keepdim} if dim is None else options
    compare(lambda x: getattr(x, name)(**options), lambda x: getattr(x, name)(**theirs), [TIES], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["max", "min"])
def test_of_two_tensors(name: str, dtype: type) -> None:
    for other in (TIES[::-1].copy(), TIES[0], np.array(2.0)):
        compare(lambda a, b: getattr(a, name)(b), lambda a, b: getattr(a, name)(b), [TIES, other], dtype)
        compare(lambda a, b: getattr(a, name)(other=b), lambda a, b: getattr(a, name)(other=b), [TIES, other], dtype)
    compare(lambda a: getattr(a, name)(None), lambda a: getattr(a, name)(), [TIES], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shapes", [((4, 3), (4, 3)), ((), ()), ((3,), (4, 1)), ((1,), (4, 3))], ids=str)
@pytest.mark.parametrize("name", ["clamp", "clip"])
def test_bounds_that_are_tensors(name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]], dtype: type) -> None:
    low, high = (
        np.round(normal(*shapes[0])) - 1,
        np.round(normal(*shapes[1], seed=1)) + 1,
    )  # with ties, and with crossed bounds
    x = np.concatenate([TIES[:2], 3 * normal(2, 3)])
    compare(
        lambda *t: getattr(t[0], name)(t[1], t[2]), lambda *t: getattr(t[0], name)(t[1], t[2]), [x, low, high], dtype
    )
    compare(lambda *t: getattr(t[0], name)(min=t[1]), lambda *t: getattr(t[0], name)(min=t[1]), [x, low], dtype)
    compare(lambda *t: getattr(t[0], name)(max=t[1]), lambda *t: getattr(t[0], name)(max=t[1]), [x, high], dtype)
    crossed = (x, high, low)
    compare(lambda *t: getattr(t[0], name)(t[1], t[2]), lambda *t: getattr(t[0], name)(t[1], t[2]), crossed, dtype)


def test_a_fit_learns_a_bound() -> None:
    class Bounded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)
            self.limit = nn.Parameter(nl.tensor([0.1]))

        def forward(self, x: nl.Tensor) -> nl.Tensor:
            return self.layer(x).clamp(max=self.limit)

    def trained(compile: bool) -> str:
        nl.manual_seed(0)
        model = Bounded()
        trainer = nl.Trainer(model, nn.MSELoss(), nl.optim.SGD(model.parameters(), lr=0.1), seed=0)
        trainer.fit(
            normal(40, 3).astype("f"), normal(40, 2, seed=1).astype("f"), epochs=2, compile=compile, progress=False
        )
        assert model.limit.item() != pytest.approx(0.1)
        return model.fingerprint()

    assert trained(True) == trained(False)


OPTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "negative_slope": lambda x, option: functional.leaky_relu(x, option),
    "elu: alpha": lambda x, option: functional.elu(x, option),
    "softplus: beta": lambda x, option: functional.softplus(x, option),
    "threshold": lambda x, option: functional.softplus(x, 1.0, option),
    "delta": lambda x, option: functional.huber_loss(x, x.detach() * 2, delta=option),
    "smooth_l1_loss: beta": lambda x, option: functional.smooth_l1_loss(x, x.detach() * 2, beta=option),
    "label_smoothing": lambda x, option: functional.cross_entropy(x, np.zeros(len(x), int), label_smoothing=option),
    "dropout probability": lambda x, option: functional.dropout(x, option),
    "eps": lambda x, option: functional.layer_norm(x, (3,), eps=option),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_that_require_a_gradient_are_refused_by_name(name: str) -> None:
    x = nl.tensor(TIES, requires_grad=True)
    option = nl.tensor(0.25, requires_grad=True)
    with pytest.raises(TypeError, match=f"{name} is a tensor that requires a gradient"):
        OPTIONS[name](x, option)
    nl.manual_seed(0)
    expected = OPTIONS[name](x, 0.25).detach().numpy()
    nl.manual_seed(0)
    np.testing.assert_array_equal(OPTIONS[name](x, option.detach()).detach().numpy(), expected)
    with pytest.raises(TypeError):
        OPTIONS[name](x, "much")
