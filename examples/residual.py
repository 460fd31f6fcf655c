"""A residual network with two inputs: any forward built from differentiable operations is captured and trained natively."""

import numpy as np

import nnlite as nl
from nnlite import nn, optim


class Residual(nn.Module):
    """x + W2 relu(W1 norm(x))"""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.inner = nn.Linear(size, size)
        self.outer = nn.Linear(size, size)

    def forward(self, x: nl.Tensor) -> nl.Tensor:
        return x + self.outer(self.inner(self.norm(x)).relu())


class TwoInputs(nn.Module):
    """One first layer per input, their outputs concatenated, then three residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(1, 16)
        self.right = nn.Linear(1, 16)
        self.blocks = nn.Sequential(*(Residual(32) for _ in range(3)))
        self.head = nn.Linear(32, 2)

    def forward(self, a: nl.Tensor, b: nl.Tensor) -> nl.Tensor:
        return self.head(self.blocks(nl.concatenate([self.left(a), self.right(b)], 1)))


x, y = nl.data.make_circles(1000, noise=0.05, factor=0.5, seed=0)
inputs = (x[:, :1].copy(), x[:, 1:].copy())
nl.manual_seed(0)
model = TwoInputs()
trainer = nl.Trainer(
    model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.05, momentum=0.9), metrics=["accuracy"]
)
history = trainer.fit(inputs, y, epochs=20)
print(f"accuracy {history['accuracy'][-1]:.3f} after {len(history)} epochs")
assert np.mean(trainer.predict(inputs).argmax(1) == y) > 0.97
