"""`fit` with an optimizer that evaluates the loss itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim

X, Y = nl.data.make_moons(120, noise=0.15, seed=1)


def make_trainer(seed: int = 0, **options: Any) -> nl.Trainer:
    nl.manual_seed(seed)
    model = nn.MLP([2, 10, 2], nn.Tanh)
    optimizer = optim.LBFGS(model.parameters(), **{"line_search_fn": "strong_wolfe", "max_iter": 5, **options})
    return nl.Trainer(model, nn.CrossEntropyLoss(), optimizer, metrics=["accuracy"], seed=4)


def test_a_fit_takes_the_steps_of_a_loop_of_your_own() -> None:
    trainer, own = make_trainer(), make_trainer()
    history = trainer.fit(X, Y, epochs=8, batch_size=len(X), shuffle=False)
    losses = []

    def closure() -> nl.Tensor:
        own.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(own.model(X), Y)
        loss.backward()
        return loss

    for _ in range(8):
        losses.append(own.optimizer.step(closure).item())
    assert trainer.model.fingerprint() == own.model.fingerprint()
    assert history["loss"] == losses
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    assert history["accuracy"][-1] > 0.99


def test_each_batch_has_its_loss() -> None:
    trainer = make_trainer(max_iter=2)
    history = trainer.fit(X, Y, epochs=6, batch_size=40, compile=True)
    assert history["loss"][-1] < history["loss"][0]
    again = make_trainer(max_iter=2)
    again.fit(X, Y, epochs=6, batch_size=40, compile=False)
    assert again.model.fingerprint() == trainer.model.fingerprint()


@pytest.mark.parametrize("evaluation", [1, 2, 5, 9, 14])
def test_ctrl_c_within_a_step_restores_the_state_before_its_batch(tmp_path: Path, evaluation: int) -> None:
    options: dict[str, Any] = {"epochs": 3, "batch_size": 60, "checkpoint_seconds": 1e6}
    whole = make_trainer()
    whole.fit(X, Y, checkpoint=tmp_path / "whole", **options)
    count = []

    class Criterion(nn.CrossEntropyLoss):
        def forward(self, input: nl.Tensor, target: nl.Tensor) -> nl.Tensor:
            count.append(1)
            if len(count) == evaluation:
                raise KeyboardInterrupt
            return super().forward(input, target)

    cut = make_trainer()
    cut.criterion = Criterion()
    with pytest.raises(KeyboardInterrupt):
        cut.fit(X, Y, checkpoint=tmp_path / "cut", **options)
    again = make_trainer()
    with pytest.warns(UserWarning, match="criterion was"):
        again.fit(X, Y, checkpoint=tmp_path / "cut", resume=True, **options)
    assert again.model.fingerprint() == whole.model.fingerprint()


def test_schedules_set_its_rate() -> None:
    trainer = make_trainer(line_search_fn=None, lr=0.5)
    history = trainer.fit(X, Y, epochs=4, batch_size=120, scheduler=optim.StepLR(trainer.optimizer, 2, 0.5))
    assert history["lr"] == [0.5, 0.5, 0.25, 0.25]


def test_each_evaluation_has_clipped_gradients() -> None:
    trainer, own = (make_trainer(line_search_fn=None, lr=0.5) for _ in range(2))
    trainer.fit(X, Y, epochs=3, batch_size=len(X), shuffle=False, clip_norm=0.05)

    def closure() -> nl.Tensor:
        own.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(own.model(X), Y)
        loss.backward()
        optim.clip_grad_norm_(own.model.parameters(), 0.05)
        return loss

    for _ in range(3):
        own.optimizer.step(closure)
    assert trainer.model.fingerprint() == own.model.fingerprint()
    free = make_trainer(line_search_fn=None, lr=0.5)
    free.fit(X, Y, epochs=3, batch_size=len(X), shuffle=False)
    assert free.model.fingerprint() != own.model.fingerprint()


def test_a_batch_without_labels_is_skipped() -> None:
    trainer, labels = make_trainer(), np.where(np.arange(120) < 60, -100, Y)
    trainer.fit(X, labels, batch_size=60, shuffle=False)
    other = make_trainer()
    other.fit(X[60:], Y[60:], batch_size=60, shuffle=False)
    assert trainer.model.fingerprint() == other.model.fingerprint()


def test_a_loss_that_is_not_finite_is_named() -> None:
    trainer = make_trainer(line_search_fn=None, lr=1e30)
    with pytest.raises(nl.DivergenceError, match=r"learning rate is 1e\+30"):
        trainer.fit(1e20 * X, Y, epochs=5)
