"""Errors within a model name the module that raised them."""

from __future__ import annotations

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(5, 2)))

    def forward(self, x):
        return self.layers(x)


X = np.ones((6, 3), np.float32)


@pytest.mark.parametrize("call", [
    lambda m: m(X), lambda m: nl.Predictor(m)(X), lambda m: trainer_of(m).fit(X, X[:, :2], progress=False),
    lambda m: trainer_of(m).predict(X), lambda m: trainer_of(m).fit(X, X[:, :2], compile=False, progress=False),
])  # fmt: skip
def test_a_shape_error_names_its_module(call):
    with pytest.raises(ValueError, match=r"\(in module 'layers\.2\.0', Linear\)$") as error:
        call(Net())
    assert str(error.value).count("in module") == 1


def trainer_of(model: nn.Module) -> nl.Trainer:
    return nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))


def test_capture_errors_name_the_module():
    class Reading(nn.Module):
        def forward(self, x):
            return x if x.sum().item() > 0 else -x

    model = nn.Sequential(nn.Linear(3, 2), Reading())
    with pytest.raises(nl.CaptureError, match=r"compile=False.*\(in module '1', Reading\)"):
        trainer_of(model).fit(X, X[:, :2], progress=False)


def test_errors_of_other_kinds_keep_their_arguments():
    class Failing(nn.Module):
        def __init__(self, error: Exception) -> None:
            super().__init__()
            self.error = error

        def forward(self, x):
            raise self.error

    for error in (KeyError("name"), OSError(2, "gone", "file"), ValueError(), ValueError("a", "b"), RuntimeError(7)):
        before = error.args
        with pytest.raises(type(error)) as raised:
            nn.Sequential(nn.Identity(), Failing(error))(X)
        assert raised.value is error
        assert error.args == before


def test_an_optimizer_given_a_method_says_to_call_it():
    with pytest.raises(TypeError, match=r"function parameters itself: call it"):
        optim.SGD(nn.Linear(2, 2).parameters, lr=0.1)


def test_mlp_accepts_a_class_a_function_or_a_module():
    for activation in (nn.Tanh, nn.Tanh(), lambda: nn.Tanh()):
        model = nn.MLP([2, 3, 3, 1], activation)
        assert [type(layer).__name__ for layer in model] == ["Linear", "Tanh", "Linear", "Tanh", "Linear"]
        assert model[1] is not model[3]


@pytest.mark.parametrize("activation", ["tanh", None, nn.functional.relu, nn.Linear, int])
def test_mlp_names_an_activation_that_does_not_return_a_module(activation):
    with pytest.raises(TypeError, match=r"activation must be a module or a callable that makes one"):
        nn.MLP([2, 3, 1], activation)


def test_mlp_of_bare_numbers_says_to_write_a_list():
    with pytest.raises(TypeError, match=r"sizes must be a list such as \[784, 128, 10\], got 2"):
        nn.MLP(2, 3, 1)


def test_an_optimizer_given_a_model_says_what_to_pass():
    with pytest.raises(TypeError, match=r"params is a Linear: pass its parameters"):
        optim.SGD(nn.Linear(2, 2), lr=0.1)


@pytest.mark.parametrize(("parts", "message"), [
    ({"model": nn.Linear}, "model is the class Linear itself"), ({"criterion": nn.MSELoss}, "criterion is the class MSELoss itself"),
    ({"optimizer": optim.SGD}, "optimizer is the class SGD itself"),
    ({"metrics": nl.metrics.accuracy}, r"use metrics=\[accuracy\]"), ({"metrics": 3}, "metrics must be a list"),
    ({"metrics": {"mine": nl.metrics.accuracy}}, "metrics must be a list"),
])  # fmt: skip
def test_a_trainer_names_the_part_that_is_wrong(parts, message):
    model = nn.Linear(2, 2)
    whole = {"model": model, "criterion": nn.MSELoss(), "optimizer": optim.SGD(model.parameters(), lr=0.1)}
    with pytest.raises(TypeError, match=message):
        nl.Trainer(**{**whole, **parts})


def test_callbacks_may_be_none():
    model = nn.Linear(2, 2)
    trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), metrics=None)
    assert len(trainer.fit(np.ones((4, 2)), np.ones((4, 2)), callbacks=None, progress=False)) == 1
