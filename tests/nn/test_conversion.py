"""Converting a model's type in place keeps ties, optimizers and buffers."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, optim

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 3)).astype("f")
Y = RNG.normal(size=(64, 1)).astype("f")


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Tanh())
        self.again = nn.Linear(3, 3)
        self.again.weight = self.body[0].weight
        self.head = nn.Linear(3, 1)

    def forward(self, x: nl.Tensor) -> nl.Tensor:
        return self.head(self.again(self.body(x)))


@pytest.mark.parametrize("convert", [lambda m: m.double(), lambda m: m.float(), lambda m: m.to(np.float64)])
def test_conversion_keeps_objects_ties_and_gradients(convert: Any) -> None:
    model = Tied()
    model(X).sum().backward()
    before = [id(t) for t in (*model.parameters(), *model.buffers())]
    gradients = [p.grad.numpy().copy() for p in model.parameters() if p.grad is not None]
    assert convert(model) is model
    dtype = next(model.parameters()).dtype
    assert [id(t) for t in (*model.parameters(), *model.buffers())] == before
    assert model.again.weight is model.body[0].weight
    assert model.again.__dict__["weight"] is model.again._parameters["weight"]
    assert {p.dtype for p in model.parameters()} == {dtype}
    assert [b.dtype.kind for b in model.buffers()] == ["f", "f", "i"]
    after = [p.grad for p in model.parameters() if p.grad is not None]
    for old, new in zip(gradients, after, strict=True):
        assert new.dtype == dtype
        np.testing.assert_array_equal(old.astype(dtype), new.numpy())


def test_an_existing_optimizer_trains_the_converted_model() -> None:
    def losses(libraries: tuple[Any, Any, Any], convert_at: int) -> list[float]:
        tensors, layers, optimizers = libraries
        model = layers.Sequential(layers.Linear(3, 4), layers.Tanh(), layers.Linear(4, 1))
        for number, p in enumerate(model.parameters()):
            values = np.random.default_rng(number).normal(size=tuple(p.shape)).astype("f")
            p.data = tensors.tensor(values)
        optimizer = optimizers.SGD(model.parameters(), lr=0.1, momentum=0.9)
        x, y = X, Y
        found = []
        for step in range(8):
            if step == convert_at:
                model.double()
                x, y = X.astype(float), Y.astype(float)
            optimizer.zero_grad()
            loss = layers.MSELoss()(model(tensors.tensor(x)), tensors.tensor(y))
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found

    for convert_at in (0, 3):
        ours = losses((nl, nn, optim), convert_at)
        np.testing.assert_allclose(ours, losses((torch, torch.nn, torch.optim), convert_at), rtol=1e-5)
        assert ours[-1] < ours[0]


def test_a_fit_after_conversion_records_again() -> None:
    def trained(native: bool) -> str:
        nl.manual_seed(0)
        model = Tied()
        trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
        for convert in (nn.Module.float, nn.Module.double, nn.Module.float):
            before = convert(model).fingerprint()
            trainer.fit(X, Y, epochs=2, compile=native, progress=False)
            assert model.fingerprint() != before
        return model.fingerprint()

    assert trained(True) == trained(False)


def test_a_module_inside_a_larger_one_is_converted() -> None:
    model = Tied()
    model.body.double()
    assert {name for name, p in model.named_parameters() if p.dtype == np.float64} >= {"body.0.weight"}
    assert model.again.weight.dtype == np.float64
    assert model.head.weight.dtype == np.float32


def test_unavailable_types_and_devices_are_refused_by_name() -> None:
    model = nn.Linear(2, 1)
    before = model.fingerprint()
    for wrong in (np.float16, "int64", torch.float64, "float33"):
        with pytest.raises((TypeError, ValueError), match=r"float16|int64|float64|float33"):
            model.to(wrong)
    with pytest.raises(TypeError, match="float16"):
        model.half()
    with pytest.raises(ValueError, match="cuda"):
        model.to("cuda:0")
    with pytest.raises(ValueError, match="mps"):
        model.to(device="mps")
    assert model.to("cpu").cpu().to(device="cpu").fingerprint() == before
    assert model.to(dtype="float64").weight.dtype == np.float64
    assert model.to(nl.ones(1)).weight.dtype == np.float32


def test_replacing_data_while_another_thread_computes_is_safe() -> None:
    model = nn.Linear(512, 512)
    x = nl.ones(256, 512)
    stop = threading.Event()

    def convert() -> None:
        while not stop.is_set():
            model.weight.data = nl.ones(512, 512)

    thread = threading.Thread(target=convert)
    thread.start()
    try:
        for _ in range(20):
            model(x).sum().backward()
    finally:
        stop.set()
        thread.join()
    assert model.weight.grad is not None


def test_fit_names_what_the_optimizer_does_not_hold_once() -> None:
    model = nn.MLP([3, 4, 4, 4, 1])
    trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model[-1].parameters(), lr=0.1))
    with pytest.warns(UserWarning, match=r"0\.weight, 0\.bias, 2\.weight, 2\.bias, 4\.weight and 1 more"):
        trainer.fit(X, Y, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer.fit(X, Y, progress=False)
        for p in model[:-1].parameters():
            p.requires_grad_(False)
        trainer.fit(X, Y, progress=False)
    model[0].weight = nn.Parameter(np.ones((4, 3), np.float32))
    with pytest.warns(UserWarning, match=r"does not hold 0\.weight, so fit leaves it unchanged"):
        trainer.fit(X, Y, progress=False)


@pytest.mark.parametrize("compile", [True, False])
def test_a_frozen_batch_norm_stays_frozen_in_a_fit(compile: bool) -> None:
    class FrozenNorm(nn.BatchNorm1d):
        def train(self, mode: bool = True) -> FrozenNorm:
            return super().train(False)

    model = nn.Sequential(nn.Linear(3, 4), FrozenNorm(4), nn.Linear(4, 1))
    trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    trainer.fit(X, Y, epochs=2, validation_data=(X, Y), compile=compile, progress=False)
    assert model[1].running_mean.numpy().tolist() == [0] * 4
    assert model[1].num_batches_tracked.item() == 0


def test_the_mode_of_every_module_is_restored() -> None:
    calls = []

    class Merging(nn.Linear):
        def train(self, mode: bool = True) -> Merging:
            calls.append(mode)
            return super().train(mode)

    model = nn.Sequential(Merging(3, 3), nn.Dropout(0.5), nn.Linear(3, 1))
    model.eval()
    model[1].train()
    trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    calls.clear()
    trainer.fit(X, Y, progress=False)
    assert calls == [True, False]
    assert [m.training for m in model.modules()] == [False, False, True, False]
