"""A captured step matches compile=False bit for bit, or raises CaptureError and leaves the model unchanged."""

from __future__ import annotations

import copy
import functools
import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from captures import TwoLayers, X, Y, trained, trainer_of

import nnlite as nl
from nnlite import nn
from nnlite.nn import functional as F


class DetachedMiddle(TwoLayers):
    def forward(self, x):
        return self.b(self.a(x).detach())


class DetachedTwice(TwoLayers):
    def forward(self, x):
        hidden = self.a(x).tanh()
        return self.b(hidden * (hidden.detach() + 1).detach()) - hidden.detach().mean(1, keepdim=True)


class DetachedOutput(TwoLayers):
    def forward(self, x):
        return self.b(self.a(x)) * 0 + self.a(x).detach().sum(1, keepdim=True)


class WithoutGradient(TwoLayers):
    def forward(self, x):
        with nl.no_grad():
            hidden = self.a(x).tanh()
        return self.b(hidden)


class NewLeaf(TwoLayers):
    def forward(self, x):
        with nl.no_grad():
            hidden = self.a(x)
        return self.b(hidden.detach().requires_grad_() * 2)


class UnusedStatistics(TwoLayers):
    """Batch normalisation used only for its running statistics, and dropout used only for its draw."""

    def forward(self, x):
        hidden = self.a(x)
        self.norm(hidden.detach())
        F.dropout(hidden, 0.5)
        return self.b(F.dropout(hidden, 0.1, self.training))


class ReadsStatistics(TwoLayers):
    def forward(self, x):
        return self.b(self.norm(self.a(x)) + self.norm.running_mean * 2)


class Tied(TwoLayers):
    def forward(self, x):
        return self.b(self.a(x).tanh()) + self.b(self.a(x * 2)) * self.b.weight.detach().sum()


class RowsOfParameters(TwoLayers):
    def forward(self, x):
        return self.b(self.a(x)) * self.a.weight[0].sum() + self.a.bias[1:3].mean()


KINDS = [
    DetachedMiddle, DetachedTwice, DetachedOutput, WithoutGradient, NewLeaf, UnusedStatistics, ReadsStatistics, Tied, RowsOfParameters,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_captured_steps_have_the_bits_of_eager_steps(kind):
    assert trained(kind, None, True) == trained(kind, None, False)


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_run_everything_they_need(kind):
    model = kind().eval()
    with nl.no_grad():
        expected = model(X).numpy()
    trainer = trainer_of(model)
    np.testing.assert_array_equal(trainer.predict(X), expected)
    if kind not in (UnusedStatistics,):  # draws a new dropout mask
        np.testing.assert_array_equal(nl.Predictor(model)(X), expected)


class ReadsBeforeItMoves(TwoLayers):
    def forward(self, x):
        hidden = self.a(x) * self.norm.running_var
        return self.b(self.norm(hidden))


def test_a_running_statistic_needed_by_the_backward_pass_must_not_change_first():
    messages = []
    for compile in (True, False):
        nl.manual_seed(0)
        model = ReadsBeforeItMoves()
        before = model.fingerprint()
        with pytest.raises(RuntimeError, match=r"inplace operation: \[mul\] needs its input 1") as caught:
            trainer_of(model).fit(X, Y, compile=compile, progress=False)
        assert model.fingerprint() == before
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_a_detached_weight_in_the_loss_is_read_before_it_is_updated():
    prints = []
    for compile in (True, False):
        nl.manual_seed(0)
        model = TwoLayers()
        view = model.a.weight.detach()  # the same memory, taken before the step

        def criterion(output, target, weight=model.a.weight, view=view):
            penalty = ((weight.detach() * weight.detach()).sum() + view.sum()) * output.mean()
            return F.mse_loss(output, target) + 0.01 * penalty

        trainer = trainer_of(model, criterion)
        trainer.fit(X, Y, epochs=2, compile=compile, progress=False)
        prints.append(model.fingerprint())
    assert prints[0] == prints[1]


# Tensors that Python keeps from a captured pass


class LazyCache(TwoLayers):
    def forward(self, x):
        if self.kept is None:
            self.kept = (self.a.weight * 2).sum()
        return self.b(self.a(x)) * self.kept


class LazyCacheInAList(TwoLayers):
    def __init__(self) -> None:
        super().__init__()
        self.store: list[Any] = []

    def forward(self, x):
        if not self.store:
            self.store.append(self.a.weight.sum())
        return self.b(self.a(x)) * self.store[0]


@pytest.mark.parametrize("kind", [LazyCache, LazyCacheInAList])
def test_a_cache_filled_while_capturing_does_not_poison_the_model(kind):
    model = kind()
    trainer = trainer_of(model)
    np.testing.assert_array_equal(trainer.predict(X), model.eval()(X).detach().numpy())
    fresh = kind()
    before = fresh.fingerprint()
    with pytest.raises(nl.CaptureError, match="compile=False"):
        trainer_of(fresh).fit(X, Y, progress=False)
    assert fresh.fingerprint() == before
    assert fresh.kept is None
    assert not getattr(fresh, "store", [])
    assert np.isfinite(fresh(X).detach().numpy()).all()


class Keeping(TwoLayers):
    def forward(self, x):
        self.kept = self.a(x)
        return self.b(self.kept)


READS: list[Callable[[Any], Any]] = [
    lambda t: t.detach().numpy(), lambda t: t.tolist(), lambda t: t + 1, lambda t: t.sum().item(), lambda t: t > 0,
    lambda t: t[0], lambda t: t.backward(np.ones(t.shape, np.float32)), lambda t: nl.tensor(np.zeros(t.shape)).copy_(t), lambda t: np.asarray(t.detach()),
    lambda t: t.detach().zero_(), lambda t: nl.tensor(t), lambda t: t.argmax(1), lambda t: nl.Predictor(nn.Linear(4, 1))(t),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(READS)))
