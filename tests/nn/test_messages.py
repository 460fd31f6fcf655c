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


def test_what_cannot_be_captured_names_its_module():
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


def test_an_optimizer_of_a_method_says_to_call_it():
    with pytest.raises(TypeError, match=r"function parameters itself: call it"):
        optim.SGD(nn.Linear(2, 2).parameters, lr=0.1)


def test_mlp_takes_a_class_a_function_or_a_module():
    for activation in (nn.Tanh, nn.Tanh(), lambda: nn.Tanh()):
        model = nn.MLP([2, 3, 3, 1], activation)
        assert [type(layer).__name__ for layer in model] == ["Linear", "Tanh", "Linear", "Tanh", "Linear"]
        assert model[1] is not model[3]
