"""The networks that steps and predictions are measured on."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..nn import CrossEntropyLoss, Linear, MSELoss, ReLU, Sequential, Tanh
from ..optim import SGD, Adam
from ..training import Trainer

Array = np.ndarray[Any, Any]

CROSS_ENTROPY = "CrossEntropyLoss"
_OWN = SimpleNamespace(**{part.__name__: part for part in (CrossEntropyLoss, Linear, MSELoss, ReLU, Sequential, Tanh)})
OPTIMIZERS: dict[str, type[SGD] | type[Adam]] = {"SGD": SGD, "Adam": Adam}
LEARNING_RATES = {"SGD": 0.01, "Adam": 0.001}


@dataclass(frozen=True)
class Network:
    """A multi-layer perceptron; activation and loss by the names that nnlite.nn and torch.nn share."""

    sizes: tuple[int, ...]
    activation: str = "ReLU"
    loss: str = CROSS_ENTROPY

    @property
    def name(self) -> str:
        """Its sizes."""
        return "-".join(map(str, self.sizes))

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Inputs and outputs of each layer."""
        return list(zip(self.sizes, self.sizes[1:], strict=False))

    def step_flops(self, batch: int) -> float:
        """Of a training step's products: forward, weight gradients, and input gradients of all layers but the first."""
        weights = [inputs * outputs for inputs, outputs in self.layers]
        return 2.0 * batch * (2 * sum(weights) + sum(weights[1:]))

    def forward_flops(self, rows: int) -> float:
        """Of a prediction's products."""
        return 2.0 * rows * sum(inputs * outputs for inputs, outputs in self.layers)

    def data(self, rows: int) -> tuple[Array, Array]:
        """Random rows and targets, the same every time."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((rows, self.sizes[0])).astype(np.float32)
        if self.loss == CROSS_ENTROPY:
            return x, rng.integers(0, self.sizes[-1], rows)
        return x, rng.standard_normal((rows, self.sizes[-1])).astype(np.float32)

    def weights(self) -> list[tuple[Array, Array]]:
        """Random weights (inputs, outputs) and biases (outputs) of each layer, for peers without initialisers."""
        rng = np.random.default_rng(1)
        return [
            (
                (rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)).astype(np.float32),
                np.zeros(outputs, np.float32),
            )
            for inputs, outputs in self.layers
        ]

    def model(self, package: Any = _OWN) -> Any:
        """The layers, of nnlite.nn or of torch.nn."""
        layers: list[Any] = []
        for inputs, outputs in self.layers:
            layers += [package.Linear(inputs, outputs), getattr(package, self.activation)()]
        return package.Sequential(*layers[:-1])

    def criterion(self, package: Any = _OWN) -> Any:
        """The loss, of nnlite.nn or of torch.nn."""
        return getattr(package, self.loss)()

    def trainer(self, optimizer: str = "SGD") -> Trainer:
        """With an optimizer of nnlite.optim, without momentum."""
        model = self.model()
        rule = OPTIMIZERS[optimizer](model.parameters(), lr=LEARNING_RATES[optimizer])
        return Trainer(model, self.criterion(), rule)
