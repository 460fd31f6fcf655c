"""A custom optimizer, written as for PyTorch, in a Trainer and in a training loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import nnlite as nl
from comparison import normal
from nnlite import nn, optim

X, Y = normal(64, 4).astype(np.float32), normal(64, 2, seed=1).astype(np.float32)


def clipped(library: Any, base: type) -> type:
    """Two means of the gradient, one of them clipped, in code that runs in both libraries."""

    class Clipped(base):
        def __init__(self, params: Any, lr: float = 1e-2, betas: tuple[float, float] = (0.9, 0.99)) -> None:
            super().__init__(params, {"lr": lr, "betas": betas})

        def step(self, closure: Any = None) -> None:
            with library.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        if p.grad is None:
                            continue
                        state = self.state[p]
                        if len(state) == 0:
                            state["exp_avg"] = library.zeros_like(p)
                        beta1, beta2 = group["betas"]
                        p.add_((state["exp_avg"] * beta1 + p.grad * (1 - beta1)).clamp(-0.2, 0.2), alpha=-group["lr"])
                        state["exp_avg"] = state["exp_avg"] * beta2 + p.grad * (1 - beta2)

    return Clipped


OWN, THEIRS = clipped(nl, optim.Optimizer), clipped(torch, torch.optim.Optimizer)


def make(seed: int = 0) -> tuple[nn.Module, optim.Optimizer]:
    nl.manual_seed(seed)
    model = nn.MLP([4, 8, 2])
    return model, OWN(model.parameters())


def by_trainer(**options: Any) -> nl.Trainer:
    model, optimizer = make()
    trainer = nl.Trainer(model, nn.MSELoss(), optimizer, seed=3)
    trainer.fit(X, Y, epochs=3, batch_size=16, progress=False, **options)
    return trainer


def test_a_trainer_and_a_loop_give_the_same_bits() -> None:
    model, optimizer = make()
    loader = nl.data.DataLoader(nl.data.TensorDataset(X, Y), batch_size=16, shuffle=True, seed=3)
    for _ in range(3):
        for x, y in loader:
            optimizer.zero_grad()
            nn.MSELoss()(model(x), y).backward()
            optimizer.step()
    assert by_trainer().model.fingerprint() == model.fingerprint()


def test_steps_are_those_of_pytorch() -> None:
    ours, theirs = nn.Parameter(X.astype(np.float64)), torch.nn.Parameter(torch.tensor(X, dtype=torch.float64))
    mine, other = OWN([ours]), THEIRS([theirs])
    for step in range(5):
        gradient = normal(64, 4, seed=step).astype(np.float64)
        ours.grad, theirs.grad = nl.tensor(gradient), torch.tensor(gradient)
        mine.step()
        other.step()
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-14)
    fresh = OWN([nn.Parameter(ours.detach().numpy())])
    fresh.load_state_dict(mine.state_dict())
    (kept,) = fresh.state.values()
    assert isinstance(kept["exp_avg"], nl.Tensor)
    assert kept["exp_avg"].tolist() == mine.state[ours]["exp_avg"].tolist()


def test_an_interrupted_fit_is_resumed(tmp_path: Any) -> None:
    class Stop(Exception):
        pass

    class StopAt(nl.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            if epoch == 1 and not resuming:
                raise Stop

    resuming = False
    with pytest.raises(Stop):
        by_trainer(callbacks=[StopAt()], checkpoint=tmp_path)
    resuming = True
    again = by_trainer(callbacks=[StopAt()], checkpoint=tmp_path, resume=True)
    assert again.model.fingerprint() == by_trainer().model.fingerprint()


def test_an_optimizer_without_step_is_an_error() -> None:
    optimizer = optim.Optimizer([nn.Parameter(np.ones(1))], {})
    with pytest.raises(NotImplementedError, match=r"must override step\(\)"):
        optimizer.step()
