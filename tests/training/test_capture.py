"""Captured programs follow the model; models that cannot be captured raise an error that says so."""

from __future__ import annotations

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.training import capture

X, Y = nl.data.make_moons(96, noise=0.1, seed=1)


def make_trainer(model: nn.Module, criterion=None) -> nl.Trainer:
    return nl.Trainer(model, criterion or nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))


class Noisy(nn.Linear):
    def forward(self, x):
        return super().forward(x) * float(np.random.default_rng().uniform(0.5, 1.5))


class Counting(nn.Linear):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * (1.0 / self.calls)


class Reading(nn.Linear):
    def forward(self, x):
        y = super().forward(x)
        return y if y.sum().item() > 0 else -y


class Asking(nn.Linear):
    def forward(self, x):
        y = super().forward(x)
        return y if (y > 0).any() else -y


class Escaping(nn.Linear):
    def forward(self, x):
        return nl.tensor(np.exp(super().forward(x).numpy()))


@pytest.mark.parametrize("kind", [Noisy, Counting, Reading, Asking, Escaping])
def test_capture_errors_name_the_alternative(kind):
    trainer = make_trainer(kind(2, 2))
    before = trainer.model.fingerprint()
    with pytest.raises(nl.CaptureError, match="compile=False"):
        trainer.fit(X, Y)
    assert trainer.model.fingerprint() == before


@pytest.mark.parametrize("kind", [Noisy, Counting, Reading, Asking])
def test_uncaptured_models_train_and_predict_from_python(kind):
    trainer = make_trainer(kind(2, 2))
    history = trainer.fit(X, Y, epochs=3, compile=False, validation_data=(X, Y))
    assert len(history) == 3
    assert trainer.predict(X).shape == (96, 2)
    assert trainer.evaluate(X, Y, batch_size=10)["loss"] > 0


class Switching(nn.Module):
    """Takes another path if a flag is set."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
        self.dropout = nn.Dropout(0.0)
        self.use_second = False

    def forward(self, x):
        return self.dropout(self.second(x) if self.use_second else self.first(x))


def _switch_path(trainer):
    trainer.model.use_second = True


def _freeze(trainer):
    trainer.model.first.weight.requires_grad = False


def _drop(trainer):
    trainer.model.dropout.p = 0.5


def _smooth(trainer):
    trainer.criterion.label_smoothing = 0.3


def _replace_criterion(trainer):
    trainer.criterion = nn.CrossEntropyLoss(weight=[1.0, 5.0])


def _scale_weights(trainer):
    weight = trainer.model.first.weight.detach()
    weight.copy_(2 * weight.numpy())


def _replace_parameter(trainer):
    trainer.model.first.weight = nn.Parameter(np.ones((2, 2), np.float32))
    trainer.optimizer.add_param_group({"params": [trainer.model.first.weight], "lr": 0.2})


def _load_state(trainer):
    trainer.model.load_state_dict({key: value + 1 for key, value in trainer.model.state_dict().items()})


def _new_optimizer(trainer):
    trainer.optimizer = optim.SGD(trainer.model.parameters(), lr=0.5, momentum=0.5)


CHANGES = [
    _switch_path, _freeze, _drop, _smooth, _replace_criterion, _scale_weights, _replace_parameter, _load_state, _new_optimizer,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_changes_between_fits_reach_the_native_loop(change):
    prints = []
    for compile in (True, False):
        nl.manual_seed(0)
        trainer = make_trainer(Switching())
        trainer.fit(X, Y, compile=compile)
        trainer.evaluate(X, Y)
        change(trainer)
        history = trainer.fit(X, Y, epochs=2, compile=compile)
        prints.append((trainer.model.fingerprint(), history["loss"], trainer.evaluate(X, Y)))
    assert prints[0] == prints[1]


def test_a_frozen_layer_does_not_change():
    model = nn.MLP([2, 8, 2])
    trainer = make_trainer(model)
    trainer.fit(X, Y)
    model[0].requires_grad_(False)
    before = model[0].weight.detach().numpy().copy()
    last = model[2].weight.detach().numpy().copy()
    trainer.fit(X, Y)
    np.testing.assert_array_equal(model[0].weight.detach().numpy(), before)
    assert not np.array_equal(model[2].weight.detach().numpy(), last)


def test_an_unchanged_step_is_planned_once(monkeypatch):
    planned = []

    class Program(capture.Program):
        def __init__(self, *arguments):
            planned.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(capture, "Program", Program)
    trainer = make_trainer(nn.MLP([2, 8, 2]))
    for _ in range(3):
        trainer.fit(X, Y, batch_size=50, validation_data=(X, Y))
    # The full and the partial batch, in training and evaluation, and the one row that checks the validation data.
    assert len(planned) == 5


def test_few_programs_are_kept(monkeypatch):
    trainer = make_trainer(nn.Linear(2, 2))
    for rows in range(1, 60):
        trainer.evaluate(X[:rows], Y[:rows], batch_size=100)
    assert len(trainer._evaluation.capture._known) <= 16


@pytest.mark.parametrize("output", [lambda x: x.sum(), lambda x: x.reshape(-1), lambda x: 3.0])
@pytest.mark.parametrize("compile", [True, False])
def test_outputs_without_rows(output, compile):
    class Wrong(nn.Linear):
        def forward(self, x):
            return output(super().forward(x))

    with pytest.raises(ValueError, match="one row for each"):
        make_trainer(Wrong(2, 2)).fit(X, Y, compile=compile)


@pytest.mark.parametrize("compile", [True, False])
def test_a_criterion_that_does_not_return_a_tensor(compile):
    with pytest.raises(TypeError, match="criterion must return a Tensor, got float"):
        make_trainer(nn.Linear(2, 2), lambda output, target: 1.0).fit(X, Y, compile=compile)


@pytest.mark.parametrize("compile", [True, False])
def test_custom_losses_get_classes_as_integers(compile):
    def margin(output, target):
        assert target.dtype == np.int64
        return nn.functional.cross_entropy(output, target) * 2

    trainer = make_trainer(nn.Linear(2, 2), margin)
    assert trainer.fit(X, Y, compile=compile)["loss"][0] > 0
