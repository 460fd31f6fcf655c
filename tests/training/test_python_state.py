"""Python code that a captured step cannot repeat is refused, and its changes are undone."""

from __future__ import annotations

import copy
import itertools
import random
import types
from typing import Any

import captures
import numpy as np
import pytest
from captures import TwoLayers, X, Y, trained, trainer_of

import nnlite as nl
from nnlite import nn, optim
from nnlite.nn import functional as F


class Counter(TwoLayers):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) if self.calls < 30 else super().forward(x) * 0.5


class ClassCounter(TwoLayers):
    calls = 0

    def forward(self, x):
        ClassCounter.calls += 1
        return super().forward(x) if ClassCounter.calls < 30 else super().forward(x) * 0.5


class GrowingList(TwoLayers):
    def __init__(self) -> None:
        super().__init__()
        self.log: list[int] = []

    def forward(self, x):
        self.log.append(len(x))
        return super().forward(x) * (1.0 if len(self.log) < 30 else 0.5)


class ArrayCounter(TwoLayers):
    def __init__(self) -> None:
        super().__init__()
        self.calls = np.zeros(1, int)

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * (1.0 if self.calls[0] < 30 else 0.5)


class BufferAverage(TwoLayers):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("average", nl.tensor([0.0]))

    def forward(self, x):
        hidden = self.a(x)
        self.average = hidden.detach().mean().reshape(1)
        return self.b(hidden)


