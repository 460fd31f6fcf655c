"""The classic script for handwritten digits, as a multi-layer perceptron on drawn digits: arguments, schedule, log."""

import argparse

import nnlite as torch
import nnlite.nn as nn
import nnlite.nn.functional as F
import nnlite.optim as optim
from nnlite.optim.lr_scheduler import StepLR
from nnlite.utils.data import DataLoader, TensorDataset

SEGMENTS = [
    "1110111",
    "0010010",
    "1011101",
    "1011011",
    "0111010",
    "1101011",
    "1101111",
    "1010010",
    "1111111",
    "1111011",
]


def drawn(label: int) -> torch.Tensor:
    """A digit as on a pocket calculator, 12 x 8 pixels."""
    image = torch.zeros(12, 8)
    places = [(slice(1, 2), slice(2, 6)), (slice(2, 6), slice(1, 2)), (slice(2, 6), slice(6, 7)), (slice(6, 7), slice(2, 6)),
              (slice(7, 11), slice(1, 2)), (slice(7, 11), slice(6, 7)), (slice(11, 12), slice(2, 6))]  # fmt: skip
    for place, on in zip(places, SEGMENTS[label], strict=True):
        image[place] = float(on)
    return image


def noisy_digits(rows: int) -> TensorDataset:
    labels = torch.arange(rows) % 10
    images = torch.stack([drawn(label) for label in range(10)])[labels]
    return TensorDataset(images + 0.6 * torch.randn(rows, 12, 8), labels)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(96, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.fc2(x)
        return F.log_softmax(x, dim=1)


def train(args, model, device, train_loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(train_loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        if batch_idx % args.log_interval == 0:
            done, total = batch_idx * len(data), len(train_loader.dataset)
            print(
                f"epoch {epoch} [{done}/{total} ({100.0 * batch_idx / len(train_loader):.0f}%)] loss {loss.item():.4f}"
            )


def test(model, device, test_loader):
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for data, target in test_loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    total = len(test_loader.dataset)
    print(f"test: average loss {test_loss / total:.4f}, accuracy {correct}/{total} ({100.0 * correct / total:.0f}%)")


def main():
    parser = argparse.ArgumentParser(description="digits")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--gamma", type=float, default=0.7)
    parser.add_argument("--no-cuda", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=20)
    args = parser.parse_args([])
    torch.manual_seed(args.seed)
    use_cuda = not args.no_cuda and torch.cuda.is_available()
    device = torch.device("cuda" if use_cuda else "cpu")
    train_loader = DataLoader(noisy_digits(4000), batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(noisy_digits(1000), batch_size=1000)
    model = Net().to(device)
    optimizer = optim.Adam(model.parameters(), lr=args.lr)
    scheduler = StepLR(optimizer, step_size=1, gamma=args.gamma)
    for epoch in range(1, args.epochs + 1):
        train(args, model, device, train_loader, optimizer, epoch)
        test(model, device, test_loader)
        scheduler.step()


if __name__ == "__main__":
    main()
