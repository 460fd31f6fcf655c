"""Trainer: epochs, batches, history, evaluation, prediction."""

from __future__ import annotations

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.callbacks import Callback, LambdaCallback

X, Y = nl.data.make_moons(203, noise=0.1, seed=1)


def make_trainer(model: nn.Module | None = None, criterion=None, lr: float = 0.1, **options) -> nl.Trainer:
    if model is None:
        nl.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return nl.Trainer(model, criterion or nn.CrossEntropyLoss(), optimizer, **options)


def test_learns_and_reports_kerass_keys():
    trainer = make_trainer(metrics=["accuracy", "misclassified"])
    history = trainer.fit(X, Y, epochs=40, validation_data=(X[:50], Y[:50]))
    assert set(history.history) == {
        "loss",
        "accuracy",
        "misclassified",
        "val_loss",
        "val_accuracy",
        "val_misclassified",
    }
    assert history.epoch == list(range(40))
    assert history["val_accuracy"][-1] > 0.9
    assert history["loss"][-1] < history["loss"][0]
    assert trainer.history is history


@pytest.mark.parametrize("compile", [True, False])
def test_two_fits_continue_like_one(compile):
    once, twice = make_trainer(), make_trainer()
    whole = once.fit(X, Y, epochs=4, compile=compile)
    parts = [twice.fit(X, Y, epochs=n, compile=compile) for n in (1, 3)]
    assert once.model.fingerprint() == twice.model.fingerprint()
    assert whole["loss"] == parts[0]["loss"] + parts[1]["loss"]
    assert parts[1].epoch == [1, 2, 3]


def test_native_eager_and_monitored_runs_agree_in_bits_and_history():
    class Watcher(Callback):
        def on_batch_end(self, batch, logs):
            assert np.isfinite(logs["loss"])

    results = []
    for options in ({}, {"compile": False}, {"callbacks": [Watcher()]}, {"callbacks": [Callback()]}):
        trainer = make_trainer(metrics=["accuracy"])
        history = trainer.fit(X, Y, epochs=3, validation_split=0.2, **options)
        results.append((trainer.model.fingerprint(), history.history))
    assert all(result == results[0] for result in results)


def test_equals_a_hand_written_loop():
    trainer = make_trainer(nn.MLP([2, 8, 2]), seed=5)
    twin = nn.MLP([2, 8, 2])
    twin.load_state_dict(trainer.model.state_dict())
    trainer.fit(X, Y, epochs=3, batch_size=25)
    optimizer, criterion = optim.SGD(twin.parameters(), lr=0.1, momentum=0.9), nn.CrossEntropyLoss()
    loader = nl.data.DataLoader(nl.data.TensorDataset(X, Y), batch_size=25, shuffle=True, seed=5)
    for _ in range(3):
        for xb, yb in loader:
            optimizer.zero_grad()
            criterion(twin(xb), yb).backward()
            optimizer.step()
    assert trainer.model.fingerprint() == twin.fingerprint()


def test_the_last_partial_batch_counts_by_its_rows():
    trainer = make_trainer(nn.Linear(2, 2), lr=0.0)
    history = trainer.fit(X, Y, batch_size=50)
    assert history["loss"][0] == pytest.approx(trainer.evaluate(X, Y)["loss"], rel=1e-6)


def test_without_shuffling_batches_are_in_order():
    seen = []

    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(1, 1)

        def forward(self, x):
            seen.append(x.numpy().ravel().tolist())
            return self.linear(x)

    x = np.arange(5, dtype=np.float32)[:, None]
    make_trainer(Recorder(), nn.MSELoss(), lr=0.0).fit(x, x, batch_size=2, shuffle=False, compile=False)
    assert seen == [[0, 1], [2, 3], [4]]


