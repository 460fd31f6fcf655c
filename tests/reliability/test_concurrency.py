"""Many Python threads on one model: the bits of a single thread, a bounded number of threads, and no mixing of two calls."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnlite as nl
from nnlite import nn, optim
from processes import large_trainer, settled_system_threads, system_threads

CALLERS = 32
TEAM = 4


@pytest.fixture(autouse=True)
def _frequent_switches():
    """Python switches threads a hundred times as often, which exposes races sooner."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(before)


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """The result or exception of each job, all started together in separate threads."""
    results: list[Any] = [None] * len(jobs)
    start = threading.Barrier(len(jobs))

    def run(i: int) -> None:
        start.wait()
        try:
            results[i] = jobs[i]()
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def ways_to_predict(trainer: nl.Trainer, x: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    predictor = nl.Predictor(trainer.model)

    def by_model() -> np.ndarray:
        with nl.no_grad():
            return trainer.model(x).numpy()

    return {
        "Trainer.predict": lambda: trainer.predict(x, batch_size=128),
        "Predictor": lambda: predictor(x[:128]),
        "model(x)": by_model,
    }


@pytest.mark.parametrize("way", ["Trainer.predict", "Predictor", "model(x)"])
def test_many_callers_get_serial_bits_and_share_few_threads(way, proof):
    nl.set_num_threads(TEAM)
    trainer, x, _ = large_trainer()
    predict = ways_to_predict(trainer, x)[way]
    expected = predict().tobytes()
    each = proof.trials(300, 3)
    before = settled_system_threads()
    seen = []

    def call() -> int:
        wrong = 0
        for _ in range(each):
            wrong += predict().tobytes() != expected
            seen.append(system_threads())
        return wrong

    wrong = at_once(*[call] * CALLERS)
    assert wrong == [0] * CALLERS, f"predictions of {CALLERS} threads by {way} differ from those of one: {wrong}"
    # Two teams are kept, one is working and one may be ending; the leader of each is a caller.
    bound = before + CALLERS + 4 * (TEAM - 1)
    assert max(seen) <= bound, f"{CALLERS} callers made {max(seen) - before - CALLERS} threads for teams of {TEAM}"
    proof.report(
        f"predictions by {way}, {CALLERS} threads at once",
        each * CALLERS,
        f"at most {max(seen) - before - CALLERS} system threads beside the callers, teams of {TEAM}",
    )


def test_a_predictor_shared_by_threads_that_evict_each_others_programs(proof):
    model = nn.MLP([4, 8, 3])
    predictor, alone = nl.Predictor(model), nl.Predictor(model)
    rows = [
        nl.Generator(size).normal((size, 4)) for size in range(1, 49)
    ]  # three times as many shapes as the cache holds
    expected = [alone(x).tobytes() for x in rows]
    each = proof.trials(3000, 30)

    def call(number: int) -> str | None:
        for i in range(each):
            shape = (7 * number + 5 * i) % len(rows)
            if predictor(rows[shape]).tobytes() != expected[shape]:
                return f"other bits for {shape + 1} rows"
        return None

    results = at_once(*[lambda number=number: call(number) for number in range(CALLERS)])
    assert results == [None] * CALLERS, [repr(result) for result in results if result is not None]
    proof.report(f"predictions of 48 shapes by one Predictor, {CALLERS} threads", each * CALLERS)


def small_trainer() -> nl.Trainer:
    nl.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.Dropout(0.1), nn.ReLU(), nn.Linear(16, 2))
    return nl.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1, momentum=0.9))


def refused(result: Any) -> bool:
    """Whether it is the error of a model in use; any other error fails the test."""
    if isinstance(result, Exception):
        assert isinstance(result, RuntimeError), repr(result)
        assert "in use by another thread" in str(result) or "being trained by another" in str(result), repr(result)
        return True
    return False


X, Y = nl.data.make_moons(2000, noise=0.1, seed=1)


def test_concurrent_fits_of_one_model_are_refused_or_run_in_turn(proof):
    trials = proof.trials(500, 10)
    twin = small_trainer()
    after = [twin.fit(X, Y, progress=False) and twin.model.fingerprint() for _ in range(4)]
    refusals = 0
    for _ in range(trials):
        trainer = small_trainer()
        results = at_once(*[lambda trainer=trainer: trainer.fit(X, Y, progress=False)] * 4)
        done = sum(not refused(result) for result in results)
        assert done > 0, "none of four concurrent fits ran"
        assert trainer.model.fingerprint() == after[done - 1], f"{done} concurrent fits gave other bits than one by one"
        refusals += 4 - done
    assert refusals > 0 or trials < 100, "no two fits met: this proves nothing"  # a few trials may all miss
    proof.report("4 fits at once on one model", trials, f"{refusals:,} refused, the others one after another")


def test_predictions_during_a_fit_are_refused_or_consistent(proof):
    trials = proof.trials(500, 10)
    twin = small_trainer()
    predictor = nl.Predictor(twin.model)
    whole = [twin.predict(X).tobytes()]
    assert predictor(X[:300]).tobytes() == whole[0][: 300 * 2 * 4], "a Predictor has other bits than Trainer.predict"
    twin.fit(X, Y, epochs=3, progress=False)
    trained = twin.model.fingerprint()
    whole.append(twin.predict(X).tobytes())
    refusals = 0
    for _ in range(trials):
        trainer = small_trainer()
        made_before = nl.Predictor(trainer.model)
        results = at_once(
            lambda trainer=trainer: trainer.fit(X, Y, epochs=3, progress=False),
            *[lambda trainer=trainer: trainer.predict(X).tobytes()] * 4,
            lambda made_before=made_before: made_before(X[:300]).tobytes(),
        )
        fitted, *predicted, frozen = results
        fit_was_refused = refused(fitted)
        for result in predicted:
            if refused(result):
                refusals += 1
            else:
                assert result in whole, "a prediction during a fit used half-trained weights"
        assert frozen == whole[0][: 300 * 2 * 4], "a Predictor made before a fit changed its weights"
        expected = small_trainer().model.fingerprint() if fit_was_refused else trained
        assert trainer.model.fingerprint() == expected, "predictions changed the bits of a fit"
    assert refusals > 0 or trials < 100, "no prediction met the fit: this proves nothing"  # a few trials may all miss
    proof.report("4 predictions beside a fit on one model", trials, f"{refusals:,} refused")
