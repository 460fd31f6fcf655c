"""The first program of a PyTorch user: data, a model, an optimizer, training, testing, saving, loading, predicting."""

import tempfile

import nnlite as torch
from nnlite import nn
from nnlite.utils.data import DataLoader, TensorDataset

CLASSES = ["low", "middle", "high"]
torch.manual_seed(0)


def spiral(rows: int) -> TensorDataset:
    """Points on three arms of a spiral; the arm is the class."""
    arm = torch.arange(rows) % len(CLASSES)
    radius = torch.rand(rows)
    angle = 2.1 * arm.float() + 4 * radius + 0.2 * torch.randn(rows)
    return TensorDataset(torch.stack([radius * angle.cos(), radius * angle.sin()], 1), arm)


train_data, test_data = spiral(1500), spiral(300)
train_loader = DataLoader(train_data, batch_size=64, shuffle=True)
test_loader = DataLoader(test_data, batch_size=64)
for x, y in test_loader:
    print(f"a batch: x {tuple(x.shape)} {x.dtype}, y {tuple(y.shape)} {y.dtype}".replace("torch.", ""))
    break

device = "cuda" if torch.cuda.is_available() else "cpu"


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stack = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, x):
        return self.stack(x)


model = Network().to(device)
print(model)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def train(loader, model):
    model.train()
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def test(loader, model):
    model.eval()
    loss, correct = 0.0, 0
    with torch.no_grad():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            output = model(x)
            loss += loss_fn(output, y).item()
            correct += (output.argmax(1) == y).type(torch.float).sum().item()
    print(f"accuracy {correct / len(loader.dataset):.3f}, loss {loss / len(loader):.3f}")


for epoch in range(5):
    print(f"epoch {epoch + 1}")
    train(train_loader, model)
    test(test_loader, model)

with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
    torch.save(model.state_dict(), file)
    file.seek(0)
    loaded = Network()
    loaded.load_state_dict(torch.load(file))

loaded.eval()
x, y = test_data[0][0], test_data[0][1]
with torch.no_grad():
    output = loaded(x)
print(f"predicted {CLASSES[output.argmax(0)]}, actual {CLASSES[y]}")
