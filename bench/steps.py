"""Time of one training step of the design's networks, beside PyTorch's where it is installed: one thread, shuffled epochs.

    python bench/steps.py [--rounds N]

nnlite (its native epochs and one's own loop) and PyTorch run in turn in every round; the figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import nnlite as nl
from nnlite import nn, optim

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Network:
    """A row of the table."""

    sizes: tuple[int, ...]
    activation: str
    loss: str
    batch: int
    steps: int  # timed in one go

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{'-'.join(map(str, self.sizes))} {self.activation}, {self.loss} ({self.batch})"

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Random rows and targets."""
        rng = np.random.default_rng(0)
        rows = self.batch * self.steps
        x = rng.standard_normal((rows, self.sizes[0])).astype(np.float32)
        if self.loss == "CrossEntropyLoss":
            return x, rng.integers(0, self.sizes[-1], rows)
        return x, rng.standard_normal((rows, self.sizes[-1])).astype(np.float32)

    def model(self, package: Any) -> Any:
        """The layers, of nnlite.nn or torch.nn."""
        layers: list[Any] = []
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            layers += [package.Linear(inputs, outputs), getattr(package, self.activation)()]
        return package.Sequential(*layers[:-1])


NETWORKS = [
    Network((24, 8, 2), "Tanh", "MSELoss", 200, 200),
    Network((2, 16, 16, 2), "ReLU", "CrossEntropyLoss", 32, 400),
    Network((64, 128, 10), "ReLU", "CrossEntropyLoss", 32, 200),
    Network((784, 128, 10), "ReLU", "CrossEntropyLoss", 64, 60),
    Network((784, 512, 512, 10), "ReLU", "CrossEntropyLoss", 128, 8),
    Network((784, 2048, 2048, 10), "ReLU", "CrossEntropyLoss", 512, 1),
]


def native(network: Network) -> Callable[[], None]:
    """An epoch by `Trainer.fit`."""
    x, y = network.data()
    model = network.model(nn)
    trainer = nl.Trainer(model, getattr(nn, network.loss)(), optim.SGD(model.parameters(), lr=0.01))
    return lambda: trainer.fit(x, y, batch_size=network.batch, progress=False)


def own_loop(network: Network) -> Callable[[], None]:
    """An epoch of a loop in Python."""
    x, y = network.data()
    model, criterion = network.model(nn), getattr(nn, network.loss)()
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    loader = nl.data.DataLoader(nl.data.TensorDataset(x, y), network.batch, shuffle=True)

    def epoch() -> None:
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()

    return epoch


def pytorch(network: Network) -> Callable[[], None]:
    """The same loop in PyTorch, batches by one index_select each."""
    x, y = (torch.from_numpy(a) for a in network.data())
    model, criterion = network.model(torch.nn), getattr(torch.nn, network.loss)()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def epoch() -> None:
        for rows in torch.randperm(len(x)).split(network.batch):
            optimizer.zero_grad()
            loss = criterion(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()

    return epoch


def measure(network: Network, rounds: int) -> dict[str, float]:
    """Median microseconds a step of each contestant, run in turn."""
    contestants = {"native": native(network), "own loop": own_loop(network)}
    if torch is not None:
        contestants["PyTorch"] = pytorch(network)
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for epoch in contestants.values():
        epoch()
    for _ in range(rounds):
        for name, epoch in contestants.items():
            start = time.perf_counter()
            epoch()
            times[name].append(1e6 * (time.perf_counter() - start) / network.steps)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    nl.set_num_threads(1)
    if torch is not None:
        torch.set_num_threads(1)
    print(f"{'network (batch)':52s} {'native us':>10s} {'own loop us':>12s} {'PyTorch us':>11s} {'ratio':>6s}")
    for network in NETWORKS:
        figures = measure(network, rounds)
        peer = figures.get("PyTorch", float("nan"))
        print(
            f"{network.name:52s} {figures['native']:10.1f} {figures['own loop']:12.1f} {peer:11.1f} {peer / figures['native']:6.1f}"
        )


if __name__ == "__main__":
    main()
