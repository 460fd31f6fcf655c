"""Your own training loop, step by step; `Trainer.fit` with the same seed ends with the same bits."""

import nnlite as nl
from nnlite import nn, optim

x, y = nl.data.make_moons(500, noise=0.1, seed=0)
nl.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
twin = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
twin.load_state_dict(model.state_dict())

criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
loader = nl.data.DataLoader(nl.data.TensorDataset(x, y), batch_size=32, shuffle=True, seed=0)
for epoch in range(20):
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: loss of the last batch {loss.item():.4f}")

trainer = nl.Trainer(twin, criterion, optim.SGD(twin.parameters(), lr=0.1, momentum=0.9), seed=0)
trainer.fit(x, y, epochs=20, batch_size=32)
print("own loop ", model.fingerprint())
print("native   ", twin.fingerprint())
assert model.fingerprint() == twin.fingerprint()
