"""Random models and losses as users write them: each number always gives the same program."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

import nnlite as nl
from nnlite import nn, optim
from nnlite.nn import functional as F
from nnlite.optim import OPTIMIZERS

WIDTH, INPUTS, CLASSES = 6, 5, 3
ROWS, BATCH, SEED = 70, 16, 11

ACTIVATIONS: list[Callable[[], nn.Module]] = [
    nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.Softplus, lambda: nn.LeakyReLU(0.2), lambda: nn.Softmax(1),
]  # fmt: skip


class RandomModel(nn.Module):
    """A chain of random operations on hidden values (N, WIDTH), with the kinds of state that users keep on a module."""

    def __init__(self, choose: random.Random) -> None:
        super().__init__()
        self.first = nn.Linear(INPUTS, WIDTH)
        self.linears = nn.ModuleList([nn.Linear(WIDTH, WIDTH) for _ in range(2)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(WIDTH), nn.LayerNorm(WIDTH), nn.BatchNorm1d(WIDTH, momentum=None)])
        self.head = nn.Linear(WIDTH, CLASSES)
        self.other_head = nn.Linear(WIDTH, CLASSES)
        self.gain = nn.Parameter(np.full(WIDTH, 0.9, np.float32))
        self.register_buffer("shift", nl.tensor(np.linspace(-0.5, 0.5, WIDTH).astype(np.float32)))
        self.mask = np.arange(WIDTH) % 2 == 0
        self.view = self.first.weight.detach()  # a parameter's memory under another name
        self.activations = nn.ModuleList([choose.choice(ACTIVATIONS)() for _ in range(3)])
        self.scale = choose.uniform(0.5, 1.5)
        self.cache: Any = None
        self.kept: dict[str, Any] = {}
        self.calls = 0
        self.rng = np.random.default_rng(choose.randrange(100))
        self.pieces = [choose.choice(ORDINARY) for _ in range(choose.randint(2, 6))]
        if choose.random() < 0.25:  # a capture must refuse the rest
            self.pieces.insert(choose.randrange(len(self.pieces)), choose.choice(REFUSED))
        self.ending = choose.choice(ENDINGS)

    def forward(self, x: Any) -> Any:
        hidden = self.first(x)
        for piece in self.pieces:
            hidden = piece(self, hidden)
        return self.ending(self, hidden)


Piece = Callable[[RandomModel, Any], Any]


def _without_gradient(model: RandomModel, h: Any) -> Any:
    with nl.no_grad():
        frozen = model.linears[0](h).tanh()
    return h * 0.5 + frozen


def _keep(model: RandomModel, h: Any) -> Any:
    model.kept["hidden"] = h
    return h + model.kept["hidden"].detach() * 0.1


def _two_halves(model: RandomModel, h: Any) -> Any:
    return nl.cat([h[:, 3:], h[:, :3] * model.scale], 1)


def _remember_shape(model: RandomModel, h: Any) -> Any:
    model.cache = h.shape[1]
    return h / model.cache**0.5


def _aside(model: RandomModel, h: Any) -> Any:
    """Moves running statistics and draws numbers without affecting the output."""
    model.norms[0](h)
    F.dropout(h, 0.3, model.training)
    return h


ORDINARY: list[Piece] = [
    lambda m, h: m.linears[0](h),
    lambda m, h: m.linears[1](h).tanh() + h,
    lambda m, h: m.linears[1](m.linears[0](h)) * m.gain,
    lambda m, h: m.activations[0](h),
    lambda m, h: m.activations[1](m.activations[2](h)),
    lambda m, h: m.norms[0](h),
    lambda m, h: m.norms[1](h),
    lambda m, h: m.norms[2](h),
    lambda m, h: F.dropout(h, 0.2, m.training),
    lambda m, h: h + F.dropout(h.detach(), 0.5, m.training),
    lambda m, h: m.linears[0](h.detach()),
    lambda m, h: h * h.detach().tanh(),
    lambda m, h: h * m.head.weight.detach().mean() + m.view.sum() * 0.01,
    lambda m, h: h * m.first.weight[1].sum() + m.first.bias[2:4].mean(),
    lambda m, h: h + m.shift,
    lambda m, h: h * m.mask.astype(np.float32) + m.norms[0].running_mean * 0.1,
    lambda m, h: h * m.norms[0].running_var.detach() + m.gain,
    lambda m, h: h - h.mean(0, keepdim=True),
    lambda m, h: h / (h.abs().sum(1, keepdim=True) + 1),
    lambda m, h: (h.T @ h / h.shape[0]).tanh()[0] + h,
    lambda m, h: h.clamp(-1.5, 1.5) - h.detach().amax(1, keepdim=True) * 0.1,
    lambda m, h: nl.where(m.mask, h, h * m.scale),
    lambda m, h: h[:, [5, 4, 3, 2, 1, 0]] + h.reshape(-1, 2, 3).flatten(1),
    lambda m, h: h.detach().requires_grad_() * m.gain,
    lambda m, h: h @ m.linears[1].weight.T + m.linears[1].bias,
    _without_gradient, _keep, _two_halves, _remember_shape, _aside,
]  # fmt: skip


def _lazy(model: RandomModel, h: Any) -> Any:
    if model.cache is None or isinstance(model.cache, int):
        model.cache = (model.gain * 2).detach()
    return h * model.cache


def _count(model: RandomModel, h: Any) -> Any:
    model.calls += 1
    return h * (1.0 if model.calls < 7 else 0.5)


def _read(model: RandomModel, h: Any) -> Any:
    return h if h.mean().item() > 0 else h * 0.5


def _buffer(model: RandomModel, h: Any) -> Any:
    model.shift = (model.shift * 0.9 + h.detach().mean(0) * 0.1).detach()
    return h + model.shift


def _write(model: RandomModel, h: Any) -> Any:
    with nl.no_grad():
        model.shift.copy_(model.shift * 0.9)
    return h + model.shift


def _statistics(model: RandomModel, h: Any) -> Any:
    """Reads a statistic that batch normalisation changes."""
    h = model.norms[0](h)
    return h * float(model.norms[0].running_var.numpy().mean())


def _append(model: RandomModel, h: Any) -> Any:
    model.kept.setdefault("all", []).append(h.detach())
    return h


REFUSED: list[Piece] = [
    _lazy, _count, _read, _buffer, _write, _statistics, _append,
    lambda m, h: h + float(m.rng.normal()),
    lambda m, h: h + nl.tensor(m.rng.normal(size=WIDTH).astype(np.float32)),
]  # fmt: skip


def _with_side_output(model: RandomModel, h: Any) -> Any:
    model.kept["side"] = model.other_head(h)
    return model.head(h)


ENDINGS: list[Piece] = [
    lambda m, h: m.head(h),
    lambda m, h: m.head(h) + m.other_head(h.detach()),
    lambda m, h: (m.head(h) + m.other_head(h)) / 2,
    lambda m, h: m.head(m.linears[0](h).tanh()) * m.scale,
    _with_side_output,
]

Criterion = Callable[[Any, Any], Any]


def _penalised(model: RandomModel, inner: Criterion) -> Criterion:
    weight = model.first.weight

    def criterion(output: Any, target: Any) -> Any:
        return inner(output, target) + 0.01 * (weight * weight).sum() * output.detach().mean().abs()

    return criterion


def _with_side_loss(model: RandomModel, inner: Criterion) -> Criterion:
    def criterion(output: Any, target: Any) -> Any:
        side = model.kept.get("side")
        return inner(output, target) if side is None else inner(output, target) + 0.3 * inner(side, target)

    return criterion


def _detached_weight(model: RandomModel, inner: Criterion) -> Criterion:
    return lambda output, target: inner(output, target) + (model.head.weight.detach() ** 2).sum() * output.mean() * 0.1


class _Annealed:
    trainer: nl.Trainer

    def __init__(self, inner: Criterion) -> None:
        self.inner = inner

    def __call__(self, output: Any, target: Any) -> Any:
        return self.inner(output, target) * (1.0 / (1 + self.trainer.epoch))


def _inner(choose: random.Random) -> tuple[Criterion, bool]:
    """A loss, and whether its targets are classes."""
    smoothing = choose.choice([0.0, 0.1])
    return choose.choice(
        [
            (nn.CrossEntropyLoss(label_smoothing=smoothing), True),
            (nn.CrossEntropyLoss(weight=[1.0, 0.5, 2.0]), True),
            (nn.MSELoss(), False),
            (nn.HuberLoss(delta=0.7), False),
            (nn.BCEWithLogitsLoss(), False),
            (lambda o, t: (o - t).abs().mean() + ((o - t) ** 2).mean(), False),
        ]
    )


def _optimizer(choose: random.Random, model: nn.Module) -> optim.Optimizer:
    momentum, decay = choose.choice([0.0, 0.9]), choose.choice([0.0, 0.01])
    if choose.random() < 0.5:
        return optim.SGD(model.parameters(), lr=0.02, momentum=momentum, nesterov=momentum > 0, weight_decay=decay)
    name = choose.choice([name for name in OPTIMIZERS if name != "sgd"])
    optimizer = OPTIMIZERS[name](model.parameters(), lr=0.002)
    for group in optimizer.param_groups:
        group |= {option: decay for option in group if option == "weight_decay"}
    return optimizer


class Program:
    """One random model with its criterion, optimizer, trainer and data."""

    def __init__(self, number: int) -> None:
        choose = random.Random(number)
        nl.manual_seed(number)
        self.model = RandomModel(choose)
        inner, classes = _inner(choose)
        wrap = choose.choice([None, None, _penalised, _with_side_loss, _detached_weight, "annealed"])
        self.criterion: Any = inner
        if callable(wrap):
            self.criterion = wrap(self.model, inner)
        elif wrap == "annealed":
            self.criterion = _Annealed(inner)
        self.optimizer = _optimizer(choose, self.model)
        self.trainer = nl.Trainer(self.model, self.criterion, self.optimizer, seed=SEED)
        if isinstance(self.criterion, _Annealed):
            self.criterion.trainer = self.trainer
        rng = np.random.default_rng(number)
        self.x = rng.normal(size=(ROWS, INPUTS)).astype(np.float32)
        self.y = rng.integers(0, CLASSES, ROWS) if classes else rng.uniform(size=(ROWS, CLASSES)).astype(np.float32)
        self.epochs = choose.choice([1, 3])
        self.stages: dict[str, float] = choose.choice(
            [{}, {"clip_norm": 0.3}, {"clip_value": 0.05}, {"clip_norm": 0.5, "clip_value": 0.1}]
        )
        self.accumulate = choose.choice([1, 1, 2])
        self.schedule: optim.lr_scheduler.LRScheduler | None = None
        if choose.random() < 0.3:
            steps = self.epochs * -(-ROWS // (BATCH * self.accumulate))
            cycles = bool({"momentum", "betas"} & self.optimizer.defaults.keys())
            self.schedule = optim.lr_scheduler.OneCycleLR(self.optimizer, 0.05, steps, cycle_momentum=cycles)

    def fit(self, **options: Any) -> str:
        settings = {"epochs": self.epochs, "batch_size": BATCH, "accumulate": self.accumulate, "progress": False}
        settings["scheduler"] = self.schedule
        self.trainer.fit(self.x, self.y, **settings, **self.stages, **options)
        return self.model.fingerprint()

    def own_loop(self) -> str:
        nl.manual_seed(SEED)
        dataset = nl.data.TensorDataset(self.x, self.y)
        loader = nl.data.DataLoader(dataset, batch_size=BATCH * self.accumulate, shuffle=True, seed=SEED)
        self.model.train()
        for _ in range(self.epochs):
            for xb, yb in loader:
                self.optimizer.zero_grad()
                self.criterion(self.model(xb), yb).backward()
                if "clip_norm" in self.stages:
                    optim.clip_grad_norm_(self.model.parameters(), self.stages["clip_norm"])
                if "clip_value" in self.stages:
                    optim.clip_grad_value_(self.model.parameters(), self.stages["clip_value"])
                self.optimizer.step()
                if self.schedule is not None:
                    self.schedule.step()
            self.trainer.epoch += 1
        return self.model.fingerprint()
