"""fit(drop_last=True): only full batches, natively, operation by operation, in an own loop and after an interruption."""

from __future__ import annotations

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from nnlite.callbacks import LambdaCallback
from nnlite.data import DataLoader, TensorDataset

X, Y = nl.data.make_moons(65, noise=0.1, seed=1)  # 65 = 2 * 32 + 1


def make(metrics=("accuracy",)) -> nl.Trainer:
    nl.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 2))
    return nl.Trainer(
        model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1, momentum=0.9), metrics, seed=4
    )


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_path_is_the_same(shuffle: bool) -> None:
    options = {"epochs": 3, "shuffle": shuffle, "drop_last": True, "validation_data": (X, Y)}
    native, eager, alone = make(), make(), make(())
    first, second = native.fit(X, Y, **options), eager.fit(X, Y, **options, compile=False)
    alone.fit(X, Y, epochs=3, shuffle=shuffle, drop_last=True)  # several epochs in one native call
    assert first.history == second.history
    assert native.model.fingerprint() == eager.model.fingerprint() == alone.model.fingerprint()


def test_it_matches_an_own_loop() -> None:
    trainer = make()
    history = trainer.fit(X, Y, epochs=2, drop_last=True)
    nl.manual_seed(0)
    twin = make()
    nl.manual_seed(4)  # dropout draws from the trainer's seed
    losses, hits = [], []
    for _ in range(2):
        losses.append([])
        hits.append([])
        loader = DataLoader(TensorDataset(X, Y), 32, shuffle=True, drop_last=True, seed=4)
        loader.epoch = len(losses) - 1
        for x, y in loader:
            twin.optimizer.zero_grad()
            output = twin.model(x)
            loss = twin.criterion(output, y)
            loss.backward()
            twin.optimizer.step()
            losses[-1].append(loss.item())
            hits[-1] += list(output.detach().numpy().argmax(1) == y)
    assert trainer.model.fingerprint() == twin.model.fingerprint()
    assert history["loss"] == [pytest.approx(np.mean(epoch), rel=1e-6) for epoch in losses]
    assert history["accuracy"] == [np.mean(epoch) for epoch in hits]
    assert len(hits[0]) == 64


def test_a_resumed_fit_ends_on_the_same_bits(tmp_path) -> None:
    options = {"epochs": 4, "batch_size": 7, "drop_last": True}
    whole, cut, again = make(), make(), make()
    history = whole.fit(X, Y, **options, callbacks=[LambdaCallback()])

    def stop(epoch, logs) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    options.update(checkpoint=tmp_path, checkpoint_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(X, Y, **options, callbacks=[LambdaCallback(on_epoch_end=stop)])
    resumed = again.fit(X, Y, **options, callbacks=[LambdaCallback()], resume=True)
    assert again.model.fingerprint() == whole.model.fingerprint()
    assert resumed.history == history.history
    with pytest.raises(ValueError, match="drop_last was True and is now False"):
        make().fit(X, Y, **{**options, "drop_last": False}, callbacks=[LambdaCallback()], resume=True)


@pytest.mark.parametrize("compile", [True, False])
def test_without_a_full_batch_there_is_nothing_to_train(compile: bool) -> None:
    trainer = make()
    before = trainer.model.fingerprint()
    with pytest.raises(ValueError, match="leaves no batch: 65 rows do not fill one of batch_size=66"):
        trainer.fit(X, Y, batch_size=66, drop_last=True, compile=compile)
    with pytest.raises(ValueError, match="a last batch of one row with drop_last=True"):
        trainer.fit(X, Y, compile=compile)
    assert (trainer.model.fingerprint(), trainer.epoch) == (before, 0)
    assert len(trainer.fit(X, Y, batch_size=65, drop_last=True, compile=compile)) == 1
