"""REINFORCE (Williams 1992) on a corridor: walk to the right end, away from the left one, before time runs out."""

import nnlite as torch
from nnlite import nn, optim
from nnlite.distributions import Categorical

LENGTH, MOST_STEPS = 7, 30
torch.manual_seed(0)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine = nn.Linear(LENGTH, 16)
        self.action = nn.Linear(16, 2)
        self.log_probs, self.rewards = [], []

    def forward(self, x):
        return self.action(torch.relu(self.affine(x)))


policy = Policy()
optimizer = optim.Adam(policy.parameters(), lr=0.02)


def select_action(place: int) -> int:
    state = torch.zeros(LENGTH)
    state[place] = 1.0
    choices = Categorical(logits=policy(state))
    action = choices.sample()
    policy.log_probs.append(choices.log_prob(action))
    return action.item()


def play() -> float:
    """One episode; returns the sum of its rewards."""
    place = LENGTH // 2
    for _ in range(MOST_STEPS):
        place += 1 if select_action(place) == 1 else -1
        policy.rewards.append(1.0 if place == LENGTH - 1 else -1.0 if place == 0 else -0.02)
        if place in (0, LENGTH - 1):
            break
    return sum(policy.rewards)


def finish_episode() -> None:
    future, returns = 0.0, []
    for reward in reversed(policy.rewards):
        future = reward + 0.95 * future
        returns.insert(0, future)
    loss = torch.stack([-log_prob * value for log_prob, value in zip(policy.log_probs, returns, strict=True)]).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    policy.log_probs.clear()
    policy.rewards.clear()


running = 0.0
for episode in range(1, 121):
    running = 0.9 * running + 0.1 * play()
    finish_episode()
    if episode % 20 == 0:
        print(f"episode {episode}: mean reward {running:.3f}")
assert running > 0.7
