"""Your own loss, built from differentiable operations, checked with gradcheck and used in training."""

import numpy as np

import nnlite as nl
from nnlite import nn, optim


def log_cosh(output: nl.Tensor, target: nl.Tensor) -> nl.Tensor:
    """mean of log cosh(d) = |d| + log(1 + e^(-2|d|)) - log 2: quadratic near 0, linear far away."""
    difference = abs(output - target)
    return (difference + nn.functional.softplus(-2 * difference) - np.log(2)).mean()


x64 = nl.tensor(np.array([0.3, -1.2, 2.0]), requires_grad=True)
assert nl.gradcheck(lambda z: log_cosh(z, nl.tensor(np.zeros(3))), x64)

x, y = nl.data.make_regression(500, n_features=5, noise=1.0, seed=0)
y = ((y - y.mean()) / y.std()).reshape(-1, 1)
nl.manual_seed(0)
model = nn.MLP([5, 16, 1])
trainer = nl.Trainer(model, log_cosh, optim.SGD(model.parameters(), lr=0.1), metrics=["r2"])
history = trainer.fit(x, y, epochs=30)
print(f"log-cosh loss {history['loss'][0]:.4f} -> {history['loss'][-1]:.4f}, R2 {history['r2'][-1]:.3f}")
assert history["r2"][-1] > 0.95
