"""Gradient penalties, Hessian-vector products and physics-informed losses: the same program with PyTorch and with nnlite."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch
from test_gradients import LIBRARIES

import nnlite as nl
from nnlite import nn

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.standard_normal((16, 3)), RNG.standard_normal((16, 3))
POINTS = np.linspace(0.05, 0.95, 24)[:, None]
WEIGHTS = [RNG.standard_normal(shape) * 0.6 for shape in ((8, 3), (8,), (8, 8), (8,), (1, 8), (1,))]


def network(lib: Any, activation: str, inputs: int = 3) -> Any:
    layers = [
        lib.nn.Linear(inputs, 8),
        getattr(lib.nn, activation)(),
        lib.nn.Linear(8, 8),
        getattr(lib.nn, activation)(),
    ]
    model = lib.nn.Sequential(*layers, lib.nn.Linear(8, 1)).double()
    for parameter, values in zip(model.parameters(), WEIGHTS, strict=True):
        parameter.data = lib.tensor(values[:, :inputs].copy() if values.shape == (8, 3) else values)
    return model


def values_of(tensors: Any) -> list[Any]:
    return [np.array(tensor.tolist()) for tensor in tensors]


def penalised(lib: Any, activation: str) -> list[Any]:
    """Three steps of a critic's training (WGAN-GP, Gulrajani et al. 2017)."""
    model = network(lib, activation)
    optimizer = lib.optim.Adam(model.parameters(), lr=0.01)
    mix = np.linspace(0.1, 0.9, 16)[:, None]
    losses = []
    for _ in range(3):
        between = lib.tensor(mix * REAL + (1 - mix) * FAKE, requires_grad=True)
        score = model(between)
        (slope,) = lib.autograd.grad(
            outputs=score,
            inputs=between,
            grad_outputs=lib.ones_like(score),
            create_graph=True,
            retain_graph=True,
            only_inputs=True,
        )
        penalty = ((slope.view(16, -1).norm(2, dim=1) - 1) ** 2).mean() * 10
        loss = model(lib.tensor(FAKE)).mean() - model(lib.tensor(REAL)).mean() + penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return [np.array(losses), *values_of(p.grad for p in model.parameters()), *values_of(model.parameters())]


@pytest.mark.parametrize("activation", ["ReLU", "Tanh", "LeakyReLU", "Softplus", "Sigmoid", "GELU", "SiLU", "ELU"])
def test_gradient_penalties(activation: str) -> None:
    expected, found = (penalised(lib, activation) for lib in reversed(LIBRARIES))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


def product(lib: Any) -> list[Any]:
    """A Hessian-vector product over all parameters, by two passes."""
    model = network(lib, "Tanh")
    parameters = list(model.parameters())
    loss = ((model(lib.tensor(REAL)) - lib.tensor(FAKE[:, :1])) ** 2).mean()
    gradients = lib.autograd.grad(loss, parameters, create_graph=True)
    total = sum((g * lib.tensor(w)).sum() for g, w in zip(gradients, WEIGHTS, strict=True))
    return values_of(lib.autograd.grad(total, parameters))


def test_hessian_vector_products() -> None:
    for ours, theirs in zip(product(nl), product(torch), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def residual_loss(lib: Any, model: Any, x: Any) -> Any:
    """u'' = -sin(3 x), u(0) = u(1) = 0."""
    u = model(x)
    (slope,) = lib.autograd.grad(u, x, lib.ones_like(u), create_graph=True)
    (curvature,) = lib.autograd.grad(slope, x, lib.ones_like(slope), create_graph=True)
    ends = model(lib.tensor(np.array([[0.0], [1.0]])))
    return ((curvature + lib.sin(x * 3)) ** 2).mean() + (ends**2).sum() * 10


def physics_informed(lib: Any, method: str, steps: int) -> list[Any]:
    model = network(lib, "Tanh", 1)
    x = lib.tensor(POINTS, requires_grad=True)
    options = {"lr": 0.01} if method == "Adam" else {"lr": 0.5, "max_iter": 4}
    optimizer, losses = getattr(lib.optim, method)(model.parameters(), **options), []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = residual_loss(lib, model, x)
        loss.backward()
        losses.append(loss.item())
        return loss

    for _ in range(steps):
        if method == "LBFGS":
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()
    return [np.array(losses), *values_of(model.parameters())]


@pytest.mark.parametrize(("method", "steps"), [("Adam", 20), ("LBFGS", 4)])
def test_physics_informed_losses(method: str, steps: int) -> None:
    found, expected = physics_informed(nl, method, steps), physics_informed(torch, method, steps)
    assert found[0][-1] < 0.5 * found[0][0]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)


class Residual(nn.Module):
    """The network's u'' + sin(3 x), to be fitted to 0."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network(nl, "Tanh", 1)

    def forward(self, x: nl.Tensor) -> nl.Tensor:
        with nl.enable_grad():  # evaluation and predictions run without
            x = x.detach().requires_grad_()
            u = self.network(x)
            (slope,) = nl.autograd.grad(u.sum(), x, create_graph=True)
            (curvature,) = nl.autograd.grad(slope.sum(), x, create_graph=True)
        return curvature + (x * 3).sin()


def test_the_trainer_fits_them_operation_by_operation() -> None:
    model = Residual()
    trainer = nl.Trainer(model, nn.MSELoss(), nl.optim.Adam(model.parameters(), lr=0.01))
    zeros = np.zeros_like(POINTS)
    with pytest.raises(nl.CaptureError, match="compile=False"):
        trainer.fit(POINTS, zeros, epochs=1, progress=False)
    history = trainer.fit(POINTS, zeros, epochs=20, batch_size=8, progress=False, compile=False)
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert np.isfinite(trainer.evaluate(POINTS, zeros)["loss"])
    assert trainer.predict(POINTS).shape == POINTS.shape


def test_training_leaves_nothing_behind() -> None:
    """Records of gradients of gradients go with their step."""
    import tracemalloc

    physics_informed(nl, "Adam", 2)
    gc.collect()
    tracemalloc.start()
    physics_informed(nl, "Adam", 3)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    physics_informed(nl, "Adam", 30)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 20_000
