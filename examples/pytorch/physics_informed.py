"""A physics-informed network (Raissi et al. 2019): u(x) with u'' = -25 sin(5 x) and u(0) = u(pi) = 0, whose solution is sin(5 x)."""

import numpy as np

import nnlite as torch
from nnlite import nn, optim

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)).double()
x = torch.tensor(np.linspace(0, np.pi, 64)[:, None], requires_grad=True)
ends = torch.tensor(np.array([[0.0], [np.pi]]))
force = 25 * (5 * x.detach()).sin()


def loss() -> torch.Tensor:
    """The mean squared residual of the equation, and of the conditions at both ends."""
    u = model(x)
    (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
    return ((curvature + force) ** 2).mean() + 100 * (model(ends) ** 2).mean()


adam = optim.Adam(model.parameters(), lr=0.005)
for _ in range(500):
    adam.zero_grad()
    loss().backward()
    adam.step()
print(f"after Adam: loss {loss().item():.5f}")

lbfgs = optim.LBFGS(model.parameters(), max_iter=500, line_search_fn="strong_wolfe")


def closure() -> torch.Tensor:
    lbfgs.zero_grad()
    value = loss()
    value.backward()
    return value


lbfgs.step(closure)
error = np.abs(model(x).detach().numpy() - np.sin(5 * x.detach().numpy())).max()
print(f"after L-BFGS: the largest error is below 0.01: {error < 0.01}")
