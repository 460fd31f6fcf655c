"""Runs each stage of a model's life while its n-th allocation fails, for every k-th n; prints trials and MemoryErrors."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nnlite as nl
from faults import LARGE_ALLOCATIONS, LIBRARY_ALLOCATIONS, Faults
from nnlite import nn, optim
from nnlite.callbacks import LambdaCallback

ROWS = 300
X = nl.Generator(3).normal((ROWS, 40))
Y = nl.Generator(4).permutation(ROWS) % 10
OPTIONS: dict[str, Any] = {"epochs": 2, "batch_size": 128, "progress": False}


class Scale(nn.Module):
    """Parameters that are broadcast: their gradients are sums of larger ones."""

    def __init__(self) -> None:
        super().__init__()
        self.factor, self.matrix = nn.Parameter(nl.ones(70)), nn.Parameter(nl.ones(7, 7))

    def forward(self, x: nl.Tensor) -> nl.Tensor:
        scaled = x * self.factor
        return (scaled.reshape(-1, 10, 7) @ self.matrix).reshape(-1, 70)


def make_trainer() -> nl.Trainer:
    """A training with everything that could be left half changed: running statistics, random draws, momentum, two groups."""
    nl.manual_seed(5)
    model = nn.Sequential(
        nn.Linear(40, 200), nn.BatchNorm1d(200), nn.ReLU(), nn.Dropout(0.2), nn.Linear(200, 70), nn.Tanh(), Scale(),
        nn.LayerNorm(70), nn.Linear(70, 10),
    )  # fmt: skip
    groups = [{"params": list(model[0].parameters()), "lr": 0.05}, {"params": list(model.parameters())[2:]}]
    return nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(groups, lr=0.1, momentum=0.9), metrics=["accuracy"])


def boundaries() -> list[str]:
    """Fingerprints of the weights at the start and after each batch of an undisturbed fit."""
    trainer = make_trainer()
    found = [trainer.model.fingerprint()]
    note = LambdaCallback(on_batch_end=lambda batch, logs: found.append(trainer.model.fingerprint()))
    trainer.fit(X, Y, callbacks=[note], **OPTIONS)
    return found


BOUNDARIES = boundaries()


class Stage(NamedTuple):
    """`work` on a fresh trainer, and whether it trains; `check` verifies the result."""

    work: Callable[[nl.Trainer], Any]
    check: Callable[[Any], bool]
    trains: bool = False


def own_step(trainer: nl.Trainer) -> Any:
    trainer.optimizer.zero_grad()
    trainer.criterion(trainer.model(X), Y).backward()
    trainer.optimizer.step()
    return True


def stages(folder: Path) -> dict[str, Stage]:
    path = folder / "model"
    trained = make_trainer()
    trained.fit(X, Y, **OPTIONS)
    expected = trained.predict(X)
    nl.save(path, trained.model)

    def load(_: nl.Trainer) -> Any:
        model = make_trainer().model
        model.load_state_dict(nl.load(path))
        return model.fingerprint()

    def predict(_: nl.Trainer) -> Any:
        return trained.predict(X, batch_size=128)

    def predictor(_: nl.Trainer) -> Any:
        return nl.Predictor(trained.model)(X)

    def save(_: nl.Trainer) -> Any:
        nl.save(path, trained.model)
        return nl.load(path)["0.weight"]

    def same(result: Any) -> bool:
        return bool((result == expected).all())

    weight = trained.model.state_dict()["0.weight"]
    return {
        "construct": Stage(lambda _: make_trainer().model.fingerprint(), lambda r: r == BOUNDARIES[0]),
        "fit": Stage(lambda trainer: trainer.fit(X, Y, **OPTIONS), lambda r: len(r) == 2, trains=True),
        "fit, eager": Stage(
            lambda trainer: trainer.fit(X, Y, compile=False, **OPTIONS), lambda r: len(r) == 2, trains=True
        ),
        "fit, clipped": Stage(  # with bounds that are never reached: the same bits by a different path
            lambda trainer: trainer.fit(X, Y, clip_norm=1e9, clip_value=1e9, **OPTIONS),
            lambda r: len(r) == 2,
            trains=True,
        ),
        "own step": Stage(own_step, lambda r: r is True),
        "predict": Stage(predict, same),
        "predictor": Stage(predictor, same),
        "evaluate": Stage(lambda trainer: trainer.evaluate(X, Y), lambda r: "accuracy" in r),
        "save": Stage(save, lambda r: bool((r == weight).all())),
        "load": Stage(load, lambda r: r == trained.model.fingerprint()),
    }


def values_of(trainer: nl.Trainer) -> bytes:
    """The parameters only: your own forward passes move the running statistics."""
    return b"".join(parameter.detach().numpy().tobytes() for parameter in trainer.model.parameters())


def count_of(faults: Faults, stage: Stage, target: int) -> int:
    """The number of allocations in a run without failures."""
    trainer = make_trainer()
    faults.arm(target, 0, 0)
    stage.work(trainer)
    return faults.disarm()


def attempt(faults: Faults, name: str, stage: Stage, target: int, number: int) -> bool:
    """One run with one failure; returns whether it raised MemoryError. The model must stay consistent and usable."""
    trainer = make_trainer()
    before, parameters = trainer.model.fingerprint(), values_of(trainer)
    failed, result = False, None
    faults.arm(target, number, errno.ENOMEM)
    try:
        result = stage.work(trainer)
    except MemoryError:
        failed = True
    finally:
        faults.disarm()
    assert failed or stage.check(result), f"{name}: a wrong result, and no error, with failure {number}"
    after = trainer.model.fingerprint()
    if stage.trains:
        assert after in BOUNDARIES, f"{name}: failure {number} left the weights in the middle of a batch"
        if failed and after == before:
            trainer.fit(X, Y, **OPTIONS)
            assert trainer.model.fingerprint() == BOUNDARIES[-1], f"{name}: a different training after failure {number}"
    elif failed:
        assert values_of(trainer) == parameters, f"{name}: different weights after failure {number}"
        assert stage.check(stage.work(make_trainer())), f"{name}: the next call fails after failure {number}"
    return failed


def main() -> None:
    folder, one_in = Path(sys.argv[1]), int(sys.argv[2])
    faults = Faults()
    faults.watch(Path(nl._core.__file__))
    trials = {}
    for name, stage in stages(folder).items():
        stage.work(make_trainer())  # trigger everything that is imported or built once
        found = []
        for target in (LIBRARY_ALLOCATIONS, LARGE_ALLOCATIONS):
            count = count_of(faults, stage, target)
            found += [attempt(faults, name, stage, target, number) for number in range(1, count + 1, one_in)]
        trials[name] = [len(found), sum(found)]
    print(json.dumps(trials))


if __name__ == "__main__":
    main()
