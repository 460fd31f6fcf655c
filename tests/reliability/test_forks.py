"""A child process trains like its parent, whatever the parent's threads did before or during the fork."""

from __future__ import annotations

import json
import multiprocessing
import os
import select
import signal
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager

import numpy as np
import pytest

import nnlite as nl
from processes import in_fresh_interpreter, large_trainer, settled_system_threads, system_threads, train_large

SECONDS = 5.0  # limit for a child's training
SHARES = {"os.fork": (200, 3), "fork": (150, 2), "forkserver": (50, 1), "spawn": (50, 1), "joblib": (50, 2)}


def train_in_child(_: object = None) -> tuple[str, float, int]:
    """(fingerprint, seconds, system threads created for it)."""
    nl.set_num_threads(2)
    before, start = settled_system_threads(), time.perf_counter()
    fingerprint = train_large()
    return fingerprint, time.perf_counter() - start, system_threads() - before


def in_forked_child(work: Callable[[], object]) -> object:
    """The result of `work` in a child; AssertionError if it does not arrive in time."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    try:
        answered = bool(select.select([reading], [], [], 2 * SECONDS)[0])
        if not answered:
            os.kill(child, signal.SIGKILL)
        assert answered, "a forked child hangs"
        answer = os.read(reading, 1 << 16)
    finally:
        os.close(reading)
        os.waitpid(child, 0)
    assert answer, "a forked child died of an exception"
    return json.loads(answer)


def in_child_of_multiprocessing(method: str) -> object:
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.apply_async(train_in_child).get(60)


def in_worker_of_joblib() -> object:
    from joblib import Parallel, delayed

    return Parallel(n_jobs=2, timeout=60)(delayed(train_in_child)() for _ in range(1))[0]


def make_children(kind: str, trials: int) -> float:
    """The longest training time of a child."""
    warnings.simplefilter("ignore")  # later Pythons warn about every fork with other threads, which is what this tests
    nl.set_num_threads(2)
    make = {"os.fork": lambda: in_forked_child(train_in_child), "joblib": in_worker_of_joblib}.get(
        kind, lambda: in_child_of_multiprocessing(kind)
    )
    before = settled_system_threads()
    expected = train_large()
    assert system_threads() > before, "the parent's team has no extra thread: this would prove nothing"
    longest = 0.0
    for _ in range(trials):
        fingerprint, seconds, threads = make()
        assert fingerprint == expected, f"a child made by {kind} has other bits"
        assert seconds < SECONDS, f"a child made by {kind} trained for {seconds:.1f} s"
        # A joblib worker and its team survive from trial to trial.
        assert threads == 1 or kind == "joblib", f"a child made by {kind} created {threads} threads for a team of 2"
        longest = max(longest, seconds)
        assert train_large() == expected, f"the parent has other bits after making a child by {kind}"
    return longest


@pytest.mark.parametrize("kind", SHARES)
def test_a_child_of_a_parent_that_trained_on_many_threads_trains_alike(kind, proof):
    if kind == "joblib":
        pytest.importorskip("joblib")
    trials = proof.trials(*SHARES[kind])
    longest = in_fresh_interpreter(make_children, kind, trials)
    proof.report(f"children by {kind} of a threaded parent", trials, f"trained in at most {longest:.2f} s")


@contextmanager
def busy_threads(*jobs: Callable[[], object]):
    """Threads that repeat these jobs."""
    stop = threading.Event()

    def repeat(job: Callable[[], object]) -> None:
        while not stop.is_set():
            job()

    threads = [threading.Thread(target=repeat, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def fork_beside_busy_threads(trials: int) -> float:
    """The longest time of a child that trains, and predicts with objects that the parent's threads were using."""
    warnings.simplefilter("ignore")
    nl.set_num_threads(2)
    rng = np.random.default_rng(0)
    trainer, x, _ = large_trainer()
    other, *rows = large_trainer()
    rows = [np.concatenate([array] * 4) for array in rows]
    predictor = nl.Predictor(trainer.model)
    expected = train_large()
    outputs = trainer.predict(np.concatenate([x, x]), batch_size=256)[:256].tobytes()

    def work() -> tuple[str, float, bool]:
        start = time.perf_counter()
        same = all(
            result.tobytes() == outputs
            for result in (
                trainer.predict(np.concatenate([x, x]), batch_size=256)[:256],
                np.concatenate([predictor(x[:128]), predictor(x[128:])]),
            )
        )
        other.fit(*rows, batch_size=256, progress=False)  # the model that the parent fits meanwhile is not used here
        nl.manual_seed(0)
        return train_large(), time.perf_counter() - start, same

    jobs = (
        lambda: trainer.predict(np.concatenate([x, x]), batch_size=256),
        lambda: predictor(x[:128]),
        lambda: other.fit(*rows, batch_size=256, progress=False),
        lambda: nl.manual_seed(0),
    )
    longest = 0.0
    with busy_threads(*jobs):
        for _ in range(trials):
            time.sleep(rng.uniform(0, 0.01))
            fingerprint, seconds, same = in_forked_child(work)
            assert fingerprint == expected, "a child forked while threads worked trained to other bits"
            assert same, "a child forked while threads worked predicted other bits"
            longest = max(longest, seconds)
    return longest


def test_a_fork_while_other_threads_train_and_predict(proof):
    trials = proof.trials(500, 8)
    longest = in_fresh_interpreter(fork_beside_busy_threads, trials)
    assert longest < SECONDS, f"a child forked while threads worked took {longest:.1f} s"
    proof.report("forks while other threads train and predict", trials, f"child done in at most {longest:.2f} s")
