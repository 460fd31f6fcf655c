"""Schedules in `fit`: by epoch and by batch, in the history, across interruptions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, optim
from nnlite.callbacks import Callback, LambdaCallback, LearningRateScheduler
from nnlite.optim.lr_scheduler import (
    CosineAnnealingLR,
    CyclicLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
)

X, Y = nl.data.make_moons(100, noise=0.2, seed=1)
EPOCHS, BATCH = 4, 32  # 4 batches per epoch, the last one short
STEPS = 16


def make_trainer(groups: int = 1, lr: float = 0.1) -> nl.Trainer:
    nl.manual_seed(3)
    model = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Tanh(), nn.Linear(8, 2))
    parameters = list(model.parameters())
    parts = [parameters] if groups == 1 else [parameters[:2], parameters[2:]]
    optimizer = optim.SGD([{"params": part} for part in parts], lr=lr, momentum=0.9)
    return nl.Trainer(model, nn.CrossEntropyLoss(), optimizer, seed=5)


def by_batch(schedule: LRScheduler) -> LRScheduler:
    schedule.interval = "batch"
    return schedule


SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "cosine": lambda o, m: m.CosineAnnealingLR(o, EPOCHS),
    "one cycle": lambda o, m: m.OneCycleLR(o, 0.5, STEPS),
    "cycles": lambda o, m: m.CyclicLR(o, 0.05, 0.2, 3, mode="exp_range", gamma=0.9),
    "warm-up, then cosine": lambda o, m: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, total_iters=5), m.CosineAnnealingLR(o, 11)], [5]
    ),
}  # fmt: skip
PER_BATCH = ("one cycle", "cycles", "warm-up, then cosine")


def make_schedule(name: str, optimizer: optim.Optimizer) -> LRScheduler:
    schedule = SCHEDULES[name](optimizer, optim.lr_scheduler)
    return by_batch(schedule) if name in PER_BATCH else schedule


class Rates(Callback):
    """Records the lr and momentum of each batch's update."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []

    def on_batch_begin(self, batch: int) -> None:
        group = self.trainer.optimizer.param_groups[0]
        self.seen.append((group["lr"], group["momentum"]))


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_update_has_the_rate_of_pytorchs_loop(name: str) -> None:
    trainer, rates = make_trainer(), Rates()
    trainer.fit(
        X, Y, epochs=EPOCHS, batch_size=BATCH, callbacks=[rates], scheduler=make_schedule(name, trainer.optimizer)
    )
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1, momentum=0.9)
    schedule, expected = SCHEDULES[name](theirs, torch.optim.lr_scheduler), []
    for _ in range(EPOCHS):
        for _ in range(4):
            expected.append((theirs.param_groups[0]["lr"], theirs.param_groups[0]["momentum"]))
            theirs.step()
            if name in PER_BATCH:
                schedule.step()
        if name not in PER_BATCH:
            schedule.step()
    assert rates.seen == expected


@pytest.mark.parametrize("name", SCHEDULES)
def test_all_ways_to_pass_a_schedule_give_the_same_bits(name: str) -> None:
    def fit(pass_it: Callable[[LRScheduler], dict[str, Any]], **options: Any) -> str:
        trainer = make_trainer()
        schedule = make_schedule(name, trainer.optimizer)
        trainer.fit(X, Y, epochs=EPOCHS, batch_size=BATCH, **pass_it(schedule), **options)
        return trainer.model.fingerprint()

    found = {
        "scheduler": fit(lambda s: {"scheduler": s}),
        "compile=False": fit(lambda s: {"scheduler": s}, compile=False),
        "callbacks": fit(lambda s: {"callbacks": [s]}),
        "callback": fit(lambda s: {"callbacks": [LearningRateScheduler(s)]}),
        "scheduler=callback": fit(lambda s: {"scheduler": LearningRateScheduler(s)}),
    }
    trainer = make_trainer()
    schedule = make_schedule(name, trainer.optimizer)
    generator = nl.Generator(5)
    loader = nl.data.DataLoader(nl.data.TensorDataset(X, Y), batch_size=BATCH, shuffle=True, seed=5)
    previous = nl._core.use_generator(generator)
    try:
        for _ in range(EPOCHS):
            for xb, yb in loader:
                trainer.optimizer.zero_grad()
                nn.functional.cross_entropy(trainer.model(xb), yb).backward()
                trainer.optimizer.step()
                if name in PER_BATCH:
                    schedule.step()
            if name not in PER_BATCH:
                schedule.step()
    finally:
        nl._core.use_generator(previous)
    found["a loop of your own"] = trainer.model.fingerprint()
    assert len(set(found.values())) == 1, found


