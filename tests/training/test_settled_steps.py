"""A step of nnlite's modules is recorded once, and again as soon as anything that it depends on has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.nn import functional as F
from nnlite.training import capture

X = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


def trainer_of(criterion: Any = None) -> nl.Trainer:
    nl.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(0.1), nn.Dropout(0.1), nn.LayerNorm(4), nn.Linear(4, 2))
    criterion = criterion or nn.CrossEntropyLoss(weight=np.ones(2, np.float32))
    return nl.Trainer(model, criterion, optim.SGD(model.parameters(), lr=0.1))


@pytest.fixture
def recordings(monkeypatch: Any) -> list[Any]:
    """Grows with each pass that is recorded."""
    # While any tensor has a hook, steps are recorded again; another test's may live on in a cycle.
    monkeypatch.setattr(capture._core, "has_gradient_hooks", lambda: False)
    made: list[Any] = []

    def record(*args: Any) -> Any:
        made.append(args)
        return original(*args)

    original = capture.record
    monkeypatch.setattr(capture, "record", record)
    return made


def test_nothing_is_recorded_twice_while_nothing_changes(recordings):
    trainer = trainer_of()
    calls: list[Callable[[], Any]] = [
        lambda: trainer.fit(X, Y, epochs=2, callbacks=[nl.callbacks.Callback()], progress=False),
        lambda: trainer.evaluate(X, Y),
        lambda: trainer.predict(X, batch_size=10),
    ]
    for call in calls:
        call()
    recordings.clear()
    for call in calls * 2:
        call()
    trainer.model.eval()
    trainer.model[0].weight.detach().numpy()[...] *= 0.5
    trainer.evaluate(X, Y)
    assert not recordings, "a step that does what it did was recorded again"


def _replaced_data(trainer: nl.Trainer) -> None:
    weight = trainer.model[0].weight
    weight.data = weight.detach().clone() * 0.5


def _replaced_layer(trainer: nl.Trainer) -> None:
    trainer.model[1] = nn.Tanh()


def _replaced_parameter(trainer: nl.Trainer) -> None:
    trainer.model[0].bias = nn.Parameter(np.ones(4, np.float32))


def _set_attribute(trainer: nl.Trainer) -> None:
    trainer.model[1].negative_slope = 0.5


def _set_shape(trainer: nl.Trainer) -> None:
    trainer.model[3].eps = 0.1


def _hook(trainer: nl.Trainer) -> None:
    trainer.model[1].register_forward_hook(lambda module, args, output: output * 2)


def _forward(trainer: nl.Trainer) -> None:
    trainer.model[1].forward = lambda x: x.tanh()


def _frozen(trainer: nl.Trainer) -> None:
    trainer.model[0].requires_grad_(False)


def _class_weights(trainer: nl.Trainer) -> None:
    trainer.criterion.weight.numpy()[0] = 3


def _other_criterion(trainer: nl.Trainer) -> None:
    trainer.criterion = nn.CrossEntropyLoss(label_smoothing=0.3)


def _function(trainer: nl.Trainer) -> None:
    trainer.criterion = F.cross_entropy


def _smoothing(trainer: nl.Trainer) -> None:
    trainer.criterion.label_smoothing = 0.3


def _other_optimizer(trainer: nl.Trainer) -> None:
    trainer.optimizer = optim.Adam(trainer.model.parameters(), lr=0.01)


def _fewer_parameters(trainer: nl.Trainer) -> None:
    trainer.optimizer.param_groups[0]["params"].pop(0)


def _double(trainer: nl.Trainer) -> None:
    trainer.model.double()
    trainer.criterion.double()


def _class(trainer: nl.Trainer) -> None:
    trainer.model[1].__class__ = nn.ReLU


CHANGES = [
    _replaced_data, _replaced_layer, _replaced_parameter, _set_attribute, _set_shape, _hook, _forward, _frozen, _class_weights,
    _other_criterion, _function, _smoothing, _other_optimizer, _fewer_parameters, _double, _class,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:the optimizer does not hold")
@pytest.mark.parametrize("change", CHANGES)
def test_every_change_between_calls_counts(change):
    results = []
    for compile in (True, False):
        trainer = trainer_of()
        trainer.fit(X, Y, epochs=2, compile=compile, progress=False)
        if compile:
            trainer.evaluate(X, Y)
            trainer.predict(X, batch_size=10)
        change(trainer)
        history = trainer.fit(X, Y, epochs=2, compile=compile, progress=False)
        loss = trainer.evaluate(X, Y) if compile else nl.Trainer(*_parts(trainer)).evaluate(X, Y)
        outputs = trainer.predict(X, batch_size=10) if compile else trainer.model.eval()(X).detach().numpy()
        results.append((trainer.model.fingerprint(), history["loss"], loss, outputs.tobytes()))
    assert results[0] == results[1], f"after {change.__name__} a step recorded before it ran"


def _parts(trainer: nl.Trainer) -> tuple[Any, ...]:
    return trainer.model, trainer.criterion, trainer.optimizer


def test_a_changed_class_of_nnlite_counts(monkeypatch):
    trainer = trainer_of()
    first = trainer.evaluate(X, Y)
    monkeypatch.setattr(nn.LeakyReLU, "forward", lambda self, x: x * 3)
    assert trainer.evaluate(X, Y) != first


def test_a_callback_between_epochs_is_heeded():
    class Freezing(nl.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            self.trainer.model[0].requires_grad_(epoch % 2 == 1)
            self.trainer.model[1].negative_slope = epoch / 10

    prints = []
    for compile in (True, False):
        trainer = trainer_of()
        trainer.fit(X, Y, epochs=4, callbacks=[Freezing()], compile=compile, progress=False)
        prints.append(trainer.model.fingerprint())
    assert prints[0] == prints[1]


@pytest.mark.parametrize("when", ["on_train_begin", "on_epoch_begin", "on_epoch_end"])
def test_a_mode_that_a_callback_sets_is_heeded(when):
    def freeze(*args: Any) -> None:
        trainer.model[2].eval()

    prints = []
    for compile in (True, False):
        trainer = trainer_of()
        trainer.model[2].p = 0.5
        trainer.fit(X, Y, progress=False)
        callbacks = [nl.callbacks.LambdaCallback(**{when: freeze})]
        trainer.fit(X, Y, epochs=3, callbacks=callbacks, compile=compile, progress=False)
        prints.append(trainer.model.fingerprint())
    assert prints[0] == prints[1], f"dropout switched off {when} went on"


def test_a_train_method_of_an_instance_is_called():
    trainer = trainer_of()
    dropout = trainer.model[2].eval()
    dropout.train = lambda mode=True: dropout
    seen = []
    dropout.register_forward_hook(lambda module, args, output: seen.append(module.training))
    trainer.fit(X, Y, compile=False, progress=False)
    assert set(seen) == {False}, "fit switched a layer whose own train() keeps its mode"


class Computing(nl.callbacks.Callback):
    """Computes, evaluates and trains another model between epochs of the running native call."""

    def __init__(self) -> None:
        self.other = trainer_of()
        self.figures: list[Any] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        large = nl.ones(300, 300)
        self.other.fit(X, Y, progress=False)
        loss = self.trainer.evaluate(X, Y)["loss"]
        self.figures += [(large @ large).sum().item(), loss, self.other.model.fingerprint()]
        if epoch == 2:
            self.trainer.optimizer.param_groups[0]["lr"] = 0.01


def test_a_callback_may_compute_between_epochs():
    results = []
    for compile in (True, False):
        trainer, callback = trainer_of(), Computing()
        history = trainer.fit(X, Y, epochs=5, callbacks=[callback], compile=compile, progress=False)
        results.append((trainer.model.fingerprint(), history["loss"], callback.figures))
    assert results[0] == results[1]


def test_what_a_callback_raises_between_epochs_leaves_the_fit_where_it_was():
    def stop(epoch: int, logs: dict[str, float]) -> None:
        if epoch == 1:
            raise ZeroDivisionError("here")

    trainer = trainer_of()
    with pytest.raises(ZeroDivisionError, match="here"):
        trainer.fit(X, Y, epochs=4, callbacks=[nl.callbacks.LambdaCallback(on_epoch_end=stop)], progress=False)
    assert (trainer.epoch, len(trainer.history)) == (2, 2)
    trainer.fit(X, Y, epochs=2, progress=False)
    whole = trainer_of()
    whole.fit(X, Y, epochs=4, progress=False)
    assert trainer.model.fingerprint() == whole.model.fingerprint()
