"""Callbacks under Keras's names."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
)

X, Y = nl.data.make_moons(100, noise=0.1, seed=1)


def make_trainer(lr: float = 0.1, metrics=()) -> nl.Trainer:
    nl.manual_seed(0)
    model = nn.MLP([2, 8, 2])
    return nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=lr), metrics)


class Recorder(Callback):
    def __init__(self):
        self.events = []

    def on_train_begin(self):
        self.events.append("train")

    def on_train_end(self):
        self.events.append("end")

    def on_epoch_begin(self, epoch):
        self.events.append(("epoch", epoch))

    def on_epoch_end(self, epoch, logs):
        self.events.append(("done", epoch, sorted(logs)))


class BatchRecorder(Recorder):
    def on_batch_begin(self, batch):
        self.events.append(("batch", batch))

    def on_batch_end(self, batch, logs):
        self.events.append(("stepped", batch, sorted(logs)))


def test_events_occur_in_order():
    recorder = Recorder()
    make_trainer(metrics=["accuracy"]).fit(X, Y, epochs=2, callbacks=[recorder])
    figures = ["accuracy", "loss"]
    assert recorder.events == ["train", ("epoch", 0), ("done", 0, figures), ("epoch", 1), ("done", 1, figures), "end"]


def test_batch_events():
    recorder = BatchRecorder()
    make_trainer().fit(X, Y, batch_size=60, callbacks=[recorder])
    steps = [("batch", 0), ("stepped", 0, ["loss"]), ("batch", 1), ("stepped", 1, ["loss"])]
    assert recorder.events == ["train", ("epoch", 0), *steps, ("done", 0, ["loss"]), "end"]


def test_epochs_are_numbered_across_fits():
    recorder = Recorder()
    trainer = make_trainer()
    trainer.fit(X, Y, epochs=3)
    trainer.fit(X, Y, callbacks=[recorder])
    assert ("epoch", 3) in recorder.events


def test_lambda_callbacks_call_their_functions():
    seen = []
    every = LambdaCallback(
        on_epoch_begin=lambda epoch: seen.append("epoch"),
        on_epoch_end=lambda epoch, logs: seen.append("done"),
        on_train_begin=lambda: seen.append("train"),
        on_train_end=lambda: seen.append("end"),
        on_batch_begin=lambda batch: seen.append("batch"),
        on_batch_end=lambda batch, logs: seen.append("stepped"),
    )
    make_trainer().fit(X, Y, batch_size=100, callbacks=[LambdaCallback(), every])
    assert seen == ["train", "epoch", "batch", "stepped", "done", "end"]


def test_only_overridden_batch_methods_prevent_native_epochs():
    assert not Callback().watches_batches
    assert not LambdaCallback(on_epoch_end=print).watches_batches
    assert LambdaCallback(on_batch_end=print).watches_batches
    assert BatchRecorder().watches_batches


def follow(values, **options) -> EarlyStopping:
    """EarlyStopping after it has seen these values of `figure`."""
    stopping = EarlyStopping("figure", **{"mode": "min", **options})
    stopping.trainer = trainer = make_trainer()
    stopping.on_train_begin()
    for epoch, value in enumerate(values):
        stopping.on_epoch_end(epoch, {"figure": value})
        if trainer.stop_training:
            break
    return stopping


@pytest.mark.parametrize(
    ("values", "options", "stopped", "best"),
    [
        ([3, 2, 1, 0], {"patience": 1}, None, 3),
        ([3, 2, 2.5, 2.4, 2.3], {"patience": 2}, 3, 1),
        ([3, 2, 2.5, 1.9, 2.3, 2.3], {"patience": 2}, 5, 3),
        ([3, 4], {"patience": 0}, 1, 0),
        ([3, 4], {"mode": "max"}, None, 1),
        ([3, 2.95, 2.9], {"min_delta": 0.2}, 1, 0),
        ([3, float("nan"), 2], {"patience": 2}, None, 2),
    ],
)
def test_early_stopping(values, options, stopped, best):
    stopping = follow(values, **options)
    assert (stopping.stopped_epoch, stopping.best_epoch) == (stopped, best)
    assert stopping.best == values[best]


@pytest.mark.parametrize(
    ("monitor", "rises"),
    [
        ("val_loss", False),
        ("val_accuracy", True),
        ("f1", True),
        ("val_top_5", True),
        ("mse", False),
        ("misclassified", False),
    ],
)
def test_auto_mode_finds_the_direction(monitor, rises):
    stopping = EarlyStopping(monitor)
    assert stopping.best == (-np.inf if rises else np.inf)


def test_an_unknown_mode():
    with pytest.raises(ValueError, match="mode must be 'auto', 'min' or 'max'"):
        EarlyStopping(mode="best")


def test_an_unknown_figure_lists_the_known_ones():
    with pytest.raises(ValueError, match="watches 'val_f1', but an epoch has only loss"):
        make_trainer().fit(X, Y, callbacks=[EarlyStopping("val_f1")])


def test_a_custom_figure_can_be_monitored():
    add = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(val_own=1.0))
    stopping = EarlyStopping("val_own", patience=1, mode="min")
    assert len(make_trainer().fit(X, Y, epochs=9, callbacks=[add, stopping])) == 2


def test_early_stopping_restores_the_best_weights():
    trainer = make_trainer()
    states = []
    values = iter([3.0, 1.0, 2.0, 2.0])

    def report(epoch, logs):
        logs["val_loss"] = next(values)
        states.append(trainer.model.fingerprint())

    stopping = EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    history = trainer.fit(
        X, Y, epochs=9, validation_data=(X, Y), callbacks=[LambdaCallback(on_epoch_end=report), stopping]
    )
    assert len(history) == 4
    assert stopping.best_epoch == 1
    assert trainer.model.fingerprint() == states[1]


def test_one_callback_serves_two_fits():
    stopping = EarlyStopping("loss", mode="max", patience=3)
    trainer = make_trainer()
    assert len(trainer.fit(X, Y, epochs=20, callbacks=[stopping])) == 4
    assert len(trainer.fit(X, Y, epochs=20, callbacks=[stopping])) == 4


def test_checkpoints_of_every_epoch(tmp_path):
    trainer = make_trainer()
    trainer.fit(X, Y, epochs=2, callbacks=[ModelCheckpoint(tmp_path / "{epoch:02d}-{loss:.2f}.safetensors")])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name[:3] for name in names] == ["00-", "01-"]
    twin = make_trainer()
    twin.model.load_state_dict(nl.load(tmp_path / names[1]))
    assert twin.model.fingerprint() == trainer.model.fingerprint()


def test_checkpoints_of_only_the_best_epoch(tmp_path):
    values = iter([3.0, 1.0, 2.0])
    report = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(val_loss=next(values)))
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}", save_best_only=True)
    make_trainer().fit(X, Y, epochs=3, validation_data=(X, Y), callbacks=[report, checkpoint])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]


def test_schedules_of_optim_step_after_each_epoch():
    rates = []
    trainer = make_trainer(lr=0.8)
    schedule = LearningRateScheduler(optim.StepLR(trainer.optimizer, step_size=2, gamma=0.5))
    look = LambdaCallback(on_epoch_begin=lambda epoch: rates.append(trainer.optimizer.param_groups[0]["lr"]))
    trainer.fit(X, Y, epochs=5, callbacks=[schedule, look])
    assert rates == [0.8, 0.8, 0.4, 0.4, 0.2]


def test_a_plateau_watches_the_validation_loss():
    trainer = make_trainer(lr=0.8)
    plateau = optim.ReduceLROnPlateau(trainer.optimizer, patience=0)
    values = iter([1.0, 2.0, 3.0])
    report = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(val_loss=next(values)))
    trainer.fit(X, Y, epochs=3, validation_data=(X, Y), callbacks=[report, LearningRateScheduler(plateau)])
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.008)


def test_a_function_sets_the_rate_before_each_epoch():
    trainer = make_trainer(lr=1.0)
    trainer.fit(X, Y, epochs=3, callbacks=[LearningRateScheduler(lambda epoch, lr: lr / 2)])
    assert trainer.optimizer.param_groups[0]["lr"] == 0.125


def test_csv_logger_writes_as_it_goes(tmp_path):
    path = tmp_path / "log.csv"
    lengths = []
    count = LambdaCallback(on_epoch_end=lambda epoch, logs: lengths.append(len(path.read_text().splitlines())))
    trainer = make_trainer(metrics=["accuracy"])
    history = trainer.fit(X, Y, epochs=3, callbacks=[CSVLogger(path), count])
    assert lengths == [2, 3, 4]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == history["loss"]
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]


class TestWhatIsNoNumber:
    def test_patience(self):
        for patience in ("two", None):
            with pytest.raises(TypeError, match="patience must be a number, got"):
                EarlyStopping(patience=patience)
        with pytest.raises(ValueError, match="patience must not be negative, got -1"):
            EarlyStopping(patience=-1)

    def test_a_figure_that_is_watched(self):
        report = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(auc="high"))
        with pytest.raises(TypeError, match="watches 'auc', which must be a number, got 'high'"):
            make_trainer().fit(X, Y, callbacks=[report, EarlyStopping("auc", mode="max")])

    def test_a_rate(self):
        with pytest.raises(TypeError, match="schedule's value must be a number, got None"):
            make_trainer().fit(X, Y, callbacks=[LearningRateScheduler(lambda epoch, lr: None)])

    def test_a_metric(self):
        def shares(outputs, targets):
            return np.ones(3)

        with pytest.raises(ValueError, match="metric 'shares' must be a single number, got 3 values"):
            make_trainer(metrics=[shares]).fit(X, Y)


def test_a_callback_that_monitors_a_figure_comes_after_the_one_that_adds_it():
    report = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(auc=1.0))
    with pytest.raises(ValueError, match="watches 'auc'.* must come before this one"):
        make_trainer().fit(X, Y, callbacks=[EarlyStopping("auc", mode="max"), report])
