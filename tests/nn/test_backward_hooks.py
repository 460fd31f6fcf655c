"""Hooks of the backward pass: the same program with PyTorch and with nnlite."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_hooks import NN, TORCH, X, fixed, shown

import nnlite as nl
from nnlite import nn, optim


def run(lib: Any, model: Any, requires_grad: bool = True) -> Any:
    x = lib.tensor(X, requires_grad=requires_grad)
    (model(x) ** 2).sum().backward()
    return x.grad, [p.grad for p in model.parameters()]


def observes(lib: Any) -> Any:
    model, seen = fixed(lib), []
    model[1].register_full_backward_hook(lambda m, gi, go: seen.append((type(m).__name__, shown(gi), shown(go))))
    model[2].register_full_backward_hook(lambda m, gi, go: seen.append((type(m).__name__, shown(gi), shown(go))))
    return run(lib, model), seen


def observes_without_an_input_gradient(lib: Any) -> Any:
    model, seen = fixed(lib), []
    model[0].register_full_backward_hook(lambda m, gi, go: seen.append((shown(gi), shown(go))))
    return run(lib, model, False), seen


def replaces(lib: Any) -> Any:
    model = fixed(lib)
    model[1].register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    model[1].register_full_backward_hook(lambda m, gi, go: (gi[0] + 1,))
    model[2].register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
    return run(lib, model)


def orders_and_removes(lib: Any) -> Any:
    model, seen = fixed(lib), []
    for name, options in [("a", {}), ("b", {}), ("c", {"prepend": True})]:
        model[1].register_full_backward_hook(lambda *_, name=name: seen.append(name), **options)
    handle = model[1].register_full_backward_hook(lambda *_: seen.append("once"))
    run(lib, model)
    handle.remove()
    run(lib, model)
    return seen


def takes_two_inputs(lib: Any) -> Any:
    seen = []

    class Both(lib.nn.Module):
        def forward(self, a: Any, scale: float, b: Any) -> Any:
            return a * scale * b + a

    model = Both()
    model.register_full_backward_hook(lambda m, gi, go: seen.append((shown(gi), shown(go))))
    a, b = lib.tensor(X, requires_grad=True), lib.tensor(X + 1, requires_grad=True)
    model(a, 3.0, b).sum().backward()
    return a.grad, b.grad, seen


def runs_twice_over_one_tape(lib: Any) -> Any:
    model, seen = fixed(lib), []
    model[1].register_full_backward_hook(lambda m, gi, go: seen.append(shown(go)))
    loss = (model(lib.tensor(X, requires_grad=True)) ** 2).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    return seen


def raises(lib: Any) -> Any:
    model = fixed(lib)

    def fails(m: Any, gi: Any, go: Any) -> None:
        raise KeyError("from the hook")

    handle = model[1].register_full_backward_hook(fails)
    with pytest.raises(KeyError, match="from the hook"):
        run(lib, model)
    handle.remove()
    model.zero_grad()
    return run(lib, model)


def is_silent_without_gradients(lib: Any) -> Any:
    model, seen = fixed(lib), []
    model[1].register_full_backward_hook(lambda *_: seen.append(1))
    with (nl if lib is NN else __import__("torch")).no_grad():
        return model(lib.tensor(X)), seen


PROGRAMS = [
    observes, observes_without_an_input_gradient, replaces, orders_and_removes, takes_two_inputs, runs_twice_over_one_tape,
    raises, is_silent_without_gradients,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_program_does_the_same_with_both_libraries(program: Callable[[Any], Any]) -> None:
    assert_same(shown(program(NN)), shown(program(TORCH)))


def assert_same(ours: Any, theirs: Any) -> None:
    """One structure; numbers to float32's precision."""
    if isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b)
    else:
        assert ours == (pytest.approx(theirs, rel=1e-5, abs=2e-4) if isinstance(theirs, float) else theirs)


def watched() -> tuple[nn.Module, list[Any]]:
    model, seen = fixed(NN), []
    model[1].register_full_backward_hook(lambda m, gi, go: seen.append(go[0].numpy().copy()))
    return model, seen


def test_a_captured_step_is_refused() -> None:
    model, seen = watched()
    trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(nl.CaptureError, match="backward hooks; pass compile=False"):
        trainer.fit(X, np.ones((4, 2), np.float32), progress=False)
    trainer.fit(X, np.ones((4, 2), np.float32), compile=False, progress=False)
    assert len(seen) == 1
    assert nl.Predictor(model)(X).shape == (4, 2)


def test_gradients_of_another_shape_are_refused() -> None:
    model = fixed(NN)
    model[1].register_full_backward_hook(lambda m, gi, go: (nl.zeros(2),))
    with pytest.raises(ValueError, match=r"shape \(2,\).* instead of shape \(4, 4\)"):
        run(NN, model)


def test_what_cannot_be_replaced_or_watched_is_refused() -> None:
    both = nn.Bilinear(3, 3, 1)
    both.register_full_backward_hook(lambda m, gi, go: gi)
    x = nl.tensor(X, requires_grad=True)
    with pytest.raises(RuntimeError, match="several inputs"):
        both(x, x * 2).sum().backward()

    class Pair(nn.Module):
        def forward(self, x: Any) -> Any:
            return x, x

    pair = Pair()
    pair.register_full_backward_hook(lambda *_: None)
    with pytest.raises(RuntimeError, match="one tensor, got tuple"):
        pair(x)


def test_hooks_run_operations_and_other_backward_passes() -> None:
    """Large ones too, which let Python's lock go."""
    model, found = fixed(NN), []
    large = nl.tensor(np.ones((300, 300), np.float32), requires_grad=True)

    def nested(m: Any, gi: Any, go: Any) -> None:
        with nl.enable_grad():  # hooks run unrecorded, as in PyTorch
            (large @ large).sum().backward()
        found.append(float(large.grad.numpy()[0, 0]))

    model[1].register_full_backward_hook(nested)
    run(NN, model)
    assert found == [600.0]


def test_threads_and_forgotten_tapes() -> None:
    """Tapes with hooks and without, at once; one never run backward lets its hook go."""
    wrong: list[str] = []

    def train(hooks: bool) -> None:
        model = watched()[0] if hooks else fixed(NN)
        expected = None
        for _ in range(50):
            model.zero_grad()
            gradient = shown(run(NN, model))
            expected = expected or gradient
            if gradient != expected:
                wrong.append("another gradient")

    threads = [threading.Thread(target=train, args=(i % 2 == 0,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    model, _ = watched()
    output = model(nl.tensor(X, requires_grad=True))
    gone = weakref.ref(model[1])
    del model
    gc.collect()
    assert gone() is not None, "the tape keeps the module that the hook is given"
    del output
    gc.collect()
    assert gone() is None
