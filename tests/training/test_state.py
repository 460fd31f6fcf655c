"""Everything trained besides the model is part of checkpoints, of the best weights and of the all-or-nothing step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.callbacks import EarlyStopping, LambdaCallback
from nnlite.files.model_file import load_with_metadata

X, Y = nl.data.make_moons(120, noise=0.1, seed=1)


class Learnable(nn.Module):
    """A loss with a parameter and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(np.ones(2, np.float32))
        self.norm = nn.BatchNorm1d(2)

    def forward(self, output: Any, target: Any) -> Any:
        return nn.functional.cross_entropy(self.norm(output) * self.scale, target)


class Everything:
    """A fit of a model, a loss with parameters, another module and a bare parameter; `state()` is everything it changes."""

    def __init__(self) -> None:
        nl.manual_seed(0)
        self.model, self.loss, self.other = nn.MLP([2, 8, 2]), Learnable(), nn.Linear(2, 2)
        self.bare = nn.Parameter(np.zeros(2, np.float32))
        groups = [
            {"params": [*self.model.parameters(), *self.loss.parameters()]},
            {"params": [*self.other.parameters(), self.bare], "lr": 0.05},
        ]
        criterion: Callable[..., Any] = Both(self.loss, lambda output: self.other(output) + self.bare)
        self.trainer = nl.Trainer(self.model, criterion, optim.SGD(groups, lr=0.1, momentum=0.9), seed=3)

    def state(self) -> tuple[Any, ...]:
        buffers = [b.tolist() for b in self.loss.buffers()]
        others = [p.tolist() for p in (*self.loss.parameters(), *self.other.parameters(), self.bare)]
        return self.model.fingerprint(), others, buffers, str(self.trainer.optimizer.state_dict())


class Both(nn.Module):
    def __init__(self, loss: nn.Module, after: Callable[..., Any]) -> None:
        super().__init__()
        self.loss = loss
        self.after = after

    def forward(self, output: Any, target: Any) -> Any:
        return self.loss(self.after(output), target)


def interrupt_in(epoch: int) -> LambdaCallback:
    def stop(at: int, logs: Any) -> None:
        if at == epoch:
            raise KeyboardInterrupt

    return LambdaCallback(on_epoch_end=stop)


@pytest.mark.parametrize("compile", [True, False])
def test_a_resumed_fit_ends_on_the_same_bits(tmp_path, compile: bool) -> None:
    options = {"epochs": 4, "batch_size": 50, "compile": compile}
    whole, cut, again = Everything(), Everything(), Everything()
    whole.trainer.fit(X, Y, **options, callbacks=[LambdaCallback()])
    options.update(checkpoint=tmp_path, checkpoint_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        cut.trainer.fit(X, Y, **options, callbacks=[interrupt_in(2)])
    again.trainer.fit(X, Y, **options, callbacks=[LambdaCallback()], resume=True)
    assert again.state() == whole.state()


def test_the_best_weights_include_all_trained_parameters(tmp_path) -> None:
    states = []

    def make(values: Any, resume: bool) -> Everything:
        made = Everything()

        def report(epoch: int, logs: Any) -> None:
            logs["loss"] = values[epoch]
            states.append(made.state()[:3])

        callbacks = [LambdaCallback(on_epoch_end=report), EarlyStopping("loss", patience=9, restore_best_weights=True)]
        epochs = len(values)
        made.trainer.fit(X, Y, epochs=epochs, callbacks=callbacks, checkpoint=tmp_path, resume=resume)
        return made

    assert make([3.0, 1.0, 2.0], False).state()[:3] == states[1]
    assert make([3.0, 1.0, 2.0, 1.5], True).state()[:3] == states[1]  # the best epoch comes from the checkpoint


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError])
def test_a_step_that_fails_changes_nothing(error: type[BaseException]) -> None:
    made = Everything()
    made.trainer.fit(X, Y, compile=False)
    before, position = made.state(), made.trainer.generator.state()

    def fail() -> None:
        raise error

    made.trainer.optimizer.step = fail
    with pytest.raises(error):
        made.trainer.fit(X, Y, compile=False)
    assert made.state() == before
    assert made.trainer.generator.state() == position


def test_an_interruption_after_the_update_keeps_the_whole_step() -> None:
    made, twin = Everything(), Everything()
    step = made.trainer.optimizer.step

    def interrupted() -> None:
        step()
        raise KeyboardInterrupt

    made.trainer.optimizer.step = interrupted
    with pytest.raises(KeyboardInterrupt):
        made.trainer.fit(X, Y, compile=False, shuffle=False, batch_size=60)
    twin.trainer.fit(X[:60], Y[:60], compile=False, shuffle=False, batch_size=60)
    assert made.state() == twin.state()


def test_ctrl_c_in_an_eager_fit_writes_a_checkpoint(tmp_path) -> None:
    whole, made, again = Everything(), Everything(), Everything()
    step, steps = made.trainer.optimizer.step, []

    def interrupted() -> None:
        step()
        steps.append(1)
        if len(steps) == 2:
            raise KeyboardInterrupt

    made.trainer.optimizer.step = interrupted
    options = {"epochs": 2, "batch_size": 25, "compile": False, "checkpoint": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        made.trainer.fit(X, Y, **options)
    assert load_with_metadata(tmp_path / "checkpoint.safetensors")[1]["checkpoint"]["batch"] == 2
    again.trainer.fit(X, Y, **options, resume=True)
    whole.trainer.fit(X, Y, epochs=2, batch_size=25)
    assert again.state() == whole.state()


@pytest.mark.parametrize("compile", [True, False])
def test_divergence_restores_everything(compile: bool) -> None:
    made = Everything()
    made.trainer.fit(X, Y, compile=compile)
    made.loss.scale.detach().fill_(float("inf"))
    before = made.state()
    with pytest.raises(nl.DivergenceError):
        made.trainer.fit(X, Y, compile=compile)
    assert made.state() == before
    assert all(p.grad is None for p in made.loss.parameters()) or not compile


def test_evaluation_does_not_change_the_loss() -> None:
    made = Everything()
    before = made.state()
    made.trainer.evaluate(X, Y)
    assert made.state() == before
    assert made.loss.training


def test_a_checkpoint_of_only_the_model_still_loads(tmp_path) -> None:
    """Older files hold only the model."""

    def make() -> nl.Trainer:
        nl.manual_seed(0)
        model = nn.MLP([2, 8, 2])
        return nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1, momentum=0.9))

    first, again, whole = make(), make(), make()
    first.fit(X, Y, epochs=2, checkpoint=tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    arrays, metadata = load_with_metadata(path)
    del metadata["checkpoint"]["others"]
    nl.save(path, arrays, metadata=metadata)
    again.fit(X, Y, epochs=4, checkpoint=tmp_path, resume=True)
    whole.fit(X, Y, epochs=4)
    assert again.model.fingerprint() == whole.model.fingerprint()


def test_a_checkpoint_of_other_parameters_is_refused(tmp_path) -> None:
    Everything().trainer.fit(X, Y, checkpoint=tmp_path)
    made = Everything()
    other = nl.Trainer(made.model, Learnable(), made.trainer.optimizer, seed=3)
    before = made.state()
    with pytest.raises(RuntimeError, match="besides the model"):
        other.fit(X, Y, checkpoint=tmp_path, resume=True)
    assert made.state() == before


@pytest.mark.parametrize("state", [None, {}, {"others": {}}])
def test_invalid_trained_state_is_named(state) -> None:
    with pytest.raises(TypeError, match=r"must be a dictionary with 'model', as from trained_state\(\)"):
        Everything().trainer.load_trained_state(state)
