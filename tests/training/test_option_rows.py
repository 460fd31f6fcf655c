"""Schedules by batch inside native epochs: no Python between batches, and the schedule stops where a native call stops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlite as nl
from nnlite import _core, nn, optim
from nnlite.optim.lr_scheduler import CyclicLR, ExponentialLR, LinearLR, LRScheduler, OneCycleLR
from nnlite.optim.lr_scheduler.base import set_rate
from nnlite.training.native_epochs import EpochRequest, train_epochs
from nnlite.training.option_rows import OptionRows
from nnlite.training.resume import Checkpoints

X, Y = nl.data.make_moons(100, noise=0.2, seed=1)
BATCH, STEPS = 16, 7  # an epoch
MANY = 12_500  # steps of an epoch long enough to be checked during it


def make_trainer(lr: Any = 0.1, momentum: float = 0.9) -> nl.Trainer:
    nl.manual_seed(3)
    model = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Tanh(), nn.Linear(8, 2))
    parameters = list(model.parameters())
    groups = [{"params": parameters[:2]}, {"params": parameters[2:], "weight_decay": 0.01}]
    return nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(groups, lr=lr, momentum=momentum), seed=5)


class Sawtooth(LRScheduler):
    """A custom schedule with its own position."""

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self.seen = 0
        super().__init__(optimizer)

    def step(self, epoch: int | None = None) -> None:
        self.seen += 1
        for group in self.optimizer.param_groups:
            set_rate(group, 0.02 * (1 + self.seen % 5))


SCHEDULES: dict[str, Callable[[optim.Optimizer], LRScheduler]] = {
    "one cycle": lambda o: OneCycleLR(o, 0.5, 3 * STEPS),
    "momentum from 0": lambda o: CyclicLR(o, 0.05, 0.3, 2, base_momentum=0.0, max_momentum=0.8),
    "warm-up": lambda o: LinearLR(o, 0.1, total_iters=9),
    "a user's own": Sawtooth,
}


def by_batch(name: str, optimizer: optim.Optimizer) -> LRScheduler:
    schedule = SCHEDULES[name](optimizer)
    schedule.interval = "batch"
    return schedule


def state_of(trainer: nl.Trainer, schedule: LRScheduler) -> object:
    """Weights, momentum, options and the schedule's position."""
    optimizer = trainer.optimizer.state_dict()
    buffers = {key: {n: v.tobytes() for n, v in entry.items()} for key, entry in optimizer["state"].items()}
    return trainer.model.fingerprint(), buffers, optimizer["param_groups"], schedule.state_dict()


