"""Evaluation and prediction: what they need, and that they change nothing."""

from __future__ import annotations

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.training.capture import Capture
from nnlite.training.evaluation import Evaluation, predict
from nnlite.training.rows import prepare, prepare_inputs
from nnlite.training.state import EpochReads, TrainingState

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 3)).astype(np.float32)
Y = RNG.integers(0, 2, 600)


class ReadsValues(nn.Module):
    """A model that cannot be captured."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: nl.Tensor) -> nl.Tensor:
        return self.layer(x) if float(x.sum()) > -1e9 else x


@pytest.mark.parametrize("rows", [1, 200, 600])
@pytest.mark.parametrize("make", [lambda: nn.MLP([3, 4, 2]), ReadsValues])
def test_predict_needs_only_a_model_and_rows(make, rows):
    model = make()
    found = predict(Capture(EpochReads()), model, prepare_inputs(model, X[:rows]), 128)
    np.testing.assert_array_equal(found, model(X[:rows]).detach().numpy())
    assert model.training, "predict left the model in evaluation mode"


@pytest.mark.parametrize("make", [lambda: nn.MLP([3, 4, 2]), ReadsValues])
def test_an_evaluation_does_not_affect_the_training(make):
    model, criterion = make(), nn.CrossEntropyLoss()
    state = TrainingState(model, criterion, optim.SGD(model.parameters(), lr=0.1), seed=3)
    evaluation = Evaluation(state, None)
    before = str((state.trained_state(), state.optimizer.state_dict(), state.generator.state(), state.epoch))
    found = evaluation.evaluate(prepare(model, criterion, X, Y), 64)
    assert found == {"loss": pytest.approx(criterion(model(X), Y).item(), rel=1e-6)}
    after = str((state.trained_state(), state.optimizer.state_dict(), state.generator.state(), state.epoch))
    assert after == before
