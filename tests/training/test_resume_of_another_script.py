"""A resumed fit reports differences between the script and the one that started it."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim

X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
Y = X.sum(1, keepdims=True)


def fit(folder, x=X, y=Y, epochs=2, lr=0.1, **options) -> str:
    nl.manual_seed(0)
    model = nn.MLP([3, 4, 1])
    trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=lr))
    trainer.fit(x, y, epochs=epochs, checkpoint=folder, progress=False, **options)
    return model.fingerprint()


@pytest.mark.parametrize("which", ["x", "y", "one element", "order"])
def test_other_data_of_the_same_shape_is_refused(tmp_path, which):
    fit(tmp_path)
    x, y = X.copy(), Y.copy()
    if which == "one element":
        x[17, 1] = np.nextafter(x[17, 1], np.float32(9))
    elif which == "order":
        x, y = x[::-1], y[::-1]
    else:
        x, y = (x + 1, y) if which == "x" else (x, y + 1)
    with pytest.raises(ValueError, match="the hash of the data"):
        fit(tmp_path, x, y, epochs=4, resume=True)


def test_the_same_data_in_another_layout_is_accepted(tmp_path):
    whole = fit(tmp_path / "whole", epochs=4)
    fit(tmp_path / "half")
    assert fit(tmp_path / "half", np.asfortranarray(X), Y, epochs=4, resume=True) == whole


def test_another_learning_rate_causes_a_warning_that_it_is_not_used(tmp_path):
    whole = fit(tmp_path / "whole", epochs=4)
    fit(tmp_path / "half")
    with pytest.warns(UserWarning, match=r"began with lr=0\.1 \(here 0\.5\)") as warned:
        found = fit(tmp_path / "half", epochs=4, lr=0.5, resume=True)
    assert found == whole
    assert warned[0].filename == __file__, "the warning does not point at the call of fit"


def test_a_checkpoint_of_the_first_version_resumes(tmp_path):
    """A file that 0.1.0 wrote after two epochs of this fit."""
    shutil.copy(Path(__file__).with_name("checkpoint_of_0_1_0.safetensors"), tmp_path / "checkpoint.safetensors")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 3)).astype(np.float32), rng.integers(0, 2, 100)
    nl.manual_seed(0)
    model = nn.MLP([3, 8, 2])
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    trainer = nl.Trainer(model, nn.CrossEntropyLoss(), optimizer, metrics=["accuracy"])
    history = trainer.fit(x, y, epochs=4, checkpoint=tmp_path, resume=True, progress=False)
    assert history["loss"][:2] == [0.6922229313850403, 0.6855050420761108]
    assert history["loss"][3] < history["loss"][0]
    assert trainer.epoch == 4


@pytest.mark.parametrize(("layer", "criterion", "match"), [
    (nn.Tanh(), nn.HuberLoss(), r"the model was \(1\): ReLU\(\) and is now \(1\): Tanh\(\)"),
    (nn.Sequential(), nn.HuberLoss(), "the model was"),
    (nn.ReLU(), nn.HuberLoss(delta=2.0), r"the criterion was HuberLoss\(\) and is now HuberLoss\(delta=2.0\)"),
    (nn.ReLU(), nn.MSELoss(), r"the criterion was HuberLoss\(\) and is now MSELoss\(\)"),
    (nn.ReLU(), nn.HuberLoss(), None),
])  # fmt: skip
def test_another_loss_or_activation_is_reported(tmp_path, recwarn, layer, criterion, match):
    def run(layer, criterion, epochs):
        model = nn.Sequential(nn.Linear(3, 4), layer, nn.Linear(4, 1))
        trainer = nl.Trainer(model, criterion, optim.SGD(model.parameters(), lr=0.1))
        trainer.fit(X, Y, epochs=epochs, checkpoint=tmp_path, resume=True, progress=False)

    run(nn.ReLU(), nn.HuberLoss(), 1)
    if match is None:
        run(layer, criterion, 2)
        assert not recwarn.list
    else:
        with pytest.warns(UserWarning, match=match):
            run(layer, criterion, 2)


@pytest.mark.parametrize("make", [
    lambda: lambda a, b: ((a - b) ** 2).mean(), lambda: functools.partial(nn.functional.huber_loss, delta=2.0), lambda: nn.functional.l1_loss,
])  # fmt: skip
def test_a_custom_loss_is_described_the_same_in_each_process(tmp_path, recwarn, make):
    for epochs in (1, 2):
        model = nn.MLP([3, 4, 1])
        trainer = nl.Trainer(model, make(), optim.SGD(model.parameters(), lr=0.1))
        trainer.fit(X, Y, epochs=epochs, checkpoint=tmp_path, resume=True, progress=False)
    assert not recwarn.list