def test_the_seed_determines_shuffling_and_dropout():
    prints = {seed: set() for seed in (0, 1)}
    for seed in (0, 0, 1):
        trainer = make_trainer(seed=seed)
        nl.manual_seed(99)  # a fit does not use the default generator
        trainer.fit(X, Y)
        prints[seed].add(trainer.model.fingerprint())
    assert len(prints[0]) == 1
    assert prints[0] != prints[1]


def test_the_default_generator_is_restored():
    generator = nl.manual_seed(3)
    before = generator.state()
    make_trainer(nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2)))
    drawn = generator.state()
    make_trainer(nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2))).fit(X, Y)
    assert before != drawn  # the layers drew their weights
    assert nl._core.default_generator().seed == 3


def test_validation_split_takes_the_last_rows():
    x, y = np.zeros((10, 2), np.float32), np.array([0] * 8 + [1] * 2)
    trainer = make_trainer(nn.Linear(2, 2), lr=1.0, metrics=["accuracy"])
    with pytest.warns(UserWarning, match="hold the class 1"):
        history = trainer.fit(x, y, epochs=20, validation_split=0.2)
    assert history["accuracy"][-1] == 1.0
    assert history["val_accuracy"][-1] == 0.0


def test_evaluation_changes_nothing():
    trainer = make_trainer(metrics=["accuracy"])
    trainer.fit(X, Y, epochs=2)
    before = trainer.model.fingerprint()
    trainer.model[1].eval()
    trainer.evaluate(X, Y, batch_size=17)
    trainer.predict(X, batch_size=17)
    assert trainer.model.fingerprint() == before
    assert [module.training for module in trainer.model] == [True, False, True, True, True]
    assert all(parameter.grad is None for parameter in trainer.model.parameters())


def test_evaluate_equals_the_loss_of_all_rows_at_once():
    trainer = make_trainer(metrics=["accuracy"])
    figures = trainer.evaluate(X, Y, batch_size=20)
    trainer.model.eval()
    with nl.no_grad():
        output = trainer.model(X)
        assert figures["loss"] == pytest.approx(nn.CrossEntropyLoss()(output, Y).item(), rel=1e-6)
    assert figures["accuracy"] == np.mean(output.numpy().argmax(1) == Y)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64])
def test_predictions_from_other_types(dtype):
    trainer, x = make_trainer(), (X * 10).astype(dtype)
    for batch_size in (50, 1000):
        np.testing.assert_array_equal(
            trainer.predict(x, batch_size=batch_size), trainer.predict(x.astype(np.float32), batch_size=batch_size)
        )


@pytest.mark.parametrize("batch_size", [1, 7, 203, 1000])
def test_predictions_do_not_depend_on_the_batch(batch_size):
    trainer = make_trainer()
    np.testing.assert_array_equal(trainer.predict(X, batch_size=batch_size), trainer.predict(X))
    np.testing.assert_array_equal(trainer.predict(X[5:6])[0], trainer.predict(X)[5])


def test_predictions_always_use_the_current_weights():
    """Passes of several batches use packed weights, which must not be reused by the next pass."""
    model = nn.MLP([2, 16, 2])
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.5))
    x, y = nl.data.make_moons(600, noise=0.1, seed=0)
    for _ in range(3):
        trainer.fit(x, y, validation_data=(x, y), progress=False)
        with nl.no_grad():
            expected = model(x).numpy()
        np.testing.assert_array_equal(trainer.predict(x, batch_size=64), expected)
        model[0].weight.detach().numpy()[:] *= 0.9


def test_validation_turns_dropout_off_and_keeps_statistics():
    trainer = make_trainer(lr=0.0)
    trainer.fit(X, Y, validation_data=(X, Y))
    tracked = trainer.model[1].num_batches_tracked.numpy().copy()
    trainer.fit(X, Y)
    assert trainer.model[1].num_batches_tracked.numpy() - tracked == -(-len(X) // 32)


def test_stop_training_from_a_callback():
    trainer = make_trainer()
    stop = LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(trainer, "stop_training", epoch == 2))
    assert len(trainer.fit(X, Y, epochs=50, callbacks=[stop])) == 3
    assert len(trainer.fit(X, Y, epochs=2)) == 2