@pytest.mark.parametrize("tensor", [False, True], ids=["lr is a number", "lr is a tensor"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_native_epochs_follow_a_schedule_by_batch(name: str, tensor: bool) -> None:
    states, histories = [], []
    for compile in (True, False):
        trainer = make_trainer(nl.tensor(0.1, dtype="float64") if tensor else 0.1)
        schedule = by_batch(name, trainer.optimizer)
        history = trainer.fit(X, Y, epochs=3, batch_size=BATCH, scheduler=schedule, compile=compile, progress=False)
        states.append(state_of(trainer, schedule))
        histories.append(history.history)
    assert states[0] == states[1], f"{name}: a native fit and compile=False differ"
    assert histories[0] == histories[1]


NATIVE = [
    kind for name in optim.__all__ if isinstance(kind := getattr(optim, name), type) and getattr(kind, "_rule", None)
]


@pytest.mark.parametrize("kind", NATIVE, ids=lambda kind: kind.__name__)
def test_every_optimizer_has_one_models_bits_under_stages_and_schedule(kind: type[optim.Optimizer]) -> None:
    """One cycle also moves a momentum or the first beta, if there is one."""
    found = {}
    for way in ("native", "compile=False", "a loop of your own"):
        model = make_trainer().model
        optimizer = kind(model.parameters(), lr=0.05)
        cycles = {"momentum", "betas"} & set(optimizer.defaults)
        schedule = OneCycleLR(optimizer, 0.1, 2 * STEPS, cycle_momentum=bool(cycles))
        trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optimizer, seed=5)
        if way == "a loop of your own":
            nl.manual_seed(5)
            loader = nl.data.DataLoader(nl.data.TensorDataset(X, Y), batch_size=BATCH, shuffle=True, seed=5)
            for x, y in [batch for _ in range(2) for batch in loader]:
                optimizer.zero_grad()
                trainer.criterion(model(x), y).backward()
                optim.clip_grad_norm_(model.parameters(), 0.2)
                optimizer.step()
                schedule.step()
        else:
            options = {"compile": way == "native", "clip_norm": 0.2, "scheduler": schedule, "progress": False}
            trainer.fit(X, Y, epochs=2, batch_size=BATCH, **options)
        found[way] = model.fingerprint()
    assert len(set(found.values())) == 1, found


def test_python_does_not_run_between_batches(monkeypatch: Any) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise AssertionError("a batch ran from Python")

    monkeypatch.setattr("nnlite.training.fit.eager_batch", fail)
    trainer = make_trainer()
    schedule = by_batch("warm-up", trainer.optimizer)
    trainer.fit(X, Y, epochs=2, batch_size=BATCH, scheduler=schedule, progress=False)
    assert schedule.last_epoch == 2 * STEPS


def test_a_divergence_leaves_the_schedule_at_the_batch_before() -> None:
    states = []
    y = np.eye(2, dtype=np.float32)[Y]
    y[70] = 1e30  # batch 4 of unshuffled rows
    for compile in (True, False):
        trainer = make_trainer()
        trainer = nl.Trainer(trainer.model, nn.MSELoss(), trainer.optimizer, seed=5)
        schedule = OneCycleLR(trainer.optimizer, 0.5, 3 * STEPS)
        options: dict[str, Any] = {"batch_size": BATCH, "shuffle": False, "compile": compile, "progress": False}
        with pytest.raises(nl.DivergenceError) as caught:
            trainer.fit(X, y, scheduler=schedule, **options)
        assert caught.value.batch == schedule.last_epoch == 4
        states.append(state_of(trainer, schedule))
    assert states[0] == states[1], "a native fit and compile=False leave different states"


def test_a_call_that_ends_within_an_epoch_leaves_the_schedule_there(tmp_path: Path, monkeypatch: Any) -> None:
    """Checkpoints are always due: each ends a native call and holds the schedule's position."""
    x, y = nl.data.make_moons(8 * MANY, noise=0.2, seed=1)
    saved, save = [], Checkpoints.save

    def noted(self: Checkpoints, state: Any) -> None:
        steps = state["epoch"] * MANY + state["batch"]
        saved.append((steps, state["callbacks"][0][1]["schedule"]["last_epoch"]))
        save(self, state)

    monkeypatch.setattr(Checkpoints, "save", noted)
    found = []
    for options in ({}, {"checkpoint": tmp_path, "checkpoint_seconds": 0}):
        trainer = make_trainer()
        schedule = OneCycleLR(trainer.optimizer, 0.3, 2 * MANY)
        trainer.fit(x, y, epochs=2, batch_size=8, scheduler=schedule, progress=False, **options)
        found.append(state_of(trainer, schedule))
    assert any(steps % MANY for steps, _ in saved), "no checkpoint fell within an epoch: this proves nothing"
    assert [steps for steps, _ in saved] == [last for _, last in saved], (
        "a checkpoint has another step than its schedule"
    )
    assert found[0] == found[1]


def test_a_schedule_that_fails_half_way_is_restored() -> None:
    class Failing(ExponentialLR):
        def get_lr(self) -> list[float]:
            if self.last_epoch == 5:
                raise RuntimeError("no rate")
            return list(super().get_lr())

    trainer = make_trainer()
    schedule = Failing(trainer.optimizer, 0.9)
    before = state_of(trainer, schedule)
    with pytest.raises(RuntimeError, match="no rate"), OptionRows(trainer.optimizer, [schedule]) as rows:
        rows.ahead(STEPS)
    assert state_of(trainer, schedule) == before


def test_rows_are_those_of_the_steps_to_come() -> None:
    optimizer = make_trainer().optimizer
    schedule = OneCycleLR(optimizer, 0.5, 3 * STEPS)
    rows = OptionRows(optimizer, [schedule])
    first, second = rows.ahead(STEPS)
    assert first.shape == second.shape == (STEPS, 6)
    rows.back_to(2)
    assert schedule.last_epoch == 2
    assert [first[2].tolist(), second[2].tolist()] == optimizer.native_options()
    assert rows.rates == [first[1, 0], second[1, 0]]


@pytest.mark.parametrize("shape", [(2, 6), (0, 6), (1, 5), (6,)])
def test_options_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    trace = _core.Trace()
    x = trace.placeholder((4, 2), np.float32)
    with trace:
        output = model(x)
        loss = output.sum()
    program = _core.Program(trace, [x], output, loss, optimizer.native_groups())
    rows = np.ones((12, 2), np.float32)
    with pytest.raises(ValueError, match=r"options of SGD must have the shape \(1 or 3, 6\), got"):
        train_epochs(EpochRequest({4: program}, [rows], 4, [np.ones(shape)]))
