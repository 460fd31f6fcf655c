"""A step is recorded again when anything it depends on has changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from captures import TwoLayers, X, Y, trainer_of

import nnlite as nl
from nnlite import nn
from nnlite.callbacks import Callback
from nnlite.nn import functional as F
from nnlite.training import fit

# State that changes between epochs


class Annealed:
    """Weighs its loss by the trainer's epoch."""

    trainer: nl.Trainer

    def __call__(self, output, target):
        return F.mse_loss(output, target) * (1.0 / (1 + self.trainer.epoch))


class Cautious(Annealed):
    """Halves its loss if the last one was large."""

    def __call__(self, output, target):
        losses = self.trainer.history["loss"] if len(self.trainer.history) else [2.0]
        return F.mse_loss(output, target) * (0.5 if losses[-1] > 1.01 else 1.0)


def annealed(kind: type[Annealed], seconds: float, monkeypatch: Any, **options: Any) -> str:
    monkeypatch.setattr(fit, "_SECONDS_AT_ONCE", seconds)
    nl.manual_seed(0)
    criterion = kind()
    trainer = criterion.trainer = trainer_of(TwoLayers(), criterion)
    trainer.fit(X, Y, epochs=12, batch_size=100, progress=False, **options)
    return trainer.model.fingerprint()


@pytest.mark.parametrize("kind", [Annealed, Cautious])
def test_bits_do_not_depend_on_how_many_epochs_one_native_call_takes(kind, monkeypatch, tmp_path):
    """On a busy machine, fewer epochs fit into the time limit of a native call."""
    expected = annealed(kind, 0.5, monkeypatch, compile=False)
    for seconds in (0.0, 1e-4, 0.5, 1e9):
        assert annealed(kind, seconds, monkeypatch) == expected
    assert annealed(kind, 0.5, monkeypatch, callbacks=[Callback()]) == expected
    assert annealed(kind, 0.5, monkeypatch, checkpoint=tmp_path, checkpoint_seconds=0) == expected


class LateCounter(TwoLayers):
    counting = False
    calls = 0

    def forward(self, x):
        if self.counting:
            self.calls += 1
        return super().forward(x)


def test_code_that_starts_to_change_state_is_noticed_even_if_it_computes_the_same():
    model = LateCounter()
    trainer = trainer_of(model)
    trainer.fit(X, Y, progress=False)
    trainer.evaluate(X, Y, batch_size=100)
    model.counting = True
    with pytest.raises(nl.CaptureError, match=r"changes LateCounter\.calls"):
        trainer.fit(X, Y, progress=False)
    assert model.calls == 0
    trainer.evaluate(X, Y, batch_size=100)
    assert model.calls == 6


# Changes that a signature detects


class Leaky(TwoLayers):
    slope = 1000000.0

    def forward(self, x):
        return self.b(F.leaky_relu(self.a(x), self.slope) * 1e-6)


class Frozen(TwoLayers):
    slope: Any = False

    def forward(self, x):
        with nl.no_grad() if self.slope else nl.enable_grad():
            hidden = self.a(x)
        return self.b(hidden)


class Chosen(TwoLayers):
    """Computes both and returns one of them."""

    slope: Any = False

    def forward(self, x):
        first = self.b(self.a(x))
        second = self.b(self.a(x).tanh())
        return second if self.slope else first


class Epsilon(TwoLayers):
    slope = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LayerNorm(4)

    def forward(self, x):
        self.layer.eps = self.slope
        return self.b(self.layer(self.a(x)))


class Scaled(TwoLayers):
    slope = 1.0

    def forward(self, x):
        return self.b(self.a(x) * self.slope)


CHANGED = [(Leaky, 1000004.0), (Frozen, True), (Chosen, True), (Epsilon, 1.0 + 1e-12), (Scaled, 1.0 + 2**-23)]


@pytest.mark.parametrize(("kind", "value"), CHANGED)
def test_the_smallest_change_between_fits_is_noticed(kind, value):
    results = []
    for compile in (True, False):
        nl.manual_seed(0)
        model = kind()
        trainer = trainer_of(model, lr=1e-3)
        trainer.fit(X, Y, compile=compile, progress=False)
        model.slope = value
        history = trainer.fit(X, Y, compile=compile, progress=False)
        results.append((model.fingerprint(), history["loss"], trainer.predict(X).tobytes()))
    assert results[0] == results[1]


def test_inputs_of_one_shape_are_distinguished():
    class Difference(nn.Module):
        swapped = False

        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(3, 1)

        def forward(self, x, y):
            return self.a(y - x if self.swapped else x - y)

    model = Difference()
    trainer = trainer_of(model)
    first = trainer.predict((X, X + 1))
    model.swapped = True
    assert not np.array_equal(trainer.predict((X, X + 1)), first)


@pytest.mark.parametrize(
    ("criterion", "name", "value"),
    [
        (nn.HuberLoss(delta=1000000.0), "delta", 1000004.0),
        (nn.SmoothL1Loss(beta=1000000.0), "beta", 1000004.0),
    ],
)
def test_the_smallest_change_of_a_loss_is_noticed(criterion, name, value):
    model = TwoLayers()
    trainer = trainer_of(model, criterion)
    large = Y * 3e6
    trainer.evaluate(X, large, batch_size=600)
    setattr(criterion, name, value)
    expected = criterion(nl.Predictor(model)(X), large).item()
    assert trainer.evaluate(X, large, batch_size=600)["loss"] == expected
