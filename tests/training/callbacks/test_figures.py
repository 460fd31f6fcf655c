"""Figures named by callbacks: their direction, figures of other callbacks, and paths, all checked before the first epoch."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.callbacks import CSVLogger, EarlyStopping, LambdaCallback, LearningRateScheduler, ModelCheckpoint

X, Y = nl.data.make_moons(100, noise=0.1, seed=1)


def make_trainer(lr: float = 0.1, metrics=()) -> nl.Trainer:
    nl.manual_seed(0)
    model = nn.MLP([2, 8, 2])
    return nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=lr), metrics)


# Which way a figure is better


def auc(outputs, targets):
    """The share of pairs in the right order."""
    score = outputs[:, 1] - outputs[:, 0]
    return float((score[targets == 1][:, None] > score[targets == 0]).mean())


WATCHERS = {
    "EarlyStopping": lambda trainer, figure, **mode: EarlyStopping(figure, **mode),
    "ModelCheckpoint": lambda trainer, figure, **mode: ModelCheckpoint("best", figure, save_best_only=True, **mode),
    "LearningRateScheduler": lambda trainer, figure, **mode: LearningRateScheduler(
        optim.ReduceLROnPlateau(trainer.optimizer), figure, **mode
    ),
}


@pytest.mark.parametrize("watcher", WATCHERS)
def test_an_unknown_direction_is_an_error_at_the_start(watcher, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for figure in ("auc", "val_auc", "own"):
        trainer = make_trainer(metrics=[auc])
        before = trainer.model.fingerprint()
        add = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(own=1.0))
        with pytest.raises(ValueError, match=f"{watcher} watches '{figure}'.*mode='max'.*accuracy"):
            trainer.fit(X, Y, validation_data=(X, Y), callbacks=[add, WATCHERS[watcher](trainer, figure)])
        assert (trainer.model.fingerprint(), trainer.epoch) == (before, 0)
        trainer.fit(X, Y, validation_data=(X, Y), callbacks=[add, WATCHERS[watcher](trainer, figure, mode="min")])


def test_a_function_states_its_direction_in_an_attribute():
    def rising(outputs, targets):
        return auc(outputs, targets)

    rising.greater_is_better = True
    trainer = make_trainer(metrics=[rising])
    stopping = EarlyStopping("rising", patience=100, restore_best_weights=True)
    history = trainer.fit(X, Y, epochs=12, callbacks=[stopping])
    assert stopping.best == max(history["rising"])
    assert history["rising"][stopping.best_epoch] == stopping.best
    said = EarlyStopping("auc", patience=100, mode="max")
    history = make_trainer(metrics=[auc]).fit(X, Y, epochs=12, callbacks=[said])
    assert said.best == max(history["auc"])


@pytest.mark.parametrize(
    ("mode", "options", "match"),
    [
        ("max", {}, "mode='max'.*cannot follow 'val_loss'.*smaller.*monitor"),
        ("max", {"monitor": "loss"}, "cannot follow 'loss'"),
        ("min", {"monitor": "val_accuracy"}, "cannot follow 'val_accuracy'.*larger.*mode='max'"),
        ("max", {"monitor": "own", "mode": "min"}, "cannot follow 'own'"),
        ("max", {"monitor": "val_f1"}, r"watches 'val_f1'.*metrics=\['f1'\]"),
    ],
)
def test_a_plateau_with_the_wrong_direction_is_refused(mode, options, match):
    trainer = make_trainer(metrics=["accuracy"])
    schedule = LearningRateScheduler(optim.ReduceLROnPlateau(trainer.optimizer, mode=mode), **options)
    with pytest.raises(ValueError, match=match):
        trainer.fit(X, Y, validation_data=(X, Y), callbacks=[schedule])
    assert trainer.epoch == 0


def test_a_plateau_follows_its_monitor():
    trainer = make_trainer(lr=0.8, metrics=["accuracy"])
    values = iter([0.1, 0.2, 0.2, 0.3])
    report = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(accuracy=next(values)))
    plateau = optim.ReduceLROnPlateau(trainer.optimizer, mode="max", patience=0)
    trainer.fit(X, Y, epochs=4, callbacks=[report, LearningRateScheduler(plateau, monitor="accuracy")])
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.08)
    own = optim.ReduceLROnPlateau(trainer.optimizer, mode="max", patience=0)
    add = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(own=epoch))
    trainer.fit(X, Y, epochs=4, callbacks=[add, LearningRateScheduler(own, monitor="own")])
    assert own.best == 7


def test_a_schedule_of_another_optimizer_is_refused():
    with pytest.raises(ValueError, match="StepLR belongs to an optimizer other"):
        make_trainer().fit(X, Y, callbacks=[LearningRateScheduler(optim.StepLR(make_trainer().optimizer, 2))])


def test_schedules_compose_and_respect_a_rate_set_manually():
    trainer = make_trainer(lr=1.0)
    each = [optim.ExponentialLR(trainer.optimizer, 0.5), optim.StepLR(trainer.optimizer, 2, gamma=0.1)]
    trainer.fit(X, Y, epochs=2, callbacks=[LearningRateScheduler(schedule) for schedule in each])
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.025)
    trainer.optimizer.param_groups[0]["lr"] = 0.4
    trainer.fit(X, Y, epochs=1, callbacks=[LearningRateScheduler(schedule) for schedule in each])
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.2)


# Figures of callbacks


def test_figures_of_callbacks_reach_history_logger_and_later_callbacks(tmp_path):
    seen = []

    def report(epoch, logs):
        logs["twice"] = 2 * logs["loss"]
        if epoch == 1:
            logs["late"] = np.float32(0.5)
        logs["note"] = "text"  # not a figure

    add = LambdaCallback(on_epoch_end=report)
    look = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["twice"]))
    paths = [tmp_path / "before.csv", tmp_path / "after.csv"]
    history = make_trainer().fit(X, Y, epochs=3, callbacks=[CSVLogger(paths[0]), add, look, CSVLogger(paths[1])])
    assert history["twice"] == seen == [2 * loss for loss in history["loss"]]
    assert math.isnan(history["late"][0])
    assert history["late"][1] == 0.5
    assert len(history["late"]) == 3
    assert "note" not in history
    assert history.to_frame().shape == (3, 3)
    for path in paths:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [float(row["twice"]) for row in rows] == seen
        assert [row["late"] for row in rows] == ["", "0.5", ""]


@pytest.mark.parametrize("begin", [0, 1, 2])
def test_a_log_continues_from_its_checkpoint(tmp_path, begin):
    def run(folder, resume, stop):
        def report(epoch, logs):
            if epoch >= 1:
                logs["own"] = epoch
            if epoch == stop and not resume:
                raise RuntimeError("the process dies")

        trainer = make_trainer()
        callbacks = [CSVLogger(tmp_path / f"{folder}.csv"), LambdaCallback(on_epoch_end=report)]
        try:
            trainer.fit(
                X, Y, epochs=4, callbacks=callbacks, checkpoint=tmp_path / folder, resume=resume, checkpoint_seconds=0
            )
        except RuntimeError:
            return
        return (tmp_path / f"{folder}.csv").read_text()

    whole = run("whole", False, -1)
    run("cut", False, begin)
    assert run("cut", True, begin) == whole


# Paths that cannot be written are refused at the start


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("{val_loss:.2f}", "'val_loss', but an epoch has only loss; pass validation_data"),
        (
            "{epoch}-{accuracy}",
            r"'accuracy', but an epoch has only loss; create the Trainer with metrics=\['accuracy'\]",
        ),
        ("{acuracy}", "'acuracy', but an epoch has only loss"),
        ("{loss:d}", "is not a valid format"),
        ("{", "is not a valid format"),
        ("{}", "''|no format"),
    ],
)
def test_paths_that_name_unknown_figures(tmp_path, path, match):
    trainer = make_trainer()
    before = trainer.model.fingerprint()
    with pytest.raises(ValueError, match=match):
        trainer.fit(X, Y, callbacks=[ModelCheckpoint(tmp_path / path)])
    assert (trainer.model.fingerprint(), trainer.epoch) == (before, 0)


def test_a_path_may_name_a_callbacks_own_figure(tmp_path):
    add = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(own=0.5))
    trainer = make_trainer()
    trainer.fit(X, Y, callbacks=[add, ModelCheckpoint(tmp_path / "{own:.1f}")])
    assert (tmp_path / "0.5").exists()
    with pytest.raises(ValueError, match="'other', but an epoch has only loss, own"):
        trainer.fit(X, Y, callbacks=[add, ModelCheckpoint(tmp_path / "{other}")])
    trainer.fit(X, Y)  # and continues


@pytest.mark.parametrize("make", [CSVLogger, ModelCheckpoint])
@pytest.mark.parametrize("place", ["missing/file", "file/below", ""])
def test_paths_that_cannot_be_written(tmp_path, make, place):
    (tmp_path / "file").write_text("")
    trainer = make_trainer()
    before = trainer.model.fingerprint()
    with pytest.raises(OSError, match="folder does not exist|Not a directory|is a folder"):
        trainer.fit(X, Y, callbacks=[make(tmp_path / place)])
    assert (trainer.model.fingerprint(), trainer.epoch) == (before, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("event", ["on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_train_end"])
@pytest.mark.parametrize("compile", [True, False])
def test_an_exception_of_a_callback_leaves_the_trainer_usable(event, compile):
    def fail(*_):
        raise RuntimeError("mine")

    trainer, twin = make_trainer(), make_trainer()
    with pytest.raises(RuntimeError, match="mine"):
        trainer.fit(X, Y, epochs=2, compile=compile, callbacks=[LambdaCallback(**{event: fail})])
    twin.model.load_state_dict(trainer.model.state_dict())
    twin.optimizer.load_state_dict(trainer.optimizer.state_dict())
    twin.epoch = trainer.epoch
    for each in (trainer, twin):
        each.fit(X, Y, epochs=2, compile=compile)
    assert trainer.model.fingerprint() == twin.model.fingerprint()