def test_several_schedules_are_callbacks() -> None:
    trainer = make_trainer()
    warm_up = by_batch(LinearLR(trainer.optimizer, 0.5, total_iters=4))
    decay = ExponentialLR(trainer.optimizer, 0.5)
    history = trainer.fit(X, Y, epochs=3, batch_size=BATCH, callbacks=[warm_up, decay])
    assert history["lr"] == pytest.approx([0.1 * 0.875, 0.05, 0.025])
    assert (warm_up.last_epoch, decay.last_epoch) == (12, 3)


# The figure that a plateau monitors


@pytest.mark.parametrize(
    ("validates", "monitor", "followed"),
    [(True, None, "val_loss"), (False, None, "loss"), (True, "loss", "loss"), (True, "val_accuracy", "val_accuracy")],
)
def test_a_plateau_gets_its_figure(validates: bool, monitor: str | None, followed: str) -> None:
    shown = []

    class Plateau(ReduceLROnPlateau):
        def step(self, metrics: Any, epoch: int | None = None) -> None:
            shown.append(metrics)
            super().step(metrics)

    trainer = make_trainer()
    trainer = nl.Trainer(trainer.model, trainer.criterion, trainer.optimizer, ["accuracy"])
    plateau = Plateau(trainer.optimizer, mode="max" if followed == "val_accuracy" else "min")
    plateau.monitor = monitor
    history = trainer.fit(X, Y, epochs=3, validation_data=(X, Y) if validates else None, scheduler=plateau)
    assert shown == history[followed]


# The history


@pytest.mark.parametrize("compile", [True, False])
def test_the_history_holds_the_rate_of_each_epoch(compile: bool) -> None:
    trainer = make_trainer()
    schedule = optim.StepLR(trainer.optimizer, 2, gamma=0.5)
    history = trainer.fit(X, Y, epochs=5, compile=compile, scheduler=schedule)
    assert history["lr"] == [0.1, 0.1, 0.05, 0.05, 0.025]
    assert trainer.figures == ["loss", "lr"]
    assert "lr" not in make_trainer().fit(X, Y, compile=compile)
    history = trainer.fit(X, Y, epochs=2, compile=compile, scheduler=lambda epoch, lr: lr / 2)
    assert history["lr"] == [0.0125, 0.00625]


def test_the_history_of_a_schedule_by_batch_holds_the_last_updates_rate() -> None:
    trainer, rates = make_trainer(), Rates()
    schedule = OneCycleLR(trainer.optimizer, 0.5, STEPS)
    history = trainer.fit(X, Y, epochs=EPOCHS, batch_size=BATCH, callbacks=[rates], scheduler=schedule)
    assert history["lr"] == [rates.seen[4 * epoch + 3][0] for epoch in range(EPOCHS)]


def test_the_history_has_a_rate_for_each_group() -> None:
    trainer = make_trainer(groups=2)
    schedule = optim.LambdaLR(trainer.optimizer, [lambda epoch: 1.0, lambda epoch: 0.5**epoch])
    history = trainer.fit(X, Y, epochs=3, scheduler=schedule)
    assert (history["lr_0"], history["lr_1"]) == ([0.1, 0.1, 0.1], [0.1, 0.05, 0.025])


# Interruptions