def test_tensors_kept_from_a_captured_pass_cannot_be_read(number):
    model = Keeping()
    trainer_of(model).fit(X, Y, progress=False)
    with pytest.raises(nl.CaptureError, match="outside that pass"):
        READS[number](model.kept)


def test_a_model_that_keeps_its_outputs_can_be_copied_saved_and_frozen():
    model = Keeping()
    trainer_of(model).fit(X, Y, progress=False)
    for same in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert same.fingerprint() == model.fingerprint()
        with pytest.raises(nl.CaptureError):
            same.kept.detach().numpy()
    np.testing.assert_array_equal(nl.Predictor(model)(X), trainer_of(model).predict(X))
    model(X)
    assert model.kept.detach().numpy().shape == (600, 4)


def test_a_logged_part_of_the_loss_cannot_be_read():
    parts = []

    def criterion(output, target):
        parts[:] = [F.mse_loss(output, target)]
        return parts[0] + output.mean() * 0.1

    trainer_of(TwoLayers(), criterion).fit(X, Y, progress=False)
    with pytest.raises(nl.CaptureError):
        parts[0].item()


def test_another_thread_cannot_compute_with_a_traced_tensor():
    class Threaded(TwoLayers):
        def forward(self, x):
            results: list[Any] = []

            def work() -> None:
                try:
                    results.append(self.a(x))
                except Exception as error:
                    results.append(error)

            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            if isinstance(results[0], Exception):
                raise results[0]
            return self.b(results[0])

    with pytest.raises(nl.CaptureError, match="outside that pass"):
        trainer_of(Threaded()).fit(X, Y, progress=False)


@pytest.mark.parametrize(
    "read", [lambda h: h.mean().item(), lambda h: bool((h > 0).any()), lambda h: np.exp(h.detach())]
)
def test_a_capture_error_caught_by_forward_still_counts(read):
    class Catching(TwoLayers):
        def forward(self, x):
            hidden = self.a(x)
            try:
                read(hidden)
                return self.b(hidden)
            except RuntimeError:
                return self.b(hidden * 2)

    with pytest.raises(nl.CaptureError, match="reads the value"):
        trainer_of(Catching()).fit(X, Y, progress=False)
    model = Catching().eval()
    np.testing.assert_array_equal(trainer_of(model).predict(X), nl.Predictor(model)(X))
    np.testing.assert_array_equal(trainer_of(model).predict(X), model(X).detach().numpy())


