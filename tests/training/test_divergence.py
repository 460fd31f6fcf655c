"""A loss that is not finite stops the fit with an error that says what went wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim

X, _ = nl.data.make_moons(100, noise=0.1, seed=1)
TARGET = X[:, :1] * 10


def make_trainer(lr: float, model: nn.Module | None = None) -> nl.Trainer:
    nl.manual_seed(0)
    model = model or nn.MLP([2, 32, 32, 1])
    return nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=lr))


def run_to_divergence(trainer: nl.Trainer, compile: bool) -> nl.DivergenceError:
    with pytest.raises(nl.DivergenceError) as caught:
        trainer.fit(X, TARGET, epochs=100, compile=compile)
    return caught.value


@pytest.mark.parametrize("compile", [True, False])
def test_the_error_names_epoch_batch_layer_rate_and_advice(compile):
    trainer = make_trainer(lr=5.0)
    error = run_to_divergence(trainer, compile)
    assert not math.isfinite(error.loss)
    assert error.lr == 5.0
    layers = {name for name, _ in trainer.model.named_parameters()} | {
        name for name, _ in trainer.model.named_modules()
    }
    assert error.layer in layers
    assert error.epoch == trainer.epoch == len(trainer.history)
    for part in (
        f"epoch {error.epoch}, batch {error.batch}",
        error.layer,
        "learning rate is 5",
        "lr=0.5",
        "standardised",
    ):
        assert part in str(error)


def test_native_and_eager_runs_stop_at_the_same_place():
    trainers = [make_trainer(lr=5.0), make_trainer(lr=5.0)]
    errors = [run_to_divergence(trainer, compile) for trainer, compile in zip(trainers, (True, False), strict=True)]
    assert (errors[0].epoch, errors[0].batch, errors[0].layer) == (errors[1].epoch, errors[1].batch, errors[1].layer)
    assert trainers[0].model.fingerprint() == trainers[1].model.fingerprint()


@pytest.mark.parametrize("compile", [True, False])
def test_the_weights_are_restored_to_those_before_the_batch(compile):
    trainer = make_trainer(lr=5.0)
    error = run_to_divergence(trainer, compile)
    order = nl._core.permutation(len(X), 0, error.epoch)[error.batch * 32 : (error.batch + 1) * 32]
    with np.errstate(all="ignore"):
        loss = nn.MSELoss()(trainer.model(X[order]), TARGET[order])
    assert not math.isfinite(loss.item())
    assert all(parameter.grad is None for parameter in trainer.model.parameters()) or not compile
    trainer.model.load_state_dict(make_trainer(0.1).model.state_dict())
    trainer.optimizer.param_groups[0]["lr"] = 0.01
    assert len(trainer.fit(X, TARGET, epochs=2, compile=compile)) == 2


def test_an_overflow_names_the_layer_it_comes_from():
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 1))
    trainer = make_trainer(0.1, model)
    model[2].weight.detach().fill_(3e38)
    model[0].bias.detach().fill_(10.0)
    error = run_to_divergence(trainer, True)
    assert error.layer == "2"
    assert "first non-finite values come out of layer '2'" in str(error)
    assert (error.epoch, error.batch) == (0, 0)
    assert all("forward" not in module.__dict__ for module in model.modules())


def test_a_finite_gradient_names_its_parameter():
    class Blowing(nn.Module):
        def __init__(self):
            super().__init__()
            self.small, self.large = nn.Linear(2, 1), nn.Linear(2, 1)

        def forward(self, x):
            return self.small(x) + 1e4 * self.large(x)

    def explode(output, target):
        return (output - target).mean() + float("inf")

    model = Blowing()
    trainer = nl.Trainer(model, explode, optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(nl.DivergenceError) as caught:
        trainer.fit(X, TARGET)
    assert caught.value.layer.startswith("large.")
    assert "largest gradient is that of large." in str(caught.value)


@pytest.mark.parametrize("compile", [True, False])
def test_no_reference_to_the_batch_remains(compile):
    def make() -> nl.Trainer:
        model = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.BatchNorm1d(4), nn.Linear(4, 1))
        trainer = make_trainer(0.01, model)
        trainer.fit(X, TARGET, compile=compile)
        return trainer

    trainer, twin = make(), make()
    weight = trainer.model[0].weight.detach()
    values = weight.numpy().copy()
    weight.fill_(3e38)
    before = trainer.model.fingerprint()
    run_to_divergence(trainer, compile)
    assert trainer.model.fingerprint() == before
    weight.copy_(values)
    for each in (trainer, twin):
        each.fit(X, TARGET, compile=compile)
    assert trainer.model.fingerprint() == twin.model.fingerprint()
