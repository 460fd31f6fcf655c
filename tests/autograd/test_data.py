"""`tensor.data` shares a tensor's memory without the tape; assigning it gives the tensor other memory."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch

import nnlite as nl
from nnlite import nn, optim


def test_data_is_the_same_memory_without_the_tape() -> None:
    weight = nn.Parameter(np.ones(3, np.float32))
    assert not weight.data.requires_grad
    weight.data.fill_(4)
    weight.data.copy_(weight.data.numpy() * 2)
    data = weight.data
    data -= 1
    assert weight.detach().numpy().tolist() == [7, 7, 7]
    other = nl.tensor([1.0, 2.0])
    weight.data = other
    other.fill_(5)
    assert weight.detach().numpy().tolist() == [5, 5]
    assert weight.requires_grad


def test_a_layer_computes_with_assigned_data() -> None:
    ours, theirs = nn.Linear(2, 1), torch.nn.Linear(2, 1)
    for layer, tensor in [(ours, nl.tensor), (theirs, torch.tensor)]:
        layer.weight.data = tensor([[2.0, 3.0]])
        layer.bias.data.fill_(1)
    assert ours(nl.tensor([[1.0, 1.0]])).item() == theirs(torch.tensor([[1.0, 1.0]])).item() == 6


@pytest.mark.parametrize("value", [np.ones((1, 2), np.float32), [[1.0, 2.0]], None, 3.0])
def test_data_accepts_only_a_tensor(value: object) -> None:
    layer = nn.Linear(2, 1)
    before = layer.fingerprint()
    with pytest.raises(TypeError, match="data must be a Tensor"):
        layer.weight.data = value  # type: ignore[assignment]
    assert layer.fingerprint() == before


def test_invalid_data_is_refused() -> None:
    weight = nn.Parameter(np.ones(2, np.float32))
    with pytest.raises(TypeError, match="must be float32 or float64, got int64"):
        weight.data = nl.tensor([1, 2])
    with pytest.raises(RuntimeError, match="computed tensor"):
        (weight * 2).data = nl.tensor([1.0, 2.0])

    class Replacing(nn.Linear):
        def forward(self, x: nl.Tensor) -> nl.Tensor:
            self.weight.data = self.weight.data * 2
            return super().forward(x)

    model = Replacing(2, 1)
    trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(nl.CaptureError, match="data"):
        trainer.fit(np.ones((4, 2), np.float32), np.ones((4, 1), np.float32), progress=False)


def test_backward_uses_the_memory_that_forward_read() -> None:
    """PyTorch reads the new values here and gets the gradient of neither loss."""
    w = nn.Parameter(np.array([2.0, 3.0], np.float32))
    loss = (w * w).sum()
    w.data = nl.tensor([100.0, 100.0])
    gc.collect()
    loss.backward()
    assert w.grad is not None
    assert w.grad.numpy().tolist() == [4, 6]


@pytest.mark.parametrize("other", [nl.zeros(5), nl.tensor(np.zeros(2))])
def test_a_gradient_that_no_longer_fits_is_an_error(other: nl.Tensor) -> None:
    w = nn.Parameter(np.ones(2, np.float32))
    loss = (w * w).sum()
    w.data = other
    with pytest.raises(RuntimeError, match="computed a gradient of shape"):
        loss.backward()
    w = nn.Parameter(np.ones(2, np.float32))
    (w * w).sum().backward()
    w.data = other
    with pytest.raises(RuntimeError, match="computed a gradient of shape"):
        (w * w).sum().backward()  # added to the old one
    with pytest.raises((ValueError, RuntimeError), match="gradient"):
        optim.SGD([w], lr=0.1).step()


def test_an_array_outlives_the_memory_of_its_tensor() -> None:
    buffer = nl.ones(100_000)
    array = buffer.numpy()
    buffer.data = nl.zeros(3)
    gc.collect()
    junk = [np.full(100_000, 7, np.float32) for _ in range(8)]
    assert array.sum() == 100_000
    assert len(junk) == 8
    assert buffer.numpy().tolist() == [0, 0, 0]


def test_momentum_takes_the_type_of_its_parameter() -> None:
    def weights(convert: bool) -> np.ndarray:
        w = nn.Parameter(np.array([1.0, 2.0], np.float32))
        optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
        for step in range(4):
            if convert and step == 2:
                w.grad = None
                w.data = w.data.double()
                assert all(b.dtype == np.float64 for kept in optimizer.native_groups()[0].states for b in kept.values())
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()
        return w.detach().numpy()

    np.testing.assert_allclose(weights(True), weights(False), rtol=1e-6)
    w = nn.Parameter(np.ones(2, np.float32))
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    (w * w).sum().backward()
    optimizer.step()
    w.grad = None
    w.data = nl.ones(3)
    (w * w).sum().backward()
    with pytest.raises(ValueError, match=r"momentum_buffer of parameter 0 has shape \(2,?\)"):
        optimizer.step()
