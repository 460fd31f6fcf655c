"""Stages between the backward pass and the update: clipping and accumulation, natively, from Python and in an own loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, optim

ROWS, SEED = 90, 3
CLIPPINGS = [{"clip_norm": 0.05}, {"clip_value": 0.01}, {"clip_norm": 0.1, "clip_value": 0.02}, {"clip_norm": 1e9}]


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, 5)).astype(np.float32), rng.integers(0, 3, ROWS)


def model() -> nn.Sequential:
    nl.manual_seed(1)
    return nn.Sequential(
        nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3)
    )


def groups(network: nn.Sequential) -> list[dict[str, Any]]:
    """Two groups, the later layers first: the norm is added in the optimizer's order."""
    layers = list(network)
    late = [p for layer in layers[4:] for p in layer.parameters()]
    early = [p for layer in layers[:4] for p in layer.parameters()]
    return [{"params": late}, {"params": early, "lr": 0.05}]


def trainer(momentum: float = 0.9) -> nl.Trainer:
    network = model()
    optimizer = optim.SGD(groups(network), lr=0.1, momentum=momentum)
    return nl.Trainer(network, nn.CrossEntropyLoss(weight=[1.0, 0.5, 2.0]), optimizer, seed=SEED)


def fitted(**options: Any) -> str:
    own = trainer()
    own.fit(*data(), **{"epochs": 3, "batch_size": 16, "progress": False, **options})
    return own.model.fingerprint()


def by_hand(clip_norm: float | None = None, clip_value: float | None = None) -> str:
    own = trainer()
    nl.manual_seed(SEED)
    parameters = [p for group in own.optimizer.param_groups for p in group["params"]]
    loader = nl.data.DataLoader(nl.data.TensorDataset(*data()), batch_size=16, shuffle=True, seed=SEED)
    for _ in range(3):
        for x, y in loader:
            own.optimizer.zero_grad()
            own.criterion(own.model(x), y).backward()
            if clip_norm is not None:
                optim.clip_grad_norm_(parameters, clip_norm)
            if clip_value is not None:
                optim.clip_grad_value_(parameters, clip_value)
            own.optimizer.step()
    return own.model.fingerprint()


@pytest.mark.parametrize("clipping", CLIPPINGS, ids=str)
def test_a_native_fit_a_python_fit_and_your_own_loop_have_the_same_bits(clipping: dict[str, float]) -> None:
    assert fitted(**clipping) == by_hand(**clipping)
    assert fitted(compile=False, **clipping) == by_hand(**clipping)
    assert (fitted(**clipping) == fitted()) == (clipping == {"clip_norm": 1e9}), (
        "a bound that is reached must change the bits, another must not"
    )


CODE = """
import nnlite as nl
from nnlite import nn, optim
x, y = nl.data.make_blobs(300, seed=0)
model = nn.MLP([2, 300, 300, 3])  # large enough for the norm to be added by several threads
trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.5, momentum=0.9))
trainer.fit(x, y, epochs=2, batch_size=64, clip_norm=0.1, clip_value=0.004, progress=False)
print(model.fingerprint())
"""


def test_threads_and_instruction_sets_do_not_change_the_bits(run_python: Callable[..., str]) -> None:
    isas = nl.show_config()["available_isas"]
    ways = [{"NNLITE_ISA": isa} for isa in isas] + [{"NNLITE_NUM_THREADS": threads} for threads in ("1", "2", "3")]
    found = {str(way): run_python(CODE, **way) for way in ways}
    assert len(set(found.values())) == 1, f"the bits of a clipped fit differ: {found}"


@pytest.mark.parametrize("clipping", CLIPPINGS, ids=str)
def test_clipped_steps_match_pytorch(clipping: dict[str, float]) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(64, 5)).astype(np.float32) * 3, rng.normal(size=(64, 2)).astype(np.float32)
    ours = nn.MLP([5, 8, 2], activation=nn.Tanh)
    theirs = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    theirs.load_state_dict({key: torch.tensor(value) for key, value in ours.state_dict().items()})
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.3, momentum=0.9)
    for _ in range(4):
        for begin in range(0, 64, 16):
            optimizer.zero_grad()
            batch = slice(begin, begin + 16)
            torch.nn.functional.mse_loss(theirs(torch.tensor(x[batch])), torch.tensor(y[batch])).backward()
            if "clip_norm" in clipping:
                torch.nn.utils.clip_grad_norm_(theirs.parameters(), clipping["clip_norm"])
            if "clip_value" in clipping:
                torch.nn.utils.clip_grad_value_(theirs.parameters(), clipping["clip_value"])
            optimizer.step()
    own = nl.Trainer(ours, nn.MSELoss(), optim.SGD(ours.parameters(), lr=0.3, momentum=0.9))
    own.fit(x, y, epochs=4, batch_size=16, shuffle=False, progress=False, **clipping)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), atol=3e-6, err_msg=f"{name} {clipping}")