class ConfiguresAnother(TwoLayers):
    """Even a value that the step does not use must not be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.1)

    def forward(self, x):
        self.dropout.p = min(0.5, self.dropout.p + 1e-9)
        return self.b(self.dropout(self.a(x)))


class Drawing(TwoLayers):
    def __init__(self) -> None:
        super().__init__()
        self.rng = np.random.default_rng(3)

    def forward(self, x):
        return super().forward(x) * float(self.rng.uniform() > 0.001)


class DrawingFromPython(TwoLayers):
    def forward(self, x):
        return super().forward(x) if random.random() < 0.999 else super().forward(x) * 2


class DrawingFromNumPy(TwoLayers):
    def forward(self, x):
        return super().forward(x) * float(np.random.uniform() > 0.001)  # noqa: NPY002


class Slotted:
    __slots__ = ("calls",)

    def __init__(self) -> None:
        self.calls = 0


class SlotCounter(TwoLayers):
    def __init__(self) -> None:
        super().__init__()
        self.slotted = Slotted()

    def forward(self, x):
        self.slotted.calls += 1
        return super().forward(x) * (1.0 if self.slotted.calls < 30 else 0.5)


class BufferCounter(TwoLayers):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", nl.tensor([0.0]))
        self.array = self.calls.numpy()

    def forward(self, x):
        self.array[0] += 1
        return super().forward(x) / self.calls


class IteratorCounter(TwoLayers):
    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count()

    def forward(self, x):
        return super().forward(x) * (1.0 if next(self.numbers) < 30 else 0.5)


class GeneratorCounter(IteratorCounter):
    def __init__(self) -> None:
        super().__init__()
        self.numbers = (number for number in itertools.count())


class ModuleCounter(TwoLayers):
    def forward(self, x):
        captures.CALLS += 1
        return super().forward(x) * (1.0 if captures.CALLS < 30 else 0.5)


class StaticCounter(TwoLayers):
    @staticmethod
    def scale() -> float:
        captures.CALLS += 1
        return 1.0 if captures.CALLS < 30 else 0.5

    def forward(self, x):
        return super().forward(x) * self.scale()


class ClassMethodCounter(TwoLayers):
    @classmethod
    def scale(cls) -> float:
        captures.CALLS += 1
        return 1.0 if captures.CALLS < 30 else 0.5

    def forward(self, x):
        return super().forward(x) * self.scale()


class PropertyCounter(TwoLayers):
    @property
    def scale(self) -> float:
        captures.CALLS += 1
        return 1.0 if captures.CALLS < 30 else 0.5

    def forward(self, x):
        return super().forward(x) * self.scale


class NamespaceCounter(TwoLayers):
    def __init__(self) -> None:
        super().__init__()
        self.slotted = types.SimpleNamespace(calls=0)

    def forward(self, x):
        self.slotted.calls += 1
        return super().forward(x) * (1.0 if self.slotted.calls < 30 else 0.5)


class ByteCounter(TwoLayers):
    def __init__(self) -> None:
        super().__init__()
        self.bytes = bytearray(1)

    def forward(self, x):
        self.bytes[0] += 1
        return super().forward(x) * (1.0 if self.bytes[0] < 30 else 0.5)


class AppendingByName(TwoLayers):
    def __init__(self) -> None:
        super().__init__()
        calls: list[int] = []
        self.note, self.count = calls.append, calls.__len__

    def forward(self, x):
        self.note(len(x))
        return super().forward(x) * (1.0 if self.count() < 30 else 0.5)


class LocalImport(TwoLayers):
    def forward(self, x):
        import captures as states

        states.CALLS += 1
        return super().forward(x) * (1.0 if states.CALLS < 30 else 0.5)


class LocalDrawing(TwoLayers):
    def forward(self, x):
        from random import shuffle

        shuffle([1, 2, 3])
        return super().forward(x)


class Thawing(TwoLayers):
    def forward(self, x):
        self.a.weight.requires_grad_(not self.a.weight.requires_grad)
        return super().forward(x)


class SettingGradients(TwoLayers):
    def forward(self, x):
        self.a.bias.grad = nl.ones(4)
        return super().forward(x)


@pytest.mark.parametrize("kind", [IteratorCounter, GeneratorCounter])
def test_an_iterator_that_advances_is_refused(kind):
    with pytest.raises(nl.CaptureError, match=r"changes .*numbers"):
        trainer_of(kind()).fit(X, Y, progress=False)


CHANGING = [
    Counter, SlotCounter, BufferCounter, ModuleCounter, ClassCounter, GrowingList, ArrayCounter, BufferAverage, ConfiguresAnother, Drawing, DrawingFromPython, DrawingFromNumPy,
    StaticCounter, ClassMethodCounter, PropertyCounter, NamespaceCounter, ByteCounter, AppendingByName, LocalImport, LocalDrawing,
    Thawing, SettingGradients,
]  # fmt: skip


def python_state_of(model: nn.Module) -> Any:
    rng = getattr(model, "rng", None)
    plain = {k: copy.copy(v) for k, v in vars(model).items() if isinstance(v, int | list | np.ndarray | bytearray)}
    plain["trained"] = [parameter.requires_grad for parameter in model.parameters()]
    state = None if rng is None else rng.bit_generator.state
    slotted = getattr(getattr(model, "slotted", None), "calls", 0)
    return repr((plain, slotted, captures.CALLS, ClassCounter.calls, state, random.getstate(), np.random.get_state()))  # noqa: NPY002


@pytest.mark.parametrize("kind", CHANGING)
def test_code_that_changes_at_every_call_is_refused_and_undone(kind):
    model = kind()
    before, bits = python_state_of(model), model.fingerprint()
    with pytest.raises(nl.CaptureError, match="compile=False"):
        trainer_of(model).fit(X, Y, progress=False)
    assert python_state_of(model) == before
    assert model.fingerprint() == bits
    trainer_of(model).fit(X, Y, compile=False, progress=False)
    assert trainer_of(model).predict(X).shape == (600, 1)


def test_a_fallback_to_python_draws_the_same_numbers():
    model = Drawing().eval()
    same = copy.deepcopy(model)
    outputs = [trainer_of(m).predict(X, batch_size=100) for m in (model,)]
    with nl.no_grad():
        expected = np.concatenate([same(X[i : i + 100]).numpy() for i in range(0, 600, 100)])
    np.testing.assert_array_equal(outputs[0], expected)
    assert model.rng.bit_generator.state == same.rng.bit_generator.state


def _counting_closure() -> Any:
    calls = 0

    def criterion(output, target):
        nonlocal calls
        calls += 1
        return F.mse_loss(output, target) * (1.0 if calls < 30 else 0.5)

    return criterion


def _counting_default() -> Any:
    def criterion(output, target, calls=[0]):  # noqa: B006
        calls[0] += 1
        return F.mse_loss(output, target) * (1.0 if calls[0] < 30 else 0.5)

    return criterion


def _counting_attribute() -> Any:
    def criterion(output, target):
        criterion.calls = getattr(criterion, "calls", 0) + 1  # type: ignore[attr-defined]
        return F.mse_loss(output, target) * (1.0 if criterion.calls < 30 else 0.5)  # type: ignore[attr-defined]

    return criterion


CALLS = {"all": 0}


def _counting_global() -> Any:
    def criterion(output, target):
        CALLS["all"] += 1
        return F.mse_loss(output, target) * (1.0 if CALLS["all"] < 30 else 0.5)

    return criterion


class CountingLoss:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, output, target):
        self.calls += 1
        return F.mse_loss(output, target) * (1.0 if self.calls < 30 else 0.5)


class CountingModule(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, output, target):
        self.calls += 1
        return F.mse_loss(output, target) * (1.0 if self.calls < 30 else 0.5)


@pytest.mark.parametrize(
    "make",
    [_counting_closure, _counting_default, _counting_attribute, _counting_global, CountingLoss, CountingModule,
     lambda: CountingLoss().__call__],
)  # fmt: skip
def test_a_criterion_that_counts_its_calls_is_refused(make):
    with pytest.raises(nl.CaptureError, match="compile=False"):
        trainer_of(TwoLayers(), make()).fit(X, Y, progress=False)


def test_code_that_settles_at_the_first_call_is_captured():
    class Remembering(TwoLayers):
        def forward(self, x):
            self.width = x.shape[1]
            if not hasattr(self, "mask"):
                self.mask = nl.tensor(np.arange(4, dtype=np.float32))
            return self.b(self.a(x) * self.mask)

    assert trained(Remembering, None, True) == trained(Remembering, None, False)


class Rate:
    """Lowers the learning rate at every batch."""

    trainer: nl.Trainer

    def __call__(self, output, target):
        self.trainer.optimizer.param_groups[0]["lr"] *= 0.99
        return F.mse_loss(output, target)


class Schedule:
    """Steps a schedule at every batch."""

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self.schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.99)

    def __call__(self, output, target):
        self.schedule.step()
        return F.mse_loss(output, target)


def test_a_criterion_that_changes_the_optimizer_is_refused():
    model = TwoLayers()
    trainer = trainer_of(model)
    trainer.criterion = Rate()
    trainer.criterion.trainer = trainer
    with pytest.raises(nl.CaptureError, match=r"param_groups\[0\]\.lr"):
        trainer.fit(X, Y, progress=False)
    trainer.criterion = Schedule(trainer.optimizer)
    with pytest.raises(nl.CaptureError, match=r"schedule\.last_epoch"):
        trainer.fit(X, Y, progress=False)
    assert trainer.criterion.schedule.last_epoch == 0
    assert trainer.optimizer.param_groups[0]["lr"] == 0.05
