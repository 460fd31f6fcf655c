"""nn.utils against PyTorch's, in training steps too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from comparison import assert_close, normal
from nnlite import nn, optim

X, Y = normal(20, 3).astype(np.float32), normal(20, 4, seed=1).astype(np.float32)

pytestmark = pytest.mark.filterwarnings("ignore:.*(weight_norm|spectral_norm).*:FutureWarning")

NORMS: dict[str, Callable[[Any, Any], Any]] = {
    "weight_norm": lambda utils, layer: utils.weight_norm(layer),
    "weight_norm of columns": lambda utils, layer: utils.weight_norm(layer, dim=1),
    "weight_norm of all": lambda utils, layer: utils.weight_norm(layer, dim=None),
    "spectral_norm": lambda utils, layer: utils.spectral_norm(layer),
    "spectral_norm of columns": lambda utils, layer: utils.spectral_norm(layer, n_power_iterations=2, dim=1),
}


def twins(name: str) -> tuple[Any, Any]:
    ours, theirs = NORMS[name](nn.utils, nn.Linear(3, 4)), NORMS[name](torch.nn.utils, torch.nn.Linear(3, 4))
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: tuple(v.shape) for k, v in theirs.state_dict().items()
    }
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("name", NORMS)
def test_reparametrized_layers_train_as_pytorchs(name: str) -> None:
    ours, theirs = twins(name)
    mine = optim.SGD(ours.parameters(), lr=0.1)
    other = torch.optim.SGD(theirs.parameters(), lr=0.1)
    for _ in range(3):
        mine.zero_grad(), other.zero_grad()
        nn.functional.mse_loss(ours(X), Y).backward()
        torch.nn.functional.mse_loss(theirs(torch.from_numpy(X)), torch.from_numpy(Y)).backward()
        mine.step(), other.step()
    for key, value in theirs.state_dict().items():
        assert_close(ours.state_dict()[key], value.numpy(), 1e-5, key)
    ours.eval(), theirs.eval()
    assert_close(ours(X).detach().numpy(), theirs(torch.from_numpy(X)).detach().numpy(), 1e-5, "evaluation")


@pytest.mark.parametrize("name", NORMS)
def test_removing_keeps_the_value(name: str) -> None:
    layer, kind = NORMS[name](nn.utils, nn.Linear(3, 4)).eval(), name.split()[0]
    before = layer(X).detach().numpy()
    remove = getattr(nn.utils, f"remove_{kind}")
    assert remove(layer) is layer
    assert list(layer.state_dict()) == ["bias", "weight"]
    np.testing.assert_array_equal(layer(X).detach().numpy(), before)
    with pytest.raises(ValueError, match="'weight' of the Linear"):
        remove(layer)


@pytest.mark.parametrize("name", [name for name in NORMS if name.startswith("weight")])
def test_captured_steps_have_the_same_bits(name: str) -> None:
    prints = set()
    for compile in (True, False):
        nl.manual_seed(0)
        model = nn.Sequential(NORMS[name](nn.utils, nn.Linear(3, 4)), nn.Tanh(), nn.Linear(4, 4))
        trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), seed=0)
        trainer.fit(X, Y, epochs=2, batch_size=8, compile=compile, progress=False)
        prints.add(model.fingerprint())
    assert len(prints) == 1


def test_a_power_iteration_is_refused_in_a_captured_step_and_runs_outside() -> None:
    model = nn.utils.spectral_norm(nn.Linear(3, 4))
    trainer = nl.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(nl.CaptureError, match="compile=False"):
        trainer.fit(X, Y, progress=False)
    before = model.fingerprint()
    trainer.fit(X, Y, compile=False, progress=False)
    assert model.fingerprint() != before
    np.testing.assert_array_equal(nl.Predictor(model)(X), model.eval()(X).detach().numpy())


def test_vectors_of_parameters() -> None:
    ours, theirs = nn.MLP([3, 4, 2]), torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    ours.load_state_dict(theirs.state_dict())
    vector = nn.utils.parameters_to_vector(ours.parameters())
    np.testing.assert_array_equal(
        vector.detach().numpy(), torch.nn.utils.parameters_to_vector(theirs.parameters()).detach().numpy()
    )
    (vector * vector).sum().backward()
    np.testing.assert_array_equal(ours[0].weight.grad.numpy(), 2 * ours[0].weight.detach().numpy())
    new = np.arange(vector.numel(), dtype=np.float32)
    nn.utils.vector_to_parameters(nl.tensor(new), ours.parameters())
    torch.nn.utils.vector_to_parameters(torch.from_numpy(new), theirs.parameters())
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
    with pytest.raises(ValueError, match=r"26 elements.*\(3,\)"):
        nn.utils.vector_to_parameters(nl.zeros(3), ours.parameters())


def test_clipping_is_here_too() -> None:
    assert nn.utils.clip_grad_norm_ is optim.clip_grad_norm_
    assert nn.utils.clip_grad_value_ is optim.clip_grad_value_