@pytest.mark.parametrize("compile", [True, False])
def test_accumulation_has_the_bits_of_the_larger_batch(compile: bool) -> None:
    """Mean loss, class weights, dropout, batch normalisation, a partial last batch."""
    assert fitted(accumulate=4, batch_size=8, compile=compile) == fitted(batch_size=32)


def test_accumulation_counts_updates() -> None:
    class Counting(nl.callbacks.Callback):
        batches = 0

        def on_batch_end(self, batch: int, logs: dict[str, float]) -> None:
            self.batches += 1

    counting, own = Counting(), trainer()
    schedule = optim.lr_scheduler.StepLR(own.optimizer, 1)
    schedule.interval = "batch"
    own.fit(*data(), batch_size=8, accumulate=3, callbacks=[counting], scheduler=schedule, progress=False)
    assert counting.batches == schedule.last_epoch == 4  # ceil(90 / 24)


def overflowing(compile: bool, **options: Any) -> tuple[nl.Trainer, nl.DivergenceError]:
    """A finite loss whose gradient is not: the derivative of a square root at 0."""
    network = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    nl.manual_seed(0)
    own = nl.Trainer(
        network, lambda o, t: (o * t).abs().sqrt().sum(), optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    )
    x, y = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32), np.ones((40, 1), np.float32)
    y[33] = 0
    with pytest.raises(nl.DivergenceError) as caught:
        own.fit(x, y, batch_size=8, shuffle=False, progress=False, compile=compile, **options)
    return own, caught.value


def test_a_norm_that_is_not_finite_restores_the_weights_before_the_batch() -> None:
    states = []
    for compile in (True, False):
        own, error = overflowing(compile, clip_norm=1.0)
        assert (error.batch, error.epoch) == (4, 0)
        assert "the norm of the gradients is not finite" in str(error)
        assert all(np.isfinite(value).all() for value in own.model.state_dict().values()), "the step was not undone"
        buffers = [entry["momentum_buffer"].tobytes() for entry in own.optimizer.state_dict()["state"].values()]
        states.append((own.model.fingerprint(), own.generator.state(), buffers))
    assert states[0] == states[1], "the state after the divergence differs between a native and a Python fit"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"clip_norm": 0}, ValueError, "clip_norm must be above 0.* got 0"),
        ({"clip_value": -1.0}, ValueError, "clip_value must be above 0.* got -1.0"),
        ({"clip_norm": float("nan")}, ValueError, "clip_norm"),
        ({"clip_norm": "1"}, TypeError, "clip_norm must be a number"),
        ({"accumulate": 0}, ValueError, "accumulate must be at least 1, got 0"),
        ({"accumulate": 1.5}, TypeError, "accumulate must be an integer"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fitted(**options)


class Stopped(Exception):
    """The exception that ends a fit in these tests."""


class StopAfter(nl.callbacks.Callback):
    """Ends the fit after a number of epochs; it runs natively."""

    def __init__(self, epochs: int | None) -> None:
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if epoch + 1 == self.epochs:
            raise Stopped


class StopAfterBatches(nl.callbacks.Callback):
    """The same within an epoch; every batch then runs from Python."""

    def __init__(self, batches: int | None) -> None:
        self.left = batches

    def on_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise Stopped


@pytest.mark.parametrize(("stop", "count"), [(StopAfter, 2), (StopAfterBatches, 9)])
def test_a_clipped_fit_is_resumed_to_the_same_bits(
    tmp_path: Path, stop: type[nl.callbacks.Callback], count: int
) -> None:
    options = {"epochs": 5, "batch_size": 8, "accumulate": 2, "clip_norm": 0.1, "clip_value": 0.02}

    def fit(stopping: int | None, **changes: Any) -> str:
        own = trainer()
        callbacks = [stop(stopping)]
        kept = {"checkpoint": tmp_path, "checkpoint_seconds": 0, "callbacks": callbacks, "progress": False}
        own.fit(*data(), **{**options, **kept, **changes})
        return own.model.fingerprint()

    with pytest.raises(Stopped):
        fit(count)
    for change, name in (({"clip_norm": 0.2}, "clip_norm"), ({"clip_value": None}, "clip_value")):
        with pytest.raises(ValueError, match=f"{name} was"):
            fit(None, resume=True, **change)
    assert fit(None, resume=True) == fitted(**options)