class Stop(Exception):
    """The exception that ends a fit in these tests."""


def interrupted_fit(folder: Path, name: str, at: int | None, resume: bool = False) -> tuple[nl.Trainer, Any]:
    """A fit that ends after `at` batches, as by a crash; its history is then None."""
    trainer, seen = make_trainer(), []

    def stop(batch: int, logs: dict[str, float]) -> None:
        seen.append(batch)
        if len(seen) == at:
            raise Stop

    callbacks = [LambdaCallback(on_batch_end=stop)]
    schedule = make_schedule(name, trainer.optimizer)
    try:
        history = trainer.fit(
            X, Y, epochs=EPOCHS, batch_size=BATCH, callbacks=callbacks, scheduler=schedule, checkpoint=folder,
            resume=resume, checkpoint_seconds=0,
        )  # fmt: skip
    except Stop:
        return trainer, None
    return trainer, (history.history, schedule.state_dict())


@pytest.mark.parametrize("at", [1, 4, 5, 8, 11])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_resumed_fit_continues_its_schedule(tmp_path: Path, name: str, at: int) -> None:
    whole, outcome = interrupted_fit(tmp_path / "whole", name, None)
    _, nothing = interrupted_fit(tmp_path / "cut", name, at)
    assert nothing is None
    again, resumed = interrupted_fit(tmp_path / "cut", name, None, resume=True)
    assert again.model.fingerprint() == whole.model.fingerprint()
    assert resumed == outcome


def test_a_fit_ended_between_the_last_batch_and_the_end_of_the_epoch_keeps_the_history(tmp_path: Path) -> None:
    _, outcome = interrupted_fit(tmp_path / "whole", "one cycle", None)
    trainer = make_trainer()

    class Fails(nn.CrossEntropyLoss):
        """Ends the fit in the validation, after the batches of epoch 1."""

        def forward(self, input: nl.Tensor, target: nl.Tensor) -> nl.Tensor:
            if not self.training and trainer.epoch == 1:
                raise Stop
            return super().forward(input, target)

    trainer.criterion = Fails()
    options: dict[str, Any] = {"epochs": EPOCHS, "batch_size": BATCH, "checkpoint": tmp_path, "checkpoint_seconds": 0}
    with pytest.raises(Stop):
        trainer.fit(X, Y, scheduler=make_schedule("one cycle", trainer.optimizer), validation_data=(X, Y), **options)
    again = make_trainer()
    schedule = make_schedule("one cycle", again.optimizer)
    with pytest.warns(UserWarning, match="criterion was"):
        history = again.fit(X, Y, scheduler=schedule, validation_data=(X, Y), resume=True, **options)
    assert history["lr"] == outcome[0]["lr"]


@pytest.mark.parametrize("after", [True, False], ids=["after the update", "before it"])
def test_ctrl_c_near_an_update_keeps_the_schedule_in_step(tmp_path: Path, monkeypatch: Any, after: bool) -> None:
    whole, _ = interrupted_fit(tmp_path / "whole", "one cycle", None)
    update, seen = optim.SGD.step, []

    def pressed(self: optim.SGD, closure: Any = None) -> None:
        seen.append(1)
        if len(seen) == 6 and not after:
            raise KeyboardInterrupt
        update(self)
        if len(seen) == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(optim.SGD, "step", pressed)
        with pytest.raises(KeyboardInterrupt):
            interrupted_fit(tmp_path / "cut", "one cycle", None)
    again, _ = interrupted_fit(tmp_path / "cut", "one cycle", None, resume=True)
    assert again.model.fingerprint() == whole.model.fingerprint()