def test_a_model_that_predicts_with_another_trainer_is_refused():
    teacher = TwoLayers()
    trainer = trainer_of(teacher)

    class Student(TwoLayers):
        def forward(self, x):
            return self.b(self.a(x)) + nl.tensor(trainer.predict(X[: len(x)], batch_size=10))

    with pytest.raises(nl.CaptureError, match="compile=False"):
        trainer_of(Student()).fit(X, Y, progress=False)
    trainer_of(Student()).fit(X, Y, compile=False, progress=False)


@functools.lru_cache
def positions(count: int) -> Any:
    return (nl.arange(count).float() / count).reshape(count, 1)


def test_a_refused_pass_leaves_nothing_in_a_cached_function():
    class Positioned(TwoLayers):
        def forward(self, x):
            return super().forward(x) + positions(len(x))

    model = Positioned()
    with pytest.raises(nl.CaptureError, match="outside that pass"):
        trainer_of(model).fit(X, Y, progress=False)
    trainer_of(model).fit(X, Y, compile=False, progress=False)
    assert np.isfinite(positions(32).numpy()).all()


def reading(array: Any) -> Callable[..., Any]:
    return lambda output, target: F.mse_loss(output, target) * (1 + float((array**2).sum()))


def clipping(array: Any) -> Callable[..., Any]:
    def criterion(output, target):
        array.clip(-0.1, 0.1, out=array)
        return F.mse_loss(output, target)

    return criterion


@pytest.mark.parametrize("make", [reading, clipping])
def test_an_array_in_the_memory_of_a_trained_parameter_is_refused(make):
    model = TwoLayers()
    criterion = make(model.b.weight.detach().numpy())
    with pytest.raises(nl.CaptureError, match=r"array is a NumPy array .* copy\(\)"):
        trainer_of(model, criterion).fit(X, Y, progress=False)
    trainer_of(model, criterion).fit(X, Y, compile=False, progress=False)


def test_an_array_in_the_memory_of_a_frozen_parameter_is_read():
    prints = []
    for compile in (True, False):
        nl.manual_seed(0)
        model = TwoLayers()
        model.a.requires_grad_(False)
        criterion = reading(model.a.weight.detach().numpy())
        trainer_of(model, criterion).fit(X, Y, compile=compile, progress=False)
        prints.append(model.fingerprint())
    assert prints[0] == prints[1]


# Models that run operation by operation


class OneBuffer(TwoLayers):
    """Returns the same memory for every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("out", nl.zeros(100, 1))

    def forward(self, x):
        self.out.copy_(super().forward(x).detach())
        return self.out


def test_predictions_of_several_batches_are_copies():
    model = OneBuffer().eval()
    trainer = trainer_of(model)
    expected = np.concatenate([model(X[i : i + 100]).numpy().copy() for i in range(0, 600, 100)])
    np.testing.assert_array_equal(trainer.predict(X, batch_size=100), expected)
    assert trainer.evaluate(X, Y, batch_size=100)["loss"] == F.mse_loss(nl.tensor(expected), Y).item()


class ReadsValues(TwoLayers):
    def forward(self, x):
        x = x if x.mean(1, keepdim=True).sum().item() > 0 else x * 2
        return x.unsqueeze(1).transpose(1, 2).reshape(-1, 3)


class GivesItsBuffer(TwoLayers):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", nl.ones(600, 3))

    def forward(self, x):
        return x if x.sum().item() < -1e9 else self.table[: len(x)]


@pytest.mark.parametrize("kind", [ReadsValues, GivesItsBuffer])
def test_a_predictor_of_a_model_that_reads_values_passes_tensors_and_returns_copies(kind):
    model = kind().eval()
    expected = model(nl.tensor(X[:100])).numpy().copy()
    predictor = nl.Predictor(model)
    first = predictor(X[:100])
    np.testing.assert_array_equal(first, expected)
    first[...] = -7
    np.testing.assert_array_equal(predictor(X[:100]), expected)
