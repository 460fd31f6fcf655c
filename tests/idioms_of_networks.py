"""Lines of gradients, modules, optimizers and data that stand in many PyTorch programs; see idioms.py."""

LINES = """
torch.no_grad().__class__.__name__
with_no_grad = torch.no_grad()(lambda: (w * 2).requires_grad); with_no_grad()
torch.is_grad_enabled()
torch.set_grad_enabled(True); (w * 2).requires_grad
torch.autograd.grad((w ** 2).sum(), w)[0]
torch.autograd.grad(out.sum(), [w], retain_graph=True)[0]
g = torch.autograd.grad((w ** 3).sum(), w, create_graph=True)[0]; torch.autograd.grad(g.sum(), w)[0]
out.backward(torch.ones_like(out)); w.grad
out.retain_grad(); out.sum().backward(); out.grad
seen = []; w.register_hook(lambda grad: seen.append(grad.sum().item())); (w * 3).sum().backward(); seen
w.grad is None
(w * 2).is_leaf
w.is_leaf
w.requires_grad_(False).requires_grad
(w * 1).grad_fn is not None
torch.nn.functional.gelu(x)
F.leaky_relu(x, 0.1)
F.elu(x)
F.selu(x)
F.silu(x)
F.softplus(x)
F.hardtanh(x)
F.logsigmoid(x)
F.normalize(x, dim=1)
F.cosine_similarity(x, x.flip(0))
F.pairwise_distance(x, x + 1)
F.smooth_l1_loss(x, x * 2)
F.huber_loss(x, x * 2)
F.l1_loss(x, x * 2, reduction="sum")
F.kl_div(F.log_softmax(x, 1), F.softmax(x, 1), reduction="batchmean")
F.binary_cross_entropy(torch.sigmoid(t), torch.ones(4, 1))
F.cross_entropy(x, y, weight=v, reduction="none")
F.cross_entropy(x, y, label_smoothing=0.1)
F.cross_entropy(x, F.softmax(x, 1))
F.margin_ranking_loss(v, v * 2, torch.ones(3))
F.triplet_margin_loss(x, x + 1, x - 1)
F.layer_norm(x, (3,))
F.embedding(y, x)
F.pad(v, (1, 1))
nn.Identity()(x)
nn.GELU()(x)
nn.LeakyReLU(0.2)(x)
nn.ELU()(x)
nn.PReLU()(x)
nn.SiLU()(x)
nn.Softplus()(x)
nn.LogSoftmax(dim=-1)(x)
nn.Hardswish()(x)
nn.GroupNorm(1, 3)(x)
nn.Bilinear(3, 3, 2)(x, x) # shape
nn.Unflatten(1, (3, 1))(x)
nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])[1].in_features
nn.ModuleDict({"a": nn.Linear(3, 3)})["a"].out_features
nn.ParameterList([nn.Parameter(v)])[0]
nn.Parameter(torch.zeros(3)).requires_grad
nn.SmoothL1Loss()(x, x * 2)
nn.NLLLoss()(F.log_softmax(x, 1), y)
nn.KLDivLoss(reduction="batchmean")(F.log_softmax(x, 1), F.softmax(x, 1))
nn.CrossEntropyLoss(ignore_index=2)(x, y)
nn.CosineEmbeddingLoss()(x, x.flip(0), torch.ones(4))
nn.GaussianNLLLoss()(t, t * 0.5, torch.ones(4, 1))
nn.init.xavier_uniform_(torch.empty(3, 4)) # shape
nn.init.kaiming_normal_(torch.empty(3, 4), nonlinearity="relu") # shape
nn.init.zeros_(torch.empty(3))
nn.init.constant_(torch.empty(3), 0.5)
nn.init.orthogonal_(torch.empty(3, 3)) # shape
nn.utils.clip_grad_norm_(model.parameters(), 1.0).item()
criterion(model(x), y).backward(); nn.utils.clip_grad_norm_(model.parameters(), 0.1)
criterion(model(x), y).backward(); nn.utils.clip_grad_value_(model.parameters(), 0.01); model[0].weight.grad
nn.utils.parameters_to_vector(model.parameters())
nn.utils.vector_to_parameters(torch.zeros(31), model.parameters()); model(x)
next(model.parameters()).device.type
next(model.parameters()).dtype
model.zero_grad(); model[0].weight.grad
model.apply(lambda module: None) is model
list(model.children())[1]
[type(module).__name__ for module in model.modules()]
dict(model.named_modules())["0"].in_features
model.double()(x.double())
model.requires_grad_(False)[0].weight.requires_grad
model.get_parameter("0.weight").shape
model[0].weight.data.mul_(0.5)
model[0].weight.data.fill_(0.1); model(x)
model[-1].out_features
print(model)
repr(nn.Linear(3, 2))
str(nn.Dropout(0.2))
import copy; copy.deepcopy(model)(x)
model.register_forward_hook(lambda module, args, output: output * 2); model(x)
handle = model.register_forward_pre_hook(lambda module, args: None); handle.remove(); model(x)
model[0].register_buffer("scale", torch.ones(1)); "0.scale" in model.state_dict()
optim.SGD([{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.5}], lr=0.1).param_groups[1]["lr"]
optim.Adam(model.parameters(), betas=(0.9, 0.99), eps=1e-8, weight_decay=1e-4, amsgrad=True).defaults["betas"]
optim.RMSprop(model.parameters(), lr=0.01, alpha=0.9).defaults["alpha"]
optim.Adagrad(model.parameters()).defaults["lr"]
optim.LBFGS(model.parameters(), lr=1, max_iter=5).defaults["max_iter"]
optimizer.param_groups[0]["lr"] = 0.01; optimizer.param_groups[0]["lr"]
optimizer.load_state_dict(optimizer.state_dict()); optimizer.state_dict()["param_groups"][0]["momentum"]
optimizer.zero_grad(set_to_none=True); model[0].weight.grad
s = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5); optimizer.step(); s.step(); s.get_last_lr()
s = optim.lr_scheduler.ExponentialLR(optimizer, 0.9); optimizer.step(); s.step(); optimizer.param_groups[0]["lr"]
s = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10); optimizer.step(); s.step(); s.get_last_lr()
s = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0); s.step(1.0); s.step(2.0); optimizer.param_groups[0]["lr"]
s = optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9**epoch); optimizer.step(); s.step(); s.get_last_lr()
torch.utils.data.random_split(torch.utils.data.TensorDataset(x, y), [3, 1])[0].__len__()
torch.utils.data.Subset(torch.utils.data.TensorDataset(x, y), [0, 2])[1][1]
next(iter(torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=4)))
[b for b in torch.utils.data.DataLoader(x, batch_size=3, drop_last=True)]
torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=2).dataset.tensors[0].shape
import io; f = io.BytesIO(); torch.save(model.state_dict(), f); f.tell() > 0
"""
