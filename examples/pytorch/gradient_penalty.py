"""A Wasserstein critic with gradient penalty (Gulrajani et al. 2017): the distance of two clouds of points."""

import nnlite as torch
from nnlite import nn, optim

torch.manual_seed(0)
critic = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = optim.Adam(critic.parameters(), lr=0.003, betas=(0.5, 0.9))


def penalty(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The mean of (|gradient| - 1)^2 at points between the clouds."""
    share = torch.rand(len(real), 1)
    between = (share * real + (1 - share) * fake).requires_grad_()
    scores = critic(between)
    (gradient,) = torch.autograd.grad(
        outputs=scores, inputs=between, grad_outputs=torch.ones_like(scores), create_graph=True, retain_graph=True
    )
    return ((gradient.norm(2, dim=1) - 1) ** 2).mean()


for step in range(1, 301):
    real, fake = torch.randn(64, 2) * 0.5 + torch.tensor([3.0, 0.0]), torch.randn(64, 2) * 0.5
    distance = critic(real).mean() - critic(fake).mean()
    loss = -distance + 10 * penalty(real, fake)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step}: distance {distance.item():.3f}, loss {loss.item():.3f}")
assert 3 < distance.item() < 4  # 3 apart; the penalty lets the slope exceed 1 a little
