"""Random models and losses: a captured fit, compile=False and an own loop end with the same bits, or capture refuses."""

from __future__ import annotations

import copy

import numpy as np

import nnlite as nl
from random_models import ROWS, Program


def plain_state(program: Program) -> str:
    model = program.model
    return repr((model.fingerprint(), model.calls, sorted(model.kept), model.rng.bit_generator.state))


def outcome(program: Program, **options: bool) -> object:
    """The hash of a fit, or where it diverged."""
    try:
        return program.fit(**options)
    except nl.DivergenceError as error:
        return error.epoch, error.batch, program.model.fingerprint()
    except RuntimeError as error:  # the backward pass needs a running statistic that has changed
        if isinstance(error, nl.CaptureError):
            raise
        # How often a native step counts a change that it refuses does not matter.
        return str(error).split(" is at version")[0], program.model.fingerprint()


def try_one(number: int) -> bool:
    """Whether the model could be captured."""
    captured, python, by_hand = Program(number), Program(number), Program(number)
    before = plain_state(captured)
    expected = outcome(python, compile=False)
    if isinstance(expected, str):  # an own loop would continue after a divergence
        assert by_hand.own_loop() == expected, f"program {number}: compile=False against the own loop"
    try:
        found = outcome(captured)
    except nl.CaptureError as error:
        assert "compile=False" in str(error), f"program {number}: {error}"
        assert plain_state(captured) == before, f"program {number} was refused but changed"
        return False
    assert found == expected, f"program {number}: captured against compile=False"
    compare_predictions(number, captured, python)
    return True


def compare_predictions(number: int, captured: Program, python: Program) -> None:
    model = copy.deepcopy(captured.model).eval()  # a pass may change Python state
    with nl.no_grad():
        expected = model(captured.x).numpy()
    found = captured.trainer.predict(captured.x, batch_size=ROWS)
    np.testing.assert_array_equal(found, expected, f"program {number}: predict against the model")
    evaluated = [p.trainer.evaluate(p.x, p.y, batch_size=ROWS) for p in (captured, python)]
    assert repr(evaluated[0]) == repr(evaluated[1]), (
        f"program {number}: evaluate after a captured fit and after compile=False"
    )


def test_random_models(proof):
    trials = proof.trials(2000, 50)
    captured = sum(try_one(number) for number in range(trials))
    assert captured > trials // 2
    assert captured < trials, "no program contained code that capture must refuse"
    proof.report(
        "random models: captured, compile=False and a loop by hand end on one hash", trials, f"{captured} captured"
    )
