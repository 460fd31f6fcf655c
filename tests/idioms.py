"""Lines that stand in PyTorch programs of small networks: test_idioms.py runs each under PyTorch and under nnlite.

More stand in idioms_of_tensors.py and idioms_of_networks.py. A line is statements separated by semicolons, the last one an expression; its value is compared. A line that ends in
`# shape` draws random numbers: types and shapes are compared. All see a few tensors, the same in both libraries, and
`torch`, `nn`, `F`, `optim`, `np`.
"""

PREAMBLE = """
import math
import numpy as np
torch.manual_seed(0)
x = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [-2.0, 1.0, 0.125], [3.0, -0.5, 1.0]])
y = torch.tensor([0, 2, 1, 2])
t = torch.tensor([[0.5], [1.0], [-1.0], [0.0]])
w = torch.tensor([[0.1, -0.2, 0.3], [0.4, 0.5, -0.6]], requires_grad=True)
v = torch.tensor([1.0, 2.0, 3.0])
i = torch.tensor([3, 1, 2])
m = torch.tensor([True, False, True])
out = x @ w.t()
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
with torch.no_grad():
    for k, p in enumerate(model.parameters()):
        p.copy_(torch.linspace(-0.5, 0.5 + 0.1 * k, p.numel()).reshape(p.shape))
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
"""

# In nearly every program.
COMMONEST = """
torch.tensor([1.0, 2.0, 3.0])
torch.tensor([[1, 2], [3, 4]])
torch.tensor([1, 2], dtype=torch.float32)
torch.tensor(3.5).item()
torch.zeros(2, 3)
torch.ones(2, 3)
torch.zeros((2, 3))
torch.randn(2, 3) # shape
torch.rand(2, 3) # shape
torch.arange(5)
torch.arange(0, 1, 0.25)
torch.manual_seed(1); torch.randn(2) # shape
torch.from_numpy(np.arange(6.0).reshape(2, 3))
torch.from_numpy(np.arange(6, dtype=np.float32))
x.shape
x.shape[0]
x.size(0)
x.size()
x.dtype
x.numpy()
x.detach().numpy()
x.tolist()
x.float()
y.float()
y.long()
x.view(2, 6)
x.view(-1)
x.view(x.size(0), -1)
x.reshape(3, 4)
x.unsqueeze(0)
x.unsqueeze(1).squeeze(1)
t.squeeze()
x.t()
x.T
x.transpose(0, 1)
x + 1
2 * x
x / 2
x - x.mean()
x ** 2
-x
x * x
x @ x.t()
torch.matmul(x, x.t())
torch.mm(x, x.t())
x.sum()
x.mean()
x.sum(dim=1)
x.mean(dim=0)
x.mean(0, keepdim=True)
x.std()
x.max()
x.min()
x.argmax(dim=1)
torch.argmax(x, dim=1)
torch.max(x, 1)[1]
torch.max(x, dim=1).indices
_, predicted = torch.max(x, 1); predicted
(x.argmax(1) == y).float().mean().item()
(x.argmax(1) == y).sum().item()
(predicted := x.argmax(1)).eq(y).sum().item()
pred = x.argmax(dim=1, keepdim=True); pred.eq(y.view_as(pred)).sum().item()
x.exp()
torch.exp(x)
torch.log(x.abs())
torch.sqrt(x.abs())
x.abs()
torch.relu(x)
torch.sigmoid(x)
torch.tanh(x)
torch.softmax(x, dim=1)
F.relu(x)
F.softmax(x, dim=1)
F.log_softmax(x, dim=1)
F.sigmoid(x)
F.cross_entropy(x, y)
F.mse_loss(x, x * 0.5)
F.binary_cross_entropy_with_logits(t, torch.ones(4, 1))
F.nll_loss(F.log_softmax(x, 1), y)
F.dropout(x, 0.5, training=False)
F.linear(x, w)
F.one_hot(y, 3)
torch.cat([x, x], dim=0)
torch.cat((x, t), 1)
torch.stack([v, v])
x[0]
x[0, 1]
x[:, 1]
x[1:3]
x[..., 0]
x[y]
x[x > 0]
x[torch.arange(4), y]
torch.clamp(x, 0, 1)
x.clamp(min=0)
torch.allclose(x, x.clone())
torch.equal(x, x)
len(x)
x.requires_grad
w.requires_grad
(x @ w.t()).sum().backward(); w.grad
loss = criterion(model(x), y); loss.backward(); model[0].weight.grad
loss = criterion(model(x), y); loss.item()
optimizer.zero_grad(); criterion(model(x), y).backward(); optimizer.step(); model[2].bias.detach()
with_grad = torch.ones(2, requires_grad=True); with_grad.grad
(w * 2).detach().requires_grad
x.clone()
x.numel()
x.dim()
x.ndim
model.train().training
model.eval().training
[p.shape for p in model.parameters()]
[name for name, p in model.named_parameters()]
sum(p.numel() for p in model.parameters())
sum(p.numel() for p in model.parameters() if p.requires_grad)
list(model.state_dict().keys())
model.load_state_dict(model.state_dict()); model(x)
nn.Linear(3, 2)(x) # shape
nn.Linear(3, 2).weight.shape
nn.ReLU()(x)
nn.Sigmoid()(x)
nn.Tanh()(x)
nn.Softmax(dim=1)(x)
nn.Dropout(0.5).eval()(x)
nn.Flatten()(x.view(2, 2, 3))
nn.BatchNorm1d(3)(x)
nn.LayerNorm(3)(x)
nn.Embedding(4, 2)(y) # shape
nn.MSELoss()(x, x + 1)
nn.BCELoss()(torch.sigmoid(t), torch.ones(4, 1))
nn.BCEWithLogitsLoss()(t, torch.ones(4, 1))
nn.L1Loss()(x, x * 2)
nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))(x).shape
optim.Adam(model.parameters(), lr=1e-3).param_groups[0]["lr"]
optim.SGD(model.parameters(), lr=0.1).param_groups[0]["lr"]
optim.AdamW(model.parameters(), weight_decay=0.01).defaults["weight_decay"]
device = torch.device("cuda" if torch.cuda.is_available() else "cpu"); model.to(device)(x.to(device))
str(torch.device("cpu"))
torch.cuda.is_available()
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=2); [b.shape for b, c in loader]
from torch.utils.data import DataLoader, TensorDataset; len(DataLoader(TensorDataset(x, y), batch_size=3, shuffle=True))
running = 0.0; running += criterion(model(x), y).item() * x.size(0); running
correct = 0; correct += (model(x).argmax(1) == y).type(torch.float).sum().item(); correct
"""

# Not a part of nnlite: the error names what to use instead.
LEFT_OUT = """
nn.Conv2d(1, 8, 3)
nn.LSTM(3, 4)
nn.Transformer()
x.cuda()
x.to("cuda")
model.cuda()
model.half()
torch.device("cuda")
torch.compile(model)
torch.jit.script(model)
torch.FloatTensor([1, 2])
torch.LongTensor([1, 2])
torch.get_default_dtype()
torch.corrcoef(x.t())
torch.cov(x.t())
torch.histc(x, bins=4, min=-2, max=3)
torch.linalg.inv(torch.eye(2) * 2)
torch.linalg.solve(torch.eye(2) * 2, torch.ones(2))
torch.searchsorted(v, torch.tensor([1.5, 2.5]))
torch.set_printoptions(precision=4)
torch.trapezoid(v)
"""
