"""A resumed fit ends with the bits of an uninterrupted one."""

from __future__ import annotations

import shutil
import time

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.callbacks import Callback, CSVLogger, EarlyStopping, LambdaCallback, LearningRateScheduler, ModelCheckpoint
from nnlite.files.model_file import load_with_metadata
from nnlite.training.resume import Checkpoints

X, Y = nl.data.make_moons(500, noise=0.2, seed=1)
MANY = nl.data.make_moons(100_000, noise=0.2, seed=1)  # enough rows for a checkpoint to be due within an epoch
VALIDATION = nl.data.make_moons(100, noise=0.2, seed=2)


class Stop(Exception):
    """The exception that ends a fit in these tests."""


class StopAt(Callback):
    """Ends the fit as a crash would, at the end of an epoch or of a batch."""

    def __init__(self, epoch: int | None) -> None:
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if epoch == self.epoch:
            raise Stop


class StopAtBatch(Callback):
    """The same within an epoch: every batch then runs from Python."""

    def __init__(self, count: int | None) -> None:
        self.left = count

    def on_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Stop


def make_trainer(seed: int = 3) -> nl.Trainer:
    """Everything that has a state: momentum, dropout, running statistics, metrics."""
    nl.manual_seed(5)
    model = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.Dropout(0.2), nn.ReLU(), nn.Linear(16, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return nl.Trainer(model, nn.CrossEntropyLoss(), optimizer, metrics=["accuracy"], seed=seed)


def make_callbacks(trainer: nl.Trainer, folder, stop: Callback) -> list[Callback]:
    return [
        LearningRateScheduler(optim.StepLR(trainer.optimizer, 2, gamma=0.5)),
        LearningRateScheduler(optim.ReduceLROnPlateau(trainer.optimizer, patience=0)),
        EarlyStopping(patience=50, restore_best_weights=True),
        ModelCheckpoint(folder / "best.safetensors", save_best_only=True),
        CSVLogger(folder / "log.csv"),
        stop,
    ]


def fit(folder, stop: Callback, resume: bool, seconds: float = 0.0, **options):
    """The fit of these tests in a new trainer; (trainer, callbacks, history), history None if it was stopped."""
    folder.mkdir(exist_ok=True)
    trainer = make_trainer()
    callbacks = make_callbacks(trainer, folder, stop)
    settings = {"epochs": 8, "batch_size": 64, "validation_data": VALIDATION, "callbacks": callbacks, **options}
    try:
        history = trainer.fit(X, Y, checkpoint=folder, resume=resume, checkpoint_seconds=seconds, **settings)
    except Stop:
        history = None
    return trainer, callbacks, history


def outcome(folder, trainer: nl.Trainer, callbacks: list[Callback], history) -> tuple:
    """Everything that a user can see of a fit."""
    stopping = callbacks[2]
    return (
        trainer.model.fingerprint(),
        trainer.optimizer.param_groups[0]["lr"],
        history.history,
        history.epoch,
        trainer.epoch,
        stopping.best,
        stopping.best_epoch,
        (folder / "log.csv").read_text(),
        (folder / "best.safetensors").read_bytes(),
    )


@pytest.mark.parametrize("compile", [True, False], ids=["native", "eager"])
@pytest.mark.parametrize("epoch", [0, 1, 4, 7])
def test_a_fit_ended_after_an_epoch_is_resumed(tmp_path, epoch, compile):
    whole = fit(tmp_path / "whole", StopAt(None), False, compile=compile)
    _, _, history = fit(tmp_path / "cut", StopAt(epoch), False, compile=compile)
    assert history is None
    again = fit(tmp_path / "cut", StopAt(None), True, compile=compile)
    assert outcome(tmp_path / "cut", *again) == outcome(tmp_path / "whole", *whole)


@pytest.mark.parametrize("batches", [0, 1, 7, 8, 20, 63])
def test_a_fit_ended_within_an_epoch_is_resumed(tmp_path, batches):
    whole = fit(tmp_path / "whole", StopAtBatch(None), False)
    _, _, history = fit(tmp_path / "cut", StopAtBatch(batches), False)
    assert history is None
    again = fit(tmp_path / "cut", StopAtBatch(None), True)
    assert outcome(tmp_path / "cut", *again) == outcome(tmp_path / "whole", *whole)


def test_many_interruptions_of_one_fit(tmp_path):
    whole = fit(tmp_path / "whole", StopAtBatch(None), False)
    attempts = 0
    while True:
        again = fit(tmp_path / "cut", StopAtBatch(5), True)
        attempts += 1
        if again[2] is not None:
            break
    assert attempts > 8
    assert outcome(tmp_path / "cut", *again) == outcome(tmp_path / "whole", *whole)


def test_ctrl_c_within_a_native_epoch_leaves_a_checkpoint_of_that_moment(tmp_path, monkeypatch):
    options = {"epochs": 3, "batch_size": 2, "checkpoint": tmp_path, "checkpoint_seconds": 1e6}
    asked = []

    def press(run, epoch: int, batch: int) -> bool:
        asked.append((epoch, batch))
        if epoch == 1 and batch > 0:
            raise KeyboardInterrupt
        return False

    with monkeypatch.context() as patch:
        patch.setattr("nnlite.training.fit.Fit._poll", press)
        with pytest.raises(KeyboardInterrupt):
            make_trainer().fit(*MANY, **options)
    state = load_with_metadata(tmp_path / "checkpoint.safetensors")[1]["checkpoint"]
    assert (state["epoch"], state["batch"]) == asked[-1]
    resumed, whole = make_trainer(), make_trainer()
    resumed.fit(*MANY, resume=True, **options)
    history = whole.fit(*MANY, epochs=3, batch_size=2)
    assert resumed.model.fingerprint() == whole.model.fingerprint()
    assert resumed.history.history == history.history


def test_checkpoints_within_native_epochs_do_not_change_the_bits(tmp_path, monkeypatch):
    whole, cut = make_trainer(), make_trainer()
    history = whole.fit(*MANY, epochs=3, batch_size=2)
    saves = []
    save = nl.save
    monkeypatch.setattr("nnlite.training.resume.save", lambda *a, **k: (saves.append(1), save(*a, **k)))
    again = cut.fit(*MANY, epochs=3, batch_size=2, checkpoint=tmp_path, checkpoint_seconds=0)
    assert len(saves) > 5  # more than one per epoch
    assert cut.model.fingerprint() == whole.model.fingerprint()
    assert again.history == history.history


def test_a_finished_fit_is_not_repeated_and_can_be_extended(tmp_path):
    options = {"batch_size": 64, "checkpoint": tmp_path}
    first = make_trainer()
    first.fit(X, Y, epochs=3, **options)
    again = make_trainer()
    history = again.fit(X, Y, epochs=3, resume=True, **options)
    assert again.model.fingerprint() == first.model.fingerprint()
    assert history.history == first.history.history
    longer, whole = make_trainer(), make_trainer()
    assert len(longer.fit(X, Y, epochs=5, resume=True, **options)) == 5
    whole.fit(X, Y, epochs=5, batch_size=64)
    assert longer.model.fingerprint() == whole.model.fingerprint()


def test_without_a_checkpoint_resume_starts_from_scratch(tmp_path):
    one, two = make_trainer(), make_trainer()
    one.fit(X, Y, checkpoint=tmp_path / "not" / "there", resume=True)
    two.fit(X, Y)
    assert one.model.fingerprint() == two.model.fingerprint()


def test_early_stopping_is_remembered(tmp_path):
    def run(resume: bool) -> tuple[nl.Trainer, EarlyStopping]:
        trainer, stopping = make_trainer(), EarlyStopping("loss", patience=1, min_delta=10.0)
        trainer.fit(X, Y, epochs=20, callbacks=[stopping], checkpoint=tmp_path, resume=resume)
        return trainer, stopping

    first, stopping = run(False)
    second, again = run(True)
    assert first.epoch == second.epoch == 2
    assert (stopping.stopped_epoch, stopping.best) == (again.stopped_epoch, again.best)


def test_a_checkpoint_is_only_overwritten_on_request(tmp_path):
    make_trainer().fit(X, Y, checkpoint=tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    trainer = make_trainer()
    untouched = trainer.model.fingerprint()
    with pytest.raises(FileExistsError, match="resume=True"):
        trainer.fit(X, Y, checkpoint=tmp_path)
    assert trainer.model.fingerprint() == untouched
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"batch_size": 16}, "batch_size was 32 and is now 16"),
        ({"shuffle": False}, "shuffle was True and is now"),
        ({"callbacks": [LambdaCallback()]}, "LambdaCallback"),
        ({"x": X[:400], "y": Y[:400]}, "shapes of the data"),
        ({"trainer": lambda: make_trainer(seed=4)}, "seed was 3 and is now 4"),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused(tmp_path, change, match):
    make_trainer().fit(X, Y, checkpoint=tmp_path)
    change = dict(change)
    trainer = change.pop("trainer", make_trainer)()
    before = trainer.model.fingerprint()
    with pytest.raises(ValueError, match=match):
        trainer.fit(change.pop("x", X), change.pop("y", Y), checkpoint=tmp_path, resume=True, **change)
    assert trainer.model.fingerprint() == before
    assert trainer.epoch == 0