def test_ctrl_c_in_one_process(tmp_path: Path) -> None:
    """The same trainer and schedule resume."""
    trainer = make_trainer()
    schedule, presses = OneCycleLR(trainer.optimizer, 0.5, STEPS), iter([False] * 6 + [True] + [False] * 99)

    def press(batch: int) -> None:
        if next(presses):
            raise KeyboardInterrupt

    options: dict[str, Any] = {"epochs": EPOCHS, "batch_size": BATCH, "checkpoint": tmp_path, "checkpoint_seconds": 0}
    callbacks = [LambdaCallback(on_batch_begin=press)]
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, Y, scheduler=schedule, callbacks=callbacks, **options)
    with pytest.warns(UserWarning, match="the fit began with lr=0.02"):  # the optimizer has changed since
        trainer.fit(X, Y, scheduler=schedule, callbacks=callbacks, resume=True, **options)
    assert schedule.last_epoch == STEPS
    assert trainer.model.fingerprint() == interrupted_fit(tmp_path / "w", "one cycle", None)[0].model.fingerprint()


@pytest.mark.parametrize("compile", [True, False])
def test_bad_rows_do_not_change_the_schedule(compile: bool) -> None:
    trainer = make_trainer()
    trainer = nl.Trainer(trainer.model, lambda o, t: nn.functional.cross_entropy(o, t), trainer.optimizer)
    schedule = OneCycleLR(trainer.optimizer, 0.5, STEPS)
    before = schedule.state_dict(), trainer.optimizer.state_dict(), trainer.model.fingerprint()
    bad = Y.copy()
    bad[70] = 7
    with pytest.raises((ValueError, IndexError), match="7"):
        trainer.fit(X, bad, batch_size=BATCH, shuffle=False, scheduler=schedule, compile=compile)
    assert (schedule.state_dict(), trainer.optimizer.state_dict(), trainer.model.fingerprint()) == before


def test_a_skipped_batch_is_a_step_of_the_schedule() -> None:
    trainer = make_trainer()
    schedule = by_batch(ExponentialLR(trainer.optimizer, 0.5))
    labels = np.where(np.arange(100) < 32, -100, Y)
    trainer.fit(X, labels, batch_size=BATCH, shuffle=False, scheduler=schedule)
    assert schedule.last_epoch == 4


def test_accumulated_batches_are_one_step_of_the_schedule() -> None:
    def fit(**options: Any) -> tuple[str, int, list[float]]:
        trainer = make_trainer()
        schedule = OneCycleLR(trainer.optimizer, 0.5, 8)
        history = trainer.fit(X, Y, epochs=EPOCHS, scheduler=schedule, clip_norm=0.1, **options)
        return trainer.model.fingerprint(), schedule.last_epoch, history["lr"]

    accumulated = fit(batch_size=32, accumulate=2)
    assert accumulated == fit(batch_size=64)
    assert accumulated[1] == 8


# Errors at the start


@pytest.mark.parametrize(
    ("scheduler", "error", "match"),
    [
        (lambda o: OneCycleLR(o, 0.5, STEPS - 1), ValueError, "total_steps=15 is at step 0 and cannot take 16 more"),
        (lambda o: [CosineAnnealingLR(o, 4)], TypeError, "one schedule: make a SequentialLR or a ChainedScheduler"),
        (lambda o: CosineAnnealingLR, TypeError, "class CosineAnnealingLR itself"),
        (lambda o: 0.9, TypeError, "schedule of optim or a function, got float"),
        (lambda o: CyclicLR(make_trainer().optimizer, 0.1, 0.2), ValueError, "CyclicLR belongs to an optimizer other"),
    ],
)  # fmt: skip
def test_invalid_schedules(tmp_path: Path, scheduler: Any, error: Any, match: str) -> None:
    trainer = make_trainer()
    before = trainer.model.fingerprint()
    options: dict[str, Any] = {"epochs": EPOCHS, "batch_size": BATCH, "scheduler": scheduler(trainer.optimizer)}
    with pytest.raises(error, match=match):
        trainer.fit(X, Y, checkpoint=tmp_path / "run", **options)
    assert (trainer.model.fingerprint(), trainer.epoch) == (before, 0)
    trainer.fit(X, Y, checkpoint=tmp_path / "run")  # nothing was left in the folder