def test_learning_rate_changes_reach_the_native_loop():
    moved, still = make_trainer(), make_trainer()
    moved.fit(X, Y)
    still.fit(X, Y)
    for group in still.optimizer.param_groups:
        group["lr"] = 0.0
        group["momentum"] = 0.0
    before = [p.detach().numpy().copy() for p in still.model.parameters()]
    still.fit(X, Y)
    for parameter, old in zip(still.model.parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.detach().numpy(), old)


def test_class_weights_do_not_affect_validation():
    trainer = make_trainer(nn.Linear(2, 2), lr=0.0)
    history = trainer.fit(X, Y, class_weight={0: 9.0, 1: 9.0}, validation_split=0.5)
    half = len(X) - len(X) // 2
    assert history["val_loss"][0] == pytest.approx(trainer.evaluate(X[half:], Y[half:])["loss"], rel=1e-6)


def test_class_weights_accept_binary_targets_of_any_shape():
    losses = []
    for target in (Y, Y.astype(np.float32), Y[:, None], Y > 0):
        nl.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0 if target.ndim == 1 else 1))
        history = make_trainer(model, nn.BCEWithLogitsLoss(), lr=0.0).fit(X, target, class_weight={1: 2.0})
        losses.append(history["loss"][0])
    assert losses == pytest.approx([losses[0]] * 4)


def test_zero_epochs_do_nothing():
    trainer = make_trainer()
    before = trainer.model.fingerprint()
    assert len(trainer.fit(X, Y, epochs=0)) == 0
    assert trainer.model.fingerprint() == before


def test_single_precision_and_double_precision_models():
    for dtype in (np.float32, np.float64):
        model = nn.Linear(2, 2, dtype=dtype)
        trainer = make_trainer(model)
        trainer.fit(X, Y)
        assert trainer.predict(X).dtype == dtype


def test_embeddings_accept_indices():
    tokens = np.random.default_rng(0).integers(0, 9, (100, 3))
    model = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 2))
    trainer = make_trainer(model, metrics=["accuracy"])
    history = trainer.fit(tokens, (tokens[:, 0] > 4).astype(np.int64), epochs=30)
    assert history["accuracy"][-1] == 1.0
    with pytest.raises(ValueError, match=r"x holds the index 9 at index \(99, 1\).*9 rows"):
        trainer.fit(np.where(np.arange(300).reshape(100, 3) == 298, 9, tokens), tokens[:, 0])


def test_models_of_several_inputs():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(1, 2), nn.Linear(1, 2)

        def forward(self, a, b):
            return self.left(a) + self.right(b)

    parts = (X[:, :1], X[:, 1:])
    trainer = make_trainer(Sum(), metrics=["accuracy"])
    trainer.fit(parts, Y, epochs=20, validation_data=(parts, Y))
    assert trainer.evaluate(parts, Y)["accuracy"] > 0.8
    assert trainer.predict(parts).shape == (len(X), 2)


def test_outputs_of_higher_rank():
    images = np.random.default_rng(0).standard_normal((40, 3, 5)).astype(np.float32)
    trainer = make_trainer(nn.Linear(5, 4), nn.MSELoss())
    trainer.fit(images, np.zeros((40, 3, 4)), epochs=2)
    assert trainer.predict(images).shape == (40, 3, 4)


def test_the_progress_bar_goes_to_standard_error(capfd):
    make_trainer().fit(X, Y, epochs=2, progress=True)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "14/14" in captured.err
    assert "loss=" in captured.err
    make_trainer().fit(X, Y, epochs=2)
    assert capfd.readouterr().err == ""


def test_the_progress_bar_changes_no_bits(capfd):
    shown, hidden = make_trainer(), make_trainer()
    shown.fit(X, Y, epochs=5, progress=True)
    hidden.fit(X, Y, epochs=5)
    assert shown.model.fingerprint() == hidden.model.fingerprint()