def test_another_model_is_refused_and_unchanged(tmp_path):
    make_trainer().fit(X, Y, checkpoint=tmp_path)
    model = nn.MLP([2, 5, 2])
    before = model.fingerprint()
    other = nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), seed=3)
    with pytest.raises(RuntimeError, match="missing keys"):
        other.fit(X, Y, checkpoint=tmp_path, resume=True)
    assert model.fingerprint() == before


def test_a_model_file_is_not_a_checkpoint(tmp_path):
    nl.save(tmp_path / "checkpoint.safetensors", make_trainer().model)
    with pytest.raises(nl.ModelFileError, match="not the checkpoint of a fit"):
        make_trainer().fit(X, Y, checkpoint=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("state", "match"), [({}, "'settings' is missing"), ([], "missing"), ({"settings": 1}, "missing")]
)
def test_an_incomplete_checkpoint_is_refused(tmp_path, state, match):
    nl.save(tmp_path / "checkpoint.safetensors", {}, metadata={"checkpoint": state})
    with pytest.raises(nl.ModelFileError, match=match):
        make_trainer().fit(X, Y, checkpoint=tmp_path, resume=True)


def test_the_state_of_a_custom_callback_is_saved(tmp_path):
    class Count(Callback):
        def __init__(self) -> None:
            self.seen: list[int] = []

        def on_epoch_end(self, epoch, logs):
            self.seen.append(epoch)

        def state_dict(self):
            return {"seen": self.seen, "weights": [np.arange(3), {"deep": np.float32(0.5)}]}

        def load_state_dict(self, state_dict):
            self.seen = state_dict["seen"]
            np.testing.assert_array_equal(state_dict["weights"][0], np.arange(3))
            assert state_dict["weights"][1] == {"deep": 0.5}

    make_trainer().fit(X, Y, epochs=2, callbacks=[Count()], checkpoint=tmp_path)
    count = Count()
    make_trainer().fit(X, Y, epochs=4, callbacks=[count], checkpoint=tmp_path, resume=True)
    assert count.seen == [0, 1, 2, 3]


def test_state_that_a_checkpoint_cannot_hold_is_named_before_training(tmp_path):
    class Bad(Callback):
        def state_dict(self):
            return {"file": object()}

    trainer = make_trainer()
    before = trainer.model.fingerprint()
    with pytest.raises(TypeError, match="callbacks/0/1/file, a object"):
        trainer.fit(X, Y, callbacks=[Bad()], checkpoint=tmp_path)
    assert trainer.model.fingerprint() == before


def test_an_impossible_folder_is_named_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    trainer = make_trainer()
    before = trainer.model.fingerprint()
    with pytest.raises(OSError, match="file"):
        trainer.fit(X, Y, checkpoint=tmp_path / "file")
    with pytest.raises(OSError, match="file"):
        trainer.fit(X, Y, checkpoint=tmp_path / "file" / "below", resume=True)
    assert trainer.model.fingerprint() == before


@pytest.mark.parametrize("seconds", [-1, float("nan"), "often"])
def test_bad_seconds(tmp_path, seconds):
    with pytest.raises(ValueError, match="checkpoint_seconds"):
        make_trainer().fit(X, Y, checkpoint=tmp_path, checkpoint_seconds=seconds)


def test_resume_needs_a_folder():
    with pytest.raises(ValueError, match="needs the folder"):
        make_trainer().fit(X, Y, resume=True)


def test_a_vanished_folder_ends_the_fit_with_its_name_and_keeps_the_weights(tmp_path):
    folder = tmp_path / "gone"
    trainer = make_trainer()
    remove = LambdaCallback(on_epoch_end=lambda epoch, logs: shutil.rmtree(folder, ignore_errors=True))
    with pytest.raises(OSError, match="gone"):
        trainer.fit(X, Y, epochs=3, callbacks=[remove], checkpoint=folder, checkpoint_seconds=0)
    whole = make_trainer()
    whole.fit(X, Y, epochs=trainer.epoch)
    assert trainer.model.fingerprint() == whole.model.fingerprint()


def test_the_interval_is_kept(tmp_path, monkeypatch):
    saves: list[float] = []
    save = nl.save
    monkeypatch.setattr("nnlite.training.resume.save", lambda *a, **k: (saves.append(time.monotonic()), save(*a, **k)))
    make_trainer().fit(X, Y, epochs=50, checkpoint=tmp_path, checkpoint_seconds=1e6)
    assert len(saves) == 2  # at the start and the end


class Counting:
    """A fit that consists only of its state."""

    def __init__(self, state):
        self.state = state

    def state_dict(self):
        return {"settings": {"seed": 0}, "callbacks": [], "options": [], "script": {}, **self.state}

    def load_state_dict(self, state_dict):
        self.state = {name: state_dict[name] for name in self.state}
        if self.state["epoch"] < 0:
            raise ValueError("no such epoch")


def complete(epoch):
    model = {"w": np.arange(6.0).reshape(2, 3) + epoch}
    plain = {"epoch": epoch, "first_epoch": 0, "batch": 0, "stop_training": False, "outputs": None, "others": None}
    return {"model": model, "optimizer": {}, "generator": {}, "history": {}, "loss": {}, **plain}


def test_a_checkpoint_is_a_file_and_a_dictionary(tmp_path):
    Checkpoints(tmp_path, False, 30.0).begin(Counting(complete(7)))
    resumed = Counting(complete(0))
    Checkpoints(tmp_path, True, 30.0).begin(resumed)
    np.testing.assert_equal(resumed.state, complete(7))


def test_a_state_that_the_fit_refuses_is_undone(tmp_path):
    Checkpoints(tmp_path, False, 30.0).begin(Counting(complete(-1)))
    resumed = Counting(complete(3))
    with pytest.raises(nl.ModelFileError, match="is not a complete checkpoint: ValueError: no such epoch"):
        Checkpoints(tmp_path, True, 30.0).begin(resumed)
    np.testing.assert_equal(resumed.state, complete(3))
